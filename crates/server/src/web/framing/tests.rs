//! Tables of what passes and what is refused, and the property that reads may be cut anywhere.

use std::collections::VecDeque;
use std::task::Waker;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A client whose bytes arrive in the given pieces, followed by the end of the file.
struct Pieces(VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.0.pop_front() {
            let rest = piece.split_off(piece.len().min(out.remaining()));
            out.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// How the stream ended for hyper.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Eof,
    BrokenBody,
    Refused,
}

/// Everything that hyper would read, through a buffer of `room` bytes.
fn read_all(pieces: Vec<Vec<u8>>, room: usize) -> (Vec<u8>, End) {
    let mut strict = Strict::new(Pieces(pieces.into()));
    let mut cx = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    let mut buffer = vec![0; room];
    let mut broken = false;
    loop {
        let mut out = ReadBuf::new(&mut buffer);
        match Pin::new(&mut strict).poll_read(&mut cx, &mut out) {
            Poll::Ready(Ok(())) if out.filled().is_empty() => return (all, End::Eof),
            Poll::Ready(Ok(())) => all.extend_from_slice(out.filled()),
            Poll::Ready(Err(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                broken = true;
            }
            Poll::Pending if broken => return (all, End::BrokenBody),
            Poll::Pending => return (all, End::Refused),
        }
    }
}

fn pieces(bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
    bytes.chunks(size).map(<[u8]>::to_vec).collect()
}

fn stand_in(fault: Fault) -> String {
    format!(
        "GET /-/malformed HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         x-portcullis-malformed: {}\r\n\r\n",
        fault.code()
    )
}

/// `bytes` pass unchanged, or (`before` of them and) the stand-in for `fault` comes out.
#[track_caller]
fn check(bytes: &str, expected: Result<(), (&str, Fault)>) {
    let (text, end) = match expected {
        Ok(()) => (bytes.to_owned(), End::Eof),
        Err((before, Fault::Chunk)) => (before.to_owned(), End::BrokenBody),
        Err((before, fault)) => (format!("{before}{}", stand_in(fault)), End::Refused),
    };
    for size in [1, 2, 3, 7, 64, usize::MAX] {
        let (out, out_end) = read_all(pieces(bytes.as_bytes(), size), 8192);
        assert_eq!(String::from_utf8_lossy(&out), text, "pieces of {size}: {bytes:?}");
        assert_eq!(out_end, end, "pieces of {size}: {bytes:?}");
    }
}

const SHORT: Limits =
    Limits { head: Duration::from_millis(40), silence: Duration::from_millis(40) };

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const CHUNKED: &str = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn valid_requests_pass_unchanged() {
    let valid = [
        GET.to_owned(),
        format!("{GET}{GET}{GET}"),
        format!("\r\n{GET}"),
        format!("{GET}\r\n{GET}"),
        "GET / HTTP/1.0\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t5 \r\n\r\nhelloGET / HTTP/1.1\r\nHost:a\r\n\r\n"
            .to_owned(),
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 7\r\n\r\na\nb\r\r\n\0".to_owned(),
        "GET /?q=%C3%A9&x={1|2}`^ HTTP/1.1\r\nHost: [::1]:80\r\nX-Empty:\r\n\r\n".to_owned(),
        "GET http://a/ HTTP/1.1\r\nHost: a\r\nX-Name: caf\u{e9}\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n".to_owned(),
        format!("{CHUNKED}0\r\n\r\n{GET}"),
        format!("{CHUNKED}5\r\nhello\r\n00A;x=\"y\"\r\n0123\r\n6789\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n{GET}"),
        "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:Chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(99)),
        // HTTP/2 passes unread, whatever it holds.
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\n\n\r  : \n\n".to_owned(),
    ];
    for bytes in valid {
        check(&bytes, Ok(()));
    }
}

#[test]
fn a76_heads_that_readers_could_understand_differently_are_refused() {
    let table: &[(&str, Fault)] = &[
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", Fault::BareLf),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", Fault::BareLf),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", Fault::BareLf),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Fault::BareLf),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", Fault::ObsFold),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Fault::ObsFold),
        ("GET / HTTP/1.1\r\nHost: a\r\n\tX: b\r\n\r\n", Fault::ObsFold),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Fault::SpaceBeforeColon),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length\t: 5\r\n\r\n", Fault::SpaceBeforeColon),
        ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", Fault::HeaderName),
        ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", Fault::HeaderName),
        ("GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n", Fault::HeaderName),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", Fault::HeaderName),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\u{e9}: b\r\n\r\n", Fault::HeaderName),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", Fault::HeaderValue),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", Fault::HeaderValue),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n", Fault::HeaderValue),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{7f}\r\n\r\n", Fault::HeaderValue),
        ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", Fault::RequestLine),
        ("GET / b HTTP/1.1\r\nHost: a\r\n\r\n", Fault::RequestLine),
        ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Fault::RequestLine),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", Fault::RequestLine),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Fault::RequestLine),
        ("GET /\r\nHost: a\r\n\r\n", Fault::RequestLine),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Fault::RequestLine),
        ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Fault::Target),
        ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", Fault::Target),
        ("GET /?\"x\" HTTP/1.1\r\nHost: a\r\n\r\n", Fault::Target),
        ("GET /`x HTTP/1.1\r\nHost: a\r\n\r\n", Fault::Target),
        ("GET /a\0 HTTP/1.1\r\nHost: a\r\n\r\n", Fault::Target),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", Fault::Version),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", Fault::Version),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\rx", Fault::Version),
        ("GET / HTTP/1.1\r\n\r\n", Fault::NoHost),
        ("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", Fault::SeveralHosts),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Fault::SeveralHosts),
    ];
    for (bytes, fault) in table {
        refused(bytes, *fault);
    }
    refused(
        &format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(100)),
        Fault::TooManyHeaders,
    );
}

