//! A wall in front of hyper's reading of HTTP/1: a connection whose bytes two readers could
//! understand differently is answered 400 and closed.
//!
//! hyper repairs some of what request smuggling is made of: it drops `Content-Length` beside
//! `Transfer-Encoding`, accepts a doubled length that agrees, and lines that end with LF alone.
//! [`Strict`] sits between the socket and hyper, follows the framing of every request, and gives
//! hyper, in place of a head that breaks the rules, a request of our own for [`MALFORMED_PATH`],
//! so that the refusal goes through the ordinary pipeline. It is no parser: what passes, passes
//! unchanged, and HTTP/2 passes unread, because its own framing has none of these doubts.

mod head;
mod machine;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

pub use head::Fault;
use machine::Machine;

/// The path of the request that stands in for a malformed one. A client that asks for it by
/// itself is told the same: 400.
pub const MALFORMED_PATH: &str = "/-/malformed";

/// The header of that request which carries [`Fault::code`].
pub const MALFORMED_HEADER: &str = "x-portcullis-malformed";

/// How long a client may keep us waiting before its head is whole.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first wait inside a head to its end (slowloris); after it the answer is
    /// [`Fault::HeadTimeout`].
    pub head: Duration,
    /// From the opening of the connection to its first byte; after it the connection is closed
    /// without an answer. Browsers open spare ones.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(5), silence: Duration::from_secs(30) }
    }
}

/// After a fault so many bytes are read and thrown away, so that closing the socket does not reset
/// the connection before the client has read the answer.
const MAX_DISCARDED: usize = 1024 * 1024;

/// A connection whose HTTP/1 requests are framed without doubt.
///
/// Reading may end with `InvalidData` inside a chunked body. After any fault it stays pending: the
/// request that stands in asks for `Connection: close`, so the server answers and closes.
#[derive(Debug)]
pub struct Strict<IO> {
    io: IO,
    machine: Machine,
    /// Bytes that were read and not yet handed on; the first `released` of them may go.
    held: BytesMut,
    released: usize,
    ending: Ending,
    limits: Limits,
    /// The limit on silence, or on an unfinished head.
    timer: Option<Pin<Box<Sleep>>>,
    upgraded: PassThrough,
}

/// Set by the server when it answers 101: from then on the connection is not HTTP.
#[derive(Clone, Debug, Default)]
pub struct PassThrough(Arc<AtomicBool>);

impl PassThrough {
    /// Stop reading the connection as HTTP/1. Call this before the 101 is sent.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// No fault so far.
    None,
    /// A body broke: the next read fails.
    BrokenBody,
    /// The fault was handed on; so many bytes were thrown away since.
    Discarding(usize),
}

impl<IO> Strict<IO> {
    /// Wrap a fresh connection, before the first byte is read from it, with the usual limits.
    pub fn new(io: IO) -> Self {
        Self::with_limits(io, Limits::default())
    }

    /// The same, with limits of one's own.
    pub fn with_limits(io: IO, limits: Limits) -> Self {
        Self {
            io,
            machine: Machine::new(),
            held: BytesMut::new(),
            released: 0,
            ending: Ending::None,
            limits,
            timer: None,
            upgraded: PassThrough::default(),
        }
    }

    /// The handle by which the server says that it has switched protocols.
    pub fn pass_through(&self) -> PassThrough {
        self.upgraded.clone()
    }

    /// Hand on what may go.
    fn hand_on(&mut self, out: &mut ReadBuf<'_>) {
        let length = self.released.min(out.remaining());
        out.put_slice(self.held.get(..length).unwrap_or_default());
        self.held.advance(length);
        self.released -= length;
        if self.held.is_empty() {
            // An idle connection keeps no buffer.
            self.held = BytesMut::new();
        }
    }

