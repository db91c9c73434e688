//! Against real upstreams on loopback sockets: hyper's server, and bare sockets for bad manners.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::HeaderMap;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const QUICK: Limits = Limits {
    connect: Duration::from_secs(2),
    response_head: Duration::from_millis(500),
    upload_idle: Duration::from_millis(400),
};

type Answer = Response<http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>>;

/// Run a task beside the test.
#[expect(clippy::disallowed_methods, reason = "a test's tasks end with its runtime")]
fn beside(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

fn url(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}")).unwrap()
}

/// An upstream that answers by `handler`.
async fn upstream<F, W>(handler: F) -> Url
where
    F: Fn(Request<Incoming>) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    beside(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let handler = handler.clone();
            let service = service_fn(move |request| {
                let answer = handler(request);
                async { Ok::<_, std::convert::Infallible>(answer.await) }
            });
            beside(async move {
                let serve = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service);
                drop(serve.await);
            });
        }
    });
    url(address)
}

/// An upstream that treats each socket by `handler`.
async fn bare<F, W>(handler: F) -> Url
where
    F: Fn(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    beside(async move {
        while let Ok((socket, _)) = listener.accept().await {
            beside(handler(socket));
        }
    });
    url(address)
}

fn full(text: impl Into<Bytes>) -> http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError> {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri("/ignored");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn forwarder(limits: Limits) -> Forwarder {
    Forwarder::with_limits(limits).unwrap()
}

fn empty() -> Empty<Bytes> {
    Empty::new()
}

async fn text(answer: Response<ResponseBody>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

/// Echo what the upstream saw: request line, headers by name, body, trailers.
async fn echo(request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let mut seen = format!("{} {} {:?}\n", parts.method, parts.uri, parts.version);
    let mut headers: Vec<_> = parts.headers.iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        writeln!(seen, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().is_some_and(|trailers| !trailers.is_empty());
    write!(seen, "{:?} trailers: {trailers}", body.to_bytes()).unwrap();
    Response::new(full(seen))
}

#[tokio::test]
async fn the_upstream_sees_the_canonical_target_and_the_host_unchanged() {
    let upstream = upstream(echo).await;
    let gate = forwarder(Limits::default());
    let host = ("host", "app.example:8443");
    let seen = async |parts, path: &str, upstream: &Url| {
        text(gate.forward(parts, empty(), upstream, path).await.unwrap()).await
    };
    assert_eq!(
        seen(parts("GET", &[host, ("x-a", "1")]), "/a%2Bb?c=d", &upstream).await,
        "GET /a%2Bb?c=d HTTP/1.1\nhost: app.example:8443\nx-a: 1\nb\"\" trailers: false"
    );
    let based = upstream.join("/base/").unwrap();
    let answer = seen(parts("DELETE", &[host]), "/x", &based).await;
    assert!(answer.starts_with("DELETE /base/x HTTP/1.1\n"), "{answer}");
    // HTTP/2 names the host in its target.
    let mut h2 = parts("GET", &[]);
    h2.uri = "https://h2.example/other".parse().unwrap();
    h2.version = Version::HTTP_2;
    let answer = seen(h2, "/x", &upstream).await;
    assert_eq!(answer, "GET /x HTTP/1.1\nhost: h2.example\nb\"\" trailers: false");
    let upload = parts("POST", &[host, ("expect", "100-continue"), ("content-length", "0")]);
    let answer = seen(upload, "/x", &upstream).await;
    assert!(answer.contains("content-length: 0\n") && !answer.contains("expect"), "{answer}");
}

#[tokio::test]
async fn bodies_keep_their_framing_and_lose_their_trailers() {
    let upstream = upstream(echo).await;
    let gate = forwarder(Limits::default());
    let host = ("host", "a");
    let counted = gate
        .forward(parts("POST", &[host, ("content-length", "5")]), full("hello"), &upstream, "/")
        .await;
    assert_eq!(
        text(counted.unwrap()).await,
        "POST / HTTP/1.1\ncontent-length: 5\nhost: a\nb\"hello\" trailers: false"
    );
    let mut trailers = HeaderMap::new();
    trailers.insert("x-auth-user", "admin".parse().unwrap());
    let frames = [Frame::data("hel".into()), Frame::data("lo".into()), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, BoxError>)));
    let chunked = parts("POST", &[host, ("transfer-encoding", "chunked")]);
    let chunked = gate.forward(chunked, body, &upstream, "/").await.unwrap();
    assert_eq!(
        text(chunked).await,
        "POST / HTTP/1.1\nhost: a\ntransfer-encoding: chunked\nb\"hello\" trailers: false"
    );
}

#[tokio::test]
async fn answers_without_a_body_keep_their_length() {
    let table = [
        ("HEAD", 200, Some("12345"), Some("12345")),
        ("HEAD", 200, None, None),
        ("GET", 204, None, None),
        ("GET", 304, Some("12345"), Some("12345")),
        ("GET", 200, Some("0"), Some("0")),
    ];
    for (method, status, length, expected) in table {
        let upstream = bare(move |mut socket| async move {
            let mut head = [0; 1024];
            assert!(socket.read(&mut head).await.unwrap() > 0);
            let length =
                length.map_or(String::new(), |length| format!("content-length: {length}\r\n"));
            let answer = format!("HTTP/1.1 {status} X\r\n{length}\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
            assert_eq!(socket.read(&mut head).await.unwrap(), 0);
        })
        .await;
        let gate = forwarder(Limits::default());
        let answer = gate.forward(parts(method, &[("host", "a")]), empty(), &upstream, "/").await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), status);
        let sent = answer.headers().get("content-length").map(|value| value.to_str().unwrap());
        assert_eq!(sent, expected, "{method} {status}");
        assert_eq!(text(answer).await, "");
    }
}