/// The head is replaced, also behind another request, and nothing after it passes.
#[track_caller]
fn refused(bytes: &str, fault: Fault) {
    let fresh = if bytes.starts_with("\r\n") { "\r\n" } else { "" };
    check(bytes, Err((fresh, fault)));
    check(&format!("{GET}{bytes}"), Err((&format!("{GET}{fresh}"), fault)));
    check(&format!("{bytes}{GET}"), Err((fresh, fault)));
}

#[test]
fn a76_doubtful_lengths_are_refused() {
    let table: &[(&str, Fault)] = &[
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", Fault::TeAndCl),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0", Fault::TeAndCl),
        ("transfer-encoding: chunked\r\ncontent-length: 5", Fault::TeAndCl),
        ("Content-Length: 5\r\nContent-Length: 5", Fault::SeveralContentLengths),
        ("Content-Length: 5\r\ncontent-length: 6", Fault::SeveralContentLengths),
        ("Content-Length: 5, 5", Fault::SeveralContentLengths),
        ("Content-Length: +5", Fault::ContentLength),
        ("Content-Length: -5", Fault::ContentLength),
        ("Content-Length: 0x5", Fault::ContentLength),
        ("Content-Length: 5 5", Fault::ContentLength),
        ("Content-Length:", Fault::ContentLength),
        ("Content-Length: 99999999999999999999", Fault::ContentLength),
        ("Transfer-Encoding: xchunked", Fault::TransferEncoding),
        ("Transfer-Encoding: chunked, chunked", Fault::TransferEncoding),
        ("Transfer-Encoding: gzip, chunked", Fault::TransferEncoding),
        ("Transfer-Encoding: identity", Fault::TransferEncoding),
        ("Transfer-Encoding: \"chunked\"", Fault::TransferEncoding),
        ("Transfer-Encoding: \u{b}chunked", Fault::HeaderValue),
        ("Transfer-Encoding:", Fault::TransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Fault::TransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", Fault::TransferEncoding),
        ("Transfer_Encoding: x\r\nTransfer-Encoding : chunked", Fault::SpaceBeforeColon),
    ];
    for (lines, fault) in table {
        refused(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n0\r\n\r\n"), *fault);
    }
    refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Fault::TeInHttp10);
}