    /// Judge the bytes just read into `out` behind the first `before`, and leave there only what
    /// may pass. Nothing is copied where no head is unfinished.
    fn judge(&mut self, out: &mut ReadBuf<'_>, before: usize) {
        // The time for a head runs from its beginning, however many pieces it comes in.
        if self.held.is_empty() {
            self.timer = None;
        }
        let fresh = out.filled().get(before..).unwrap_or_default();
        let step = if self.held.is_empty() {
            let step = self.machine.feed(fresh);
            self.held.extend_from_slice(fresh.get(step.released..).unwrap_or_default());
            out.set_filled(before + step.released);
            step
        } else {
            self.held.extend_from_slice(fresh);
            out.set_filled(before);
            let step = self.machine.feed(&self.held);
            self.released = step.released;
            if step.released > 0 {
                self.timer = None;
            }
            step
        };
        if let Some(fault) = step.fault {
            self.refuse(fault);
        }
    }

    /// Put our own request in the place of what may not pass, or break the body.
    fn refuse(&mut self, fault: Fault) {
        self.timer = None;
        self.held.truncate(self.released);
        if self.machine.is_in_body() {
            self.ending = Ending::BrokenBody;
            return;
        }
        let request = format!(
            "GET {MALFORMED_PATH} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             {MALFORMED_HEADER}: {}\r\n\r\n",
            fault.code()
        );
        self.held.extend_from_slice(request.as_bytes());
        self.released = self.held.len();
        self.ending = Ending::Discarding(0);
    }

    /// The time limit that holds while we wait for bytes, if one does.
    fn limit(&self) -> Option<Duration> {
        match (self.machine.is_at_start(), self.held.is_empty()) {
            (_, false) => Some(self.limits.head),
            (true, true) => Some(self.limits.silence),
            (false, true) => None,
        }
    }

    /// The server has answered 101: let what was held go, and read no more.
    fn switch(&mut self) {
        self.machine.pass_through();
        self.released = self.held.len();
        self.timer = None;
    }
}

impl<IO: AsyncRead + Unpin> Strict<IO> {
    /// Wait for bytes, and no longer than allowed. A time-out is an end of file to the caller.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.limit() else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(timer.as_mut().poll(cx));
        self.timer = None;
        if !self.held.is_empty() {
            self.refuse(Fault::HeadTimeout);
        }
        Poll::Ready(())
    }

    /// Throw away what comes after a fault. Never ready: an end of file would make hyper give up
    /// the answer that it is still writing.
    fn discard(&mut self, cx: &mut Context<'_>, mut discarded: usize) {
        let mut sink = [0; 4096];
        while discarded < MAX_DISCARDED {
            let mut sink = ReadBuf::new(&mut sink);
            match Pin::new(&mut self.io).poll_read(cx, &mut sink) {
                Poll::Ready(Ok(())) if !sink.filled().is_empty() => {
                    discarded += sink.filled().len();
                }
                Poll::Ready(_) => discarded = MAX_DISCARDED,
                Poll::Pending => break,
            }
        }
        self.ending = Ending::Discarding(discarded);
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Strict<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.machine.is_through() && this.upgraded.has_begun() {
            this.switch();
            if this.ending != Ending::None {
                // It sent what is no request before it was told that it need not be one.
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
        }
        loop {
            if this.released > 0 || out.remaining() == 0 {
                this.hand_on(out);
                return Poll::Ready(Ok(()));
            }
            match this.ending {
                Ending::None => {}
                Ending::BrokenBody => {
                    this.ending = Ending::Discarding(0);
                    let fault = io::Error::new(io::ErrorKind::InvalidData, Fault::Chunk.code());
                    return Poll::Ready(Err(fault));
                }
                Ending::Discarding(discarded) => {
                    this.discard(cx, discarded);
                    return Poll::Pending;
                }
            }
            let before = out.filled().len();
            let Poll::Ready(outcome) = Pin::new(&mut this.io).poll_read(cx, out) else {
                ready!(this.wait(cx));
                if this.ending == Ending::None {
                    return Poll::Ready(Ok(()));
                }
                continue;
            };
            outcome?;
            let at_end = out.filled().len() == before;
            if at_end || this.machine.is_through() {
                return Poll::Ready(Ok(()));
            }
            this.judge(out, before);
            if out.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Strict<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
        if let Ending::Discarding(discarded) = self.ending {
            self.discard(cx, discarded);
        }
        Poll::Ready(outcome)
    }
}
