//! The body of a forwarded request on its way up. Passes data as it comes, drops trailers and keeps
//! no bytes. The body of the answer is in [`super::answer`].

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// Any error of a body.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The client's body, which must not stand still for longer than `idle`.
#[derive(Debug)]
pub(super) struct Upload {
    body: UnsyncBoxBody<Bytes, BoxError>,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether `timer` counts the present wait.
    is_waiting: bool,
    progress: Arc<Progress>,
}

/// How far an upload has come, for the one who waits for the answer.
#[derive(Debug, Default)]
pub(super) struct Progress {
    frames: AtomicU64,
    end: AtomicU8,
}

/// How an upload ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    None = 0,
    Stalled = 1,
    Broken = 2,
}

impl Progress {
    /// A number that changes with every piece of the body.
    pub(super) fn moved(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    pub(super) fn end(&self) -> End {
        match self.end.load(Ordering::Acquire) {
            0 => End::None,
            1 => End::Stalled,
            _ => End::Broken,
        }
    }

    fn finish(&self, end: End) {
        self.end.store(end as u8, Ordering::Release);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no byte came in time")]
struct Stalled;

impl Upload {
    pub(super) fn new<B>(body: B, idle: Duration) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self {
            body: body.map_err(Into::into).boxed_unsync(),
            idle,
            timer: None,
            is_waiting: false,
            progress: Arc::default(),
        }
    }

    pub(super) fn empty() -> Self {
        Self::new(Empty::new(), Duration::ZERO)
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Ready when the client has kept us waiting for too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = match &mut self.timer {
            Some(timer) => {
                if !self.is_waiting {
                    timer.set(tokio::time::sleep(self.idle));
                }
                timer
            }
            none => none.insert(Box::pin(tokio::time::sleep(self.idle))),
        };
        self.is_waiting = true;
        timer.as_mut().poll(cx)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        loop {
            let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
                ready!(this.wait(cx));
                this.progress.finish(End::Stalled);
                return Poll::Ready(Some(Err(Stalled.into())));
            };
            this.is_waiting = false;
            this.progress.frames.fetch_add(1, Ordering::Relaxed);
            match frame {
                Some(Ok(frame)) if frame.is_trailers() => {}
                Some(Err(error)) => {
                    this.progress.finish(End::Broken);
                    return Poll::Ready(Some(Err(error)));
                }
                frame => return Poll::Ready(frame),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