#[test]
fn a76_broken_chunks_end_the_connection() {
    // What passes before the break, and the break.
    let table = [
        ("", "\r\n0\r\n\r\n"),
        ("", "x\r\n"),
        ("", " 5\r\nhello\r\n"),
        ("", "-1\r\n"),
        ("0", "x5\r\nhello\r\n"),
        ("5", " \r\nhello\r\n"),
        ("5", "\nhello\r\n"),
        ("5\r", "hello\r\n"),
        ("5;a=b", "\nhello\r\n"),
        ("5;a\r", "\rhello"),
        ("5\r\nhello", "\n0\r\n\r\n"),
        ("5\r\nhello", "world"),
        ("5\r\nhello\r", "0"),
        ("000000000000000", "0\r\n"),
        ("0\r\n", " X: folded\r\n\r\n"),
        ("0\r\n", ": no name\r\n\r\n"),
        ("0\r\nX", " : y\r\n\r\n"),
        ("0\r\nX: y", "\n\r\n"),
        ("0\r\nX: y", "\0\r\n\r\n"),
        ("0\r\nX: y\r", "z\r\n\r\n"),
        ("0\r\n\r", "x"),
    ];
    for (before, after) in table {
        let before = format!("{CHUNKED}{before}");
        check(&format!("{before}{after}{GET}"), Err((&before, Fault::Chunk)));
    }
    let long = format!("{CHUNKED}5;{}", "x".repeat(256));
    check(&format!("{long}x\r\nhello\r\n"), Err((&long, Fault::Chunk)));
    let long = format!("{CHUNKED}0\r\nX:{}", "x".repeat(16 * 1024 - 2));
    check(&format!("{long}x\r\n\r\n"), Err((&long, Fault::Chunk)));
}

#[test]
fn a78_a_long_head_is_refused_and_not_kept() {
    let most = 16 * 1024 - "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
    check(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(most)), Ok(()));
    refused(
        &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(most + 1)),
        Fault::HeadTooLarge,
    );
    check(&format!("GET /{}", "x".repeat(20_000)), Err(("", Fault::HeadTooLarge)));
    check(
        &format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(9000)),
        Err(("", Fault::HeadTooLarge)),
    );
    // An unfinished head at the end of the file never reaches hyper.
    assert_eq!(read_all(pieces(b"GET / HTTP/1.1\r\nHost", 3), 100), (Vec::new(), End::Eof));
}

#[tokio::test]
async fn a78_a_slow_head_is_refused_and_a_slow_body_is_not() {
    let (mut client, server) = tokio::io::duplex(1024);
    let mut strict = Strict::with_limits(server, SHORT);
    let mut buffer = vec![0; 1024];
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(strict.read(&mut buffer).await.unwrap(), head.len());
    for _ in 0..2 {
        let read = tokio::time::timeout(2 * SHORT.head, strict.read(&mut buffer)).await;
        assert!(read.is_err(), "a wait for a body or for the next head is not ours to end");
        client.write_all(b"x").await.unwrap();
        assert_eq!(strict.read(&mut buffer).await.unwrap(), 1);
    }
    client.write_all(b"GET / HT").await.unwrap();
    let length = strict.read(&mut buffer).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&buffer[..length]), stand_in(Fault::HeadTimeout));
}

#[tokio::test]
async fn a78_a_head_that_comes_byte_by_byte_gets_no_more_time() {
    let (mut client, server) = tokio::io::duplex(1024);
    let mut strict = Strict::with_limits(server, SHORT);
    let mut buffer = vec![0; 1024];
    let dribble = async {
        for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" {
            if client.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(SHORT.head / 4).await;
        }
    };
    let refused = async {
        let length = strict.read(&mut buffer).await.unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    tokio::select! {
        () = dribble => panic!("every byte was waited for"),
        text = refused => assert_eq!(text, stand_in(Fault::HeadTimeout)),
    }
}