#[tokio::test]
async fn each_failure_has_its_name() {
    let gate = forwarder(QUICK);
    let ask = async |upstream: &Url| {
        gate.forward(parts("GET", &[("host", "a")]), empty(), upstream, "/").await.err()
    };
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(matches!(ask(&url(nobody)).await, Some(ForwardError::Unreachable(_))));
    let mute = bare(async |mut socket| drop(socket.read_to_end(&mut Vec::new()).await)).await;
    assert!(matches!(ask(&mute).await, Some(ForwardError::Timeout)));
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Le", "SSH-2.0-x\r\n", "HTTP/1.1 101 X\r\n\r\n"] {
        let rude = bare(move |mut socket| async move {
            assert!(socket.read(&mut [0; 1024]).await.unwrap() > 0);
            socket.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        assert!(matches!(ask(&rude).await, Some(ForwardError::Broken(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a78_an_upstream_that_says_continue_for_ever_is_left() {
    let upstream = bare(async |mut socket| {
        assert!(socket.read(&mut [0; 1024]).await.unwrap() > 0);
        let flood = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
        while socket.write_all(&flood).await.is_ok() {}
    })
    .await;
    let gate = forwarder(QUICK);
    let asked = gate.forward(parts("GET", &[("host", "a")]), empty(), &upstream, "/");
    let answer = tokio::time::timeout(QUICK.response_head * 4, asked).await;
    assert!(matches!(answer, Ok(Err(ForwardError::Timeout))), "{answer:?}");
}

#[tokio::test]
async fn half_an_answer_is_an_error_in_its_body() {
    for head in
        ["content-length: 10\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"]
    {
        let upstream = bare(move |mut socket| async move {
            assert!(socket.read(&mut [0; 1024]).await.unwrap() > 0);
            let answer = format!("HTTP/1.1 200 OK\r\n{head}");
            socket.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let gate = forwarder(Limits::default());
        let answer = gate.forward(parts("GET", &[("host", "a")]), empty(), &upstream, "/").await;
        let mut body = answer.unwrap().into_body();
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "hello");
        assert!(body.frame().await.unwrap().is_err(), "{head}");
    }
}

#[tokio::test]
async fn a_stale_connection_is_replaced_for_safe_methods_only() {
    for (method, works) in [("GET", true), ("POST", false)] {
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        // The first connection is closed when its second request comes.
        let upstream = bare(move |mut socket| {
            let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                let mut head = [0; 1024];
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                assert!(socket.read(&mut head).await.unwrap() > 0);
                socket.write_all(answer).await.unwrap();
                if socket.read(&mut head).await.unwrap() > 0 && !is_first {
                    socket.write_all(answer).await.unwrap();
                }
            }
        })
        .await;
        let gate = forwarder(Limits::default());
        let ask =
            async || gate.forward(parts(method, &[("host", "a")]), empty(), &upstream, "/").await;
        assert_eq!(text(ask().await.unwrap()).await, "ok");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(ask().await.is_ok(), works, "{method}");
        assert_eq!(accepted.load(Ordering::SeqCst), if works { 2 } else { 1 });
    }
}

#[tokio::test]
async fn an_early_answer_comes_through_while_the_body_is_still_being_sent() {
    let upstream = upstream(async |request: Request<Incoming>| {
        // Answer at once; read on while the answer is out, as an upstream may.
        let (sender, answer) = tokio::sync::mpsc::channel::<Bytes>(1);
        beside(async move {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                if sender.send(frame.into_data().unwrap()).await.is_err() {
                    return;
                }
            }
        });
        let frames = futures_util::stream::unfold(answer, async |mut answer| {
            answer.recv().await.map(|data| (Ok::<_, BoxError>(Frame::data(data)), answer))
        });
        Response::new(StreamBody::new(frames).boxed_unsync())
    })
    .await;
    let (sender, pieces) = tokio::sync::mpsc::channel::<Bytes>(1);
    let body = StreamBody::new(futures_util::stream::unfold(pieces, async |mut pieces| {
        pieces.recv().await.map(|data| (Ok::<_, BoxError>(Frame::data(data)), pieces))
    }));
    let gate = forwarder(Limits::default());
    let answer = gate.forward(parts("POST", &[("host", "a")]), body, &upstream, "/").await.unwrap();
    let mut answer = answer.into_body();
    for piece in ["one", "two"] {
        sender.send(piece.into()).await.unwrap();
        assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), piece);
    }
    drop(sender);
    assert!(answer.frame().await.is_none());
}

#[tokio::test]
async fn a_refusal_comes_through_although_the_body_is_not_read() {
    let upstream = bare(async |mut socket| {
        assert!(socket.read(&mut [0; 64]).await.unwrap() > 0);
        let answer = b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig";
        socket.write_all(answer).await.unwrap();
        socket.shutdown().await.unwrap();
        drop(socket.read_to_end(&mut Vec::new()).await);
    })
    .await;
    let endless = futures_util::stream::repeat_with(|| Ok::<_, BoxError>(Frame::data(piece())));
    let gate = forwarder(Limits::default());
    let request = parts("POST", &[("host", "a")]);
    let answer = gate.forward(request, StreamBody::new(endless), &upstream, "/").await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(text(answer).await, "big");
}

const TOTAL: usize = 64 * 1024 * 1024;
const PIECE: usize = 64 * 1024;

/// What may be under way: both sockets' buffers (Linux grows them to some megabytes) and ours.
const UNDER_WAY: usize = 24 * 1024 * 1024;

fn piece() -> Bytes {
    static DATA: [u8; PIECE] = [7; PIECE];
    Bytes::from_static(&DATA)
}

/// A body of 64 MiB that counts what was taken from it.
fn large(taken: Arc<AtomicUsize>) -> impl Body<Data = Bytes, Error = BoxError> + Send + 'static {
    StreamBody::new(futures_util::stream::iter((0..TOTAL / PIECE).map(move |_| {
        taken.fetch_add(PIECE, Ordering::SeqCst);
        Ok(Frame::data(piece()))
    })))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_is_streamed_both_ways_within_bounded_memory() {
    let (up, down) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let sent = (Arc::clone(&up), Arc::clone(&down));
    let upstream = upstream(move |request: Request<Incoming>| {
        let (up, down) = (Arc::clone(&sent.0), Arc::clone(&sent.1));
        async move {
            // Not reading must hold the client back.
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(up.load(Ordering::SeqCst) < UNDER_WAY);
            let mut body = request.into_body();
            let mut read = 0;
            while let Some(frame) = body.frame().await {
                read += frame.unwrap().into_data().unwrap().len();
                assert!(up.load(Ordering::SeqCst) - read < UNDER_WAY);
            }
            assert_eq!(read, TOTAL);
            Response::new(large(down).boxed_unsync())
        }
    })
    .await;
    let gate = forwarder(Limits::default());
    let request = parts("POST", &[("host", "a")]);
    let answer = gate.forward(request, large(up), &upstream, "/").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut body = answer.into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        assert!(down.load(Ordering::SeqCst) - read < UNDER_WAY);
        read += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(read, TOTAL);
}

#[tokio::test]
async fn a78_a_client_that_stalls_or_breaks_off_its_body_is_told_apart() {
    let upstream = upstream(async |request: Request<Incoming>| {
        drop(request.into_body().collect().await);
        Response::new(full("done"))
    })
    .await;
    let gate = forwarder(Limits { response_head: Duration::from_secs(5), ..QUICK });
    let send = async |wait: Duration, last: Result<Frame<Bytes>, BoxError>| {
        let frames = futures_util::stream::unfold(Some(last), move |last| async move {
            tokio::time::sleep(wait).await;
            last.map(|last| (last, None))
        });
        let request = parts("POST", &[("host", "a"), ("content-length", "5")]);
        gate.forward(request, StreamBody::new(frames), &upstream, "/").await
    };
    let hello = || Ok(Frame::data(Bytes::from("hello")));
    let fine = send(Duration::from_millis(20), hello()).await;
    assert_eq!(text(fine.unwrap()).await, "done");
    let stalled = send(Duration::from_mins(1), hello()).await;
    assert!(matches!(stalled, Err(ForwardError::ClientStalled)), "{stalled:?}");
    let broken = send(Duration::ZERO, Err("gone".into())).await;
    assert!(matches!(broken, Err(ForwardError::ClientBroken(_))), "{broken:?}");
}

#[tokio::test]
async fn a_slow_upload_may_last_longer_than_the_wait_for_an_answer() {
    let upstream = upstream(echo).await;
    let gate = forwarder(QUICK);
    let frames = futures_util::stream::unfold(0, async |count| {
        tokio::time::sleep(QUICK.upload_idle / 2).await;
        (count < 4).then(|| (Ok::<_, BoxError>(Frame::data("x".into())), count + 1))
    });
    let request = parts("POST", &[("host", "a")]);
    let answer = gate.forward(request, StreamBody::new(frames), &upstream, "/").await;
    assert!(text(answer.unwrap()).await.contains("\"xxxx\""));
}

/// Sets its flag when the upstream's handler is dropped.
struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_the_upstream() {
    let cancelled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancelled);
    let upstream = upstream(move |_| {
        let guard = OnDrop(Arc::clone(&flag));
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Response::new(full(""))
        }
    })
    .await;
    let gate = forwarder(Limits::default());
    let request = gate.forward(parts("GET", &[("host", "a")]), empty(), &upstream, "/");
    assert!(tokio::time::timeout(Duration::from_millis(100), request).await.is_err());
    for _ in 0..100 {
        if cancelled.load(Ordering::SeqCst) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the upstream's handler is still at work");
}
