//! A range service as the real one answers: CRLF, padding with the count 0, an `ETag`; and in every way in which
//! it can be wrong.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use portcullis_breach::{Prefix, Sha1};
use tokio::net::TcpListener;

use crate::harness::spawn;

/// How it answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    Honest,
    Silent,
    Status(u16),
    /// As a hotspot does before one has signed in to it.
    Html,
    Empty,
    /// Each suffix has a digit less than it should.
    Short,
    /// As for the other kind of hash.
    Ntlm,
    Endless,
    /// It breaks off in the middle of a line.
    CutOff,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) padding: Option<String>,
    pub(super) etag: Option<String>,
    pub(super) agent: Option<String>,
}

#[derive(Clone)]
pub(super) struct Service {
    address: SocketAddr,
    passwords: Arc<Vec<(Sha1, u64)>>,
    manner: Arc<Mutex<Manner>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Service {
    /// One that knows these passwords.
    pub(super) async fn start(passwords: &[(&str, u64)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hashed = |(password, count): &(&str, u64)| (Sha1::of(password.as_bytes()), *count);
        let service = Self {
            address: listener.local_addr().unwrap(),
            passwords: Arc::new(passwords.iter().map(hashed).collect()),
            manner: Arc::new(Mutex::new(Manner::Honest)),
            asked: Arc::default(),
        };
        let serving = service.clone();
        spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let serving = serving.clone();
                spawn(async move {
                    let service = service_fn(|request| serving.answer(request));
                    let served = hyper::server::conn::http1::Builder::new();
                    drop(served.serve_connection(TokioIo::new(socket), service).await);
                });
            }
        });
        service
    }

    /// The configuration of a server that asks it and these before it, and at no sign-in.
    pub(super) fn config(&self, sources: &str) -> String {
        format!("{}at_sign_in = \"off\"\n", self.config_with_sign_in(sources))
    }

    /// The same, and what is done at a sign-in is left open.
    pub(super) fn config_with_sign_in(&self, sources: &str) -> String {
        let address = self.address;
        format!("[breach]\nsources = [{sources}]\nrange_url = \"http://{address}/range/\"\n")
    }

    pub(super) fn is(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// What it has been asked so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
        let header = |name: &str| {
            request.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        let asked = Asked {
            path: request.uri().path().to_owned(),
            padding: header("add-padding"),
            etag: header("if-none-match"),
            agent: header("user-agent"),
        };
        self.asked.lock().unwrap().push(asked.clone());
        let prefix = asked.path.strip_prefix("/range/").and_then(Prefix::parse).unwrap();
        let text = self.text(prefix);
        let etag = format!("\"{}\"", prefix.digits());
        let answer = Response::builder().header("content-type", "text/plain");
        let manner = *self.manner.lock().unwrap();
        let text = match manner {
            Manner::Honest if asked.etag.as_ref() == Some(&etag) => {
                let unchanged = answer.status(StatusCode::NOT_MODIFIED);
                return Ok(unchanged.body(Full::default().boxed()).unwrap());
            }
            Manner::Honest => text,
            Manner::Silent => std::future::pending().await,
            Manner::Status(status) => {
                return Ok(answer.status(status).body(Full::from(text).boxed()).unwrap());
            }
            Manner::Html => "<!doctype html>\r\n<title>Sign in</title>\r\n".to_owned(),
            Manner::Empty => String::new(),
            Manner::Short => text.lines().map(|line| line[1..].to_owned() + "\r\n").collect(),
            Manner::Ntlm => text.lines().map(|line| line[8..].to_owned() + "\r\n").collect(),
            Manner::CutOff => text[..text.len() - 10].to_owned(),
            Manner::Endless => {
                let line = Bytes::from(text.lines().next().unwrap().to_owned() + "\r\n");
                let lines = stream::repeat_with(move || Ok(Frame::data(line.clone())));
                return Ok(answer.body(BodyExt::boxed(StreamBody::new(lines))).unwrap());
            }
        };
        let answer =
            answer.header("etag", etag).header("last-modified", "Thu, 20 Nov 2025 10:11:12 GMT");
        Ok(answer.body(Full::from(text).boxed()).unwrap())
    }

    /// Those that have a prefix, among others that nobody knows, and padding.
    fn text(&self, prefix: Prefix) -> String {
        let mut lines: Vec<String> = self
            .passwords
            .iter()
            .filter(|(hash, _)| hash.prefix() == prefix)
            .map(|(hash, count)| format!("{}:{count}", hash.suffix()))
            .collect();
        for number in 0..60 {
            let suffix = Sha1::of(format!("{}{number}", prefix.digits()).as_bytes()).suffix();
            lines.push(format!("{suffix}:{}", if number < 30 { 0 } else { number }));
        }
        lines.sort();
        lines.join("\r\n")
    }
}
