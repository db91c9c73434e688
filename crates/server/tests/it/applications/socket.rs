//! A WebSocket client of the tests (RFC 6455): opens through the gate, sends masked frames, reads
//! whole messages. No fragments, no extensions; control frames other than a close are not expected.

use std::time::Duration;

use hyper::upgrade::{self, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::client::Sending;

/// The key and its answer in section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
/// In the second byte of a frame, beside the length.
const MASKED: u8 = 0x80;

/// An open WebSocket.
pub(super) struct Socket {
    io: TokioIo<Upgraded>,
}

/// The request as a handshake.
pub(super) fn asking(sending: Sending<'_>) -> Sending<'_> {
    sending
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", KEY)
}

impl Socket {
    /// Sends the handshake, which must be allowed.
    pub(super) async fn open(handshake: Sending<'_>) -> Self {
        let answer = handshake.stream().await;
        assert_eq!(answer.status(), 101, "{answer:?}");
        assert_eq!(answer.headers()["sec-websocket-accept"], ACCEPT);
        Self { io: TokioIo::new(upgrade::on(answer).await.unwrap()) }
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes()).await;
    }

    pub(super) async fn say_bytes(&mut self, bytes: &[u8]) {
        self.send(BINARY, bytes).await;
    }

    /// The next message.
    pub(super) async fn hear(&mut self) -> Vec<u8> {
        let message = tokio::time::timeout(Duration::from_secs(10), self.message()).await;
        let (kind, payload) = message.expect("no message came in ten seconds");
        assert!(kind == TEXT || kind == BINARY, "frame {kind:#x}: {payload:?}");
        payload
    }

    /// Says goodbye, and waits for the other side's.
    pub(super) async fn close(mut self) {
        self.send(CLOSE, &1000_u16.to_be_bytes()).await;
        assert_eq!(self.message().await, (CLOSE, 1000_u16.to_be_bytes().to_vec()));
        self.has_ended().await;
    }

    /// Waits until the connection is over.
    pub(super) async fn has_ended(mut self) {
        let mut rest = Vec::new();
        let reading = self.io.read_to_end(&mut rest);
        let ended = tokio::time::timeout(Duration::from_secs(10), reading).await;
        drop(ended.expect("the WebSocket stays open"));
    }

    async fn send(&mut self, kind: u8, payload: &[u8]) {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let mut frame = vec![kind];
        // The shortest form that holds the length (section 5.2).
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ ..126), _) => frame.push(MASKED + length),
            (_, Ok(length)) => {
                frame.push(MASKED + 126);
                frame.extend(length.to_be_bytes());
            }
            (_, Err(_)) => {
                frame.push(MASKED + 127);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.io.write_all(&frame).await.unwrap();
    }

    /// The next frame: its first byte and its payload.
    async fn message(&mut self) -> (u8, Vec<u8>) {
        let kind = self.io.read_u8().await.expect("the WebSocket has ended");
        let length = match self.io.read_u8().await.unwrap() {
            126 => u64::from(self.io.read_u16().await.unwrap()),
            127 => self.io.read_u64().await.unwrap(),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.io.read_exact(&mut payload).await.unwrap();
        (kind, payload)
    }
}