#[tokio::test]
async fn a78_a_silent_connection_is_closed() {
    let (_client, server) = tokio::io::duplex(1024);
    let read = Strict::with_limits(server, SHORT).read(&mut [0; 16]).await;
    assert_eq!(read.unwrap(), 0, "closed without an answer, because nothing was asked");
}

#[tokio::test]
async fn an_upgraded_connection_passes_unread() {
    let (mut client, server) = tokio::io::duplex(1024);
    let mut strict = Strict::new(server);
    let handle = strict.pass_through();
    let mut buffer = vec![0; 1024];
    client.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(strict.read(&mut buffer).await.unwrap(), GET.len());
    handle.begin();
    client.write_all(b"\x81\x05hello\n\n").await.unwrap();
    let length = strict.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..length], b"\x81\x05hello\n\n");
    strict.write_all(b"\x81\x00").await.unwrap();
    assert_eq!(client.read(&mut buffer).await.unwrap(), 2);
}

#[tokio::test]
async fn hyper_answers_the_stand_in_and_closes() {
    let (mut client, server) = tokio::io::duplex(4096);
    let service =
        hyper::service::service_fn(async |request: http::Request<hyper::body::Incoming>| {
            // A handler that has to wait, as a real one does.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let word = request.headers().get(MALFORMED_HEADER);
            let text = word.map_or("fine", |word| word.to_str().unwrap()).to_owned();
            Ok::<_, std::convert::Infallible>(http::Response::new(text))
        });
    let io = hyper_util::rt::TokioIo::new(Strict::new(server));
    let serve = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
    let talk = async move {
        let bad = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n";
        client.write_all(format!("{GET}{bad}hello{GET}").as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let (served, answer) = tokio::join!(serve, talk);
    served.unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    assert!(answer.contains("fine") && answer.ends_with("several_content_lengths"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

/// Bytes that are near enough to HTTP/1 to reach every state.
fn near_http() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&str] = &[
        GET,
        CHUNKED,
        "\r\n",
        "\n",
        "\r",
        "\0",
        "0",
        "5",
        "hello",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        ";",
        ":",
        " ",
        "PRI * HTTP/2.0\r\n\r\n",
        "SM\r\n\r\n",
        "GET / HTTP/1.1\r\n",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "abc",
        "X: y\r\n",
        "\u{e9}",
    ];
    let word = prop_oneof![
        8 => proptest::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..5),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

/// Requests that must pass, each whole.
fn valid() -> impl Strategy<Value = Vec<u8>> {
    let body = proptest::collection::vec(any::<u8>(), 0..40);
    let counted = body.prop_map(|body| {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), &body].concat()
    });
    let chunk = proptest::collection::vec(any::<u8>(), 1..40);
    let chunked = proptest::collection::vec(chunk, 0..4).prop_map(|chunks| {
        let mut bytes = CHUNKED.as_bytes().to_vec();
        for chunk in chunks {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(&chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    });
    let request = prop_oneof![Just(GET.as_bytes().to_vec()), counted, chunked];
    proptest::collection::vec(request, 0..5).prop_map(|requests| requests.concat())
}

fn cut(bytes: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle().take(bytes.len()) {
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        rest = after;
        if !piece.is_empty() {
            pieces.push(piece.to_vec());
        }
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_cut_of_the_stream_gives_the_same_output(
        bytes in near_http(),
        sizes in proptest::collection::vec(1_usize..20, 1..8),
        room in 1_usize..100,
    ) {
        let whole = read_all(cut(&bytes, &[usize::MAX]), 1 << 20);
        prop_assert_eq!(read_all(cut(&bytes, &sizes), room), whole);
    }

    #[test]
    fn valid_requests_pass_unchanged_however_cut(
        bytes in valid(),
        sizes in proptest::collection::vec(1_usize..20, 1..8),
        room in 1_usize..100,
    ) {
        prop_assert_eq!(read_all(cut(&bytes, &sizes), room), (bytes, End::Eof));
    }
}
