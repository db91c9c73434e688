//! An answer that is fetched from the upstream by a task of its own, for HTTP/2: a client that stops
//! reading there withholds its window, of which its socket shows nothing, and nobody asks for the
//! next piece any more. The task notices, and lets the upstream go. HTTP/1.1 has the limit of the
//! socket and needs none of this.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::BoxError;

/// The pieces of an answer as they come; at most one waits here.
pub(super) struct Relay {
    pieces: mpsc::Receiver<Piece>,
    hint: SizeHint,
    is_over: bool,
}

enum Piece {
    Data(Bytes),
    Failed(BoxError),
    /// The upstream has said all. A relay that ends without this was given up.
    End,
}

#[derive(Debug, thiserror::Error)]
#[error("the client took nothing of the answer in time")]
struct GivenUp;

impl Relay {
    /// The relay of a body, and the work that fills it, which gives up when a piece waits for
    /// longer than `limit`. Trailers are dropped.
    pub(super) fn new<B>(body: B, limit: Duration) -> (Self, impl Future<Output = ()> + Send)
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let (sender, pieces) = mpsc::channel(1);
        let hint = body.size_hint();
        (Self { pieces, hint, is_over: false }, fill(body, sender, limit))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.pieces.poll_recv(cx)) {
            Some(Piece::Data(data)) => Some(Ok(data)),
            Some(Piece::Failed(error)) => Some(Err(error)),
            Some(Piece::End) => {
                self.is_over = true;
                None
            }
            None => Some(Err(GivenUp.into())),
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What was known of the size before the first piece.
    pub(super) fn hint(&self) -> SizeHint {
        self.hint
    }
}

async fn fill<B>(mut body: B, sender: mpsc::Sender<Piece>, limit: Duration)
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    loop {
        let piece = tokio::select! {
            frame = body.frame() => piece(frame),
            () = sender.closed() => return,
        };
        let Some(piece) = piece else { continue };
        let is_last = !matches!(piece, Piece::Data(_));
        let sent = tokio::time::timeout(limit, sender.send(piece)).await;
        if is_last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// What a frame brings; `None` for trailers.
fn piece<E: Into<BoxError>>(frame: Option<Result<Frame<Bytes>, E>>) -> Option<Piece> {
    match frame {
        Some(Ok(frame)) => frame.into_data().ok().map(Piece::Data),
        Some(Err(error)) => Some(Piece::Failed(error.into())),
        None => Some(Piece::End),
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use super::*;
    use futures_util::stream;
    use http_body_util::StreamBody;

    const LIMIT: Duration = Duration::from_millis(200);

    /// So many pieces, which tell when they are dropped.
    fn pieces(
        count: usize,
        alive: Arc<()>,
    ) -> impl Body<Data = Bytes, Error = BoxError> + Send + Unpin {
        StreamBody::new(stream::iter((0..count).map(move |_| {
            drop(Arc::clone(&alive));
            Ok(Frame::data(Bytes::from_static(b"x")))
        })))
    }

    async fn next(relay: &mut Relay) -> Option<Result<Bytes, BoxError>> {
        poll_fn(|cx| relay.poll(cx)).await
    }

    #[tokio::test]
    async fn all_pieces_come_and_then_the_end() {
        let (mut relay, work) = Relay::new(pieces(100, Arc::default()), LIMIT);
        let reading = async {
            for _ in 0..100 {
                assert_eq!(next(&mut relay).await.unwrap().unwrap(), "x");
            }
            assert!(next(&mut relay).await.is_none() && relay.is_over());
        };
        tokio::join!(work, reading);
    }

    #[tokio::test]
    async fn a78_an_answer_that_nobody_takes_lets_its_upstream_go() {
        let alive = Arc::new(());
        let (mut relay, work) = Relay::new(pieces(100, Arc::clone(&alive)), LIMIT);
        tokio::time::timeout(LIMIT * 10, work).await.expect("held for ever");
        assert_eq!(Arc::strong_count(&alive), 1, "the upstream is held still");
        assert_eq!(next(&mut relay).await.unwrap().unwrap(), "x");
        assert!(next(&mut relay).await.unwrap().is_err(), "half an answer is no whole one");
    }

    #[tokio::test]
    async fn silence_of_the_upstream_is_no_stall_and_its_failure_is_told() {
        let slow = stream::unfold(0, async |count| {
            tokio::time::sleep(LIMIT * 2).await;
            let item: Result<_, BoxError> = match count {
                0 | 1 => Ok(Frame::data(Bytes::from_static(b"x"))),
                _ => Err("gone".into()),
            };
            Some((item, count + 1))
        });
        let body = StreamBody::new(Box::pin(slow));
        let (mut relay, work) = Relay::new(body, LIMIT);
        let reading = async {
            for _ in 0..2 {
                assert_eq!(next(&mut relay).await.unwrap().unwrap(), "x");
            }
            let failed: BoxError = next(&mut relay).await.unwrap().unwrap_err();
            assert_eq!(failed.to_string(), "gone");
        };
        tokio::join!(work, reading);
    }
}
