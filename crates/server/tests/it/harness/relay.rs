//! A wire that can be cut: what stands between a node and a database that goes away for a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::spawn;

/// Passes connections on to an address.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    is_cut: Arc<AtomicBool>,
    cutting: Arc<Notify>,
}

impl Relay {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let relay = Self { address, is_cut: Arc::default(), cutting: Arc::default() };
        let (is_cut, cutting) = (Arc::clone(&relay.is_cut), Arc::clone(&relay.cutting));
        spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                if !is_cut.load(Ordering::SeqCst) {
                    spawn(pass(from, target, Arc::clone(&cutting)));
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

    pub(crate) fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

async fn pass(mut from: TcpStream, target: SocketAddr, cutting: Arc<Notify>) {
    let cut = cutting.notified();
    let Ok(mut to) = TcpStream::connect(target).await else { return };
    tokio::select! {
        () = cut => {}
        ended = tokio::io::copy_bidirectional(&mut from, &mut to) => drop(ended),
    }
}
