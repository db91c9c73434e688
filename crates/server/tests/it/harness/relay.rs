//! A wire that can be cut: what stands between a node and a database that goes away for a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::spawn;

/// Passes connections on to an address.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    is_cut: Arc<AtomicBool>,
    cutting: Arc<Notify>,
    is_frozen: Arc<AtomicBool>,
}

impl Relay {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let relay = Self {
            address,
            is_cut: Arc::default(),
            cutting: Arc::default(),
            is_frozen: Arc::default(),
        };
        let (is_cut, cutting) = (Arc::clone(&relay.is_cut), Arc::clone(&relay.cutting));
        let is_frozen = Arc::clone(&relay.is_frozen);
        spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                if !is_cut.load(Ordering::SeqCst) {
                    spawn(pass(from, target, Arc::clone(&cutting), Arc::clone(&is_frozen)));
                }
            }
        });
        relay
    }

    /// Ends every connection, and lets none come about.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        self.cutting.notify_waiters();
    }

    /// Passes nothing on any more, and closes nothing.
    pub(crate) fn freeze(&self) {
        self.is_frozen.store(true, Ordering::SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
        self.is_frozen.store(false, Ordering::SeqCst);
    }
}

async fn pass(
    from: TcpStream,
    target: SocketAddr,
    cutting: Arc<Notify>,
    is_frozen: Arc<AtomicBool>,
) {
    let cut = cutting.notified();
    let Ok(to) = TcpStream::connect(target).await else { return };
    let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), to.into_split());
    tokio::select! {
        () = cut => {}
        () = copy(from_read, to_write, &is_frozen) => {}
        () = copy(to_read, from_write, &is_frozen) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_frozen: &AtomicBool) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        while is_frozen.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
