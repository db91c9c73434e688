//! The upstream's body on its way down, or one that we make ourselves while it is sent: passes data as
//! it comes, drops trailers and keeps no bytes.
//! An answer that lasts longer than a credential may be believed is given only as long as the
//! credential is good (see [`Lease`]). Not the client's body: that is in `body`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::BoxError;
use super::relay::Relay;
use crate::gate::lease::Lease;
use crate::web::socket::STALL;

/// The upstream's body. An error means that the upstream broke off, or that the caller's credential
/// is good no longer; the client's connection is then broken off as well, so that half an answer is
/// never taken for a whole one.
pub struct ResponseBody {
    source: Source,
    watch: Option<Watch>,
    /// Ready when the server stops; for answers that have no end of their own.
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

/// Where the pieces come from.
enum Source {
    Upstream(Incoming),
    Relay(Relay),
}

/// Asks now and then whether the answer may go on. A short answer is over before the first time.
struct Watch {
    lease: Lease,
    next: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    asking: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the credential that opened this answer is good no longer")]
struct Ended;

impl ResponseBody {
    pub(super) const fn new(body: Incoming) -> Self {
        Self { source: Source::Upstream(body), watch: None, stopping: None }
    }

    /// A body of our own that is made while it is sent: by a task, which gives up when the client
    /// takes nothing.
    pub fn made<B>(body: B, start: impl FnOnce(Pin<Box<dyn Future<Output = ()> + Send>>)) -> Self
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let (relay, work) = Relay::new(body, STALL);
        start(Box::pin(work));
        Self { source: Source::Relay(relay), watch: None, stopping: None }
    }

    /// The same body, fetched by a task that does not wait for ever for the client: on HTTP/2 its
    /// socket does not show that it takes nothing.
    #[must_use]
    pub fn relayed(self, start: impl FnOnce(Pin<Box<dyn Future<Output = ()> + Send>>)) -> Self {
        match self.source {
            Source::Upstream(body) if !body.is_end_stream() => {
                let (relay, work) = Relay::new(body, STALL);
                start(Box::pin(work));
                Self { source: Source::Relay(relay), ..self }
            }
            source @ (Source::Upstream(_) | Source::Relay(_)) => Self { source, ..self },
        }
    }

    /// The same body, which goes on only while the lease does.
    #[must_use]
    pub fn leased(mut self, lease: Lease) -> Self {
        let next = Instant::now() + lease.every();
        self.watch = Some(Watch { lease, next, timer: None, asking: None });
        self
    }

    /// The same body, which ends with the server.
    #[must_use]
    pub fn until(mut self, stopping: WaitForCancellationFutureOwned) -> Self {
        self.stopping = Some(Box::pin(stopping));
        self
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl Source {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Upstream(body) => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|it| it.map_err(Into::into)))
            }
            Self::Relay(relay) => relay.poll(cx).map(|piece| piece.map(|it| it.map(Frame::data))),
        }
    }
}

impl Watch {
    /// Whether the answer may go on; pending while that is being found out.
    fn poll_may_go_on(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.asking.is_none() && Instant::now() >= self.next {
            self.asking = Some(Box::pin(self.lease.clone().holds()));
        }
        let Some(asking) = &mut self.asking else { return Poll::Ready(true) };
        let holds = ready!(asking.as_mut().poll(cx));
        self.asking = None;
        self.timer = None;
        self.next = Instant::now() + self.lease.every();
        Poll::Ready(holds)
    }

    /// Ready when it is time to ask again.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let next = self.next;
        self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next))).as_mut().poll(cx)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(watch) = &mut self.watch
                && !ready!(watch.poll_may_go_on(cx))
            {
                return Poll::Ready(Some(Err(Ended.into())));
            }
            match self.source.poll(cx) {
                Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => {}
                Poll::Ready(frame) => return Poll::Ready(frame),
                Poll::Pending => {
                    let stopping =
                        self.stopping.as_mut().map(|stopping| stopping.as_mut().poll(cx));
                    if stopping.is_some_and(|stopping| stopping.is_ready()) {
                        return Poll::Ready(None);
                    }
                    let Some(watch) = &mut self.watch else { return Poll::Pending };
                    ready!(watch.poll_due(cx));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Upstream(body) => body.is_end_stream(),
            Source::Relay(relay) => relay.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Upstream(body) => body.size_hint(),
            Source::Relay(relay) => relay.hint(),
        }
    }
}
