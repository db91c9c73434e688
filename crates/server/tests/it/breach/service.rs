//! A range service as the real one answers: CRLF, an `ETag`, padding with the count 0 where it is asked for; and
//! in every way in which it can be wrong.

use std::collections::BTreeMap;
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

use crate::harness::client::Client;
use crate::harness::spawn;

/// Lines of passwords that nobody has, in every answer.
pub(super) const OTHERS: u64 = 12;
/// Lines of padding, in an answer that is to have some. The real service adds 10 to 209.
pub(super) const PADDING: u64 = 12;

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
    passwords: Arc<BTreeMap<Sha1, u64>>,
    manner: Arc<Mutex<Manner>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Service {
    /// One that knows these passwords.
    pub(super) async fn start(passwords: &[(&str, u64)]) -> Self {
        let hashed = |(password, count): &(&str, u64)| (Sha1::of(password.as_bytes()), *count);
        Self::of(passwords.iter().map(hashed)).await
    }

    /// One that knows the passwords with these hashes.
    pub(super) async fn of(passwords: impl Iterator<Item = (Sha1, u64)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Self {
            address: listener.local_addr().unwrap(),
            passwords: Arc::new(passwords.collect()),
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

    pub(super) fn client(&self) -> Client {
        Client::new(self.address)
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
        let answer = Response::builder().header("content-type", "text/plain");
        let Some(prefix) = asked.path.strip_prefix("/range/").and_then(Prefix::parse) else {
            let text = "The hash prefix was not in a valid format";
            return Ok(answer.status(400).body(Full::from(text).boxed()).unwrap());
        };
        let padding = if asked.padding.as_deref() == Some("true") { PADDING } else { 0 };
        let (text, etag) = (self.text(prefix, padding), self.etag(prefix));
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
        let answer = answer
            .header("etag", etag)
            .header("last-modified", "Thu, 20 Nov 2025 10:11:12 GMT")
            .header("cache-control", "public, max-age=2678400");
        Ok(answer.body(Full::from(text).boxed()).unwrap())
    }

    /// Those that have a prefix, among others that nobody knows, and so many lines of padding: in order, and
    /// no line end behind the last.
    fn text(&self, prefix: Prefix, padding: u64) -> String {
        let known = self.known(prefix).map(|(hash, count)| (hash.suffix(), *count));
        let made_up = (0..OTHERS + padding).map(|number| {
            // Other ones for other prefixes; no password has such a hash.
            let start = (number << 5) ^ u64::from(prefix.number() % 31);
            (
                format!("{start:03X}{}", "5".repeat(32)),
                if number < OTHERS { number + 30 } else { 0 },
            )
        });
        let mut lines: Vec<String> =
            known.chain(made_up).map(|(suffix, count)| format!("{suffix}:{count}")).collect();
        lines.sort();
        lines.join("\r\n")
    }

    /// Of what is known, whatever the padding.
    fn etag(&self, prefix: Prefix) -> String {
        let known: u64 = self.known(prefix).map(|(_, count)| *count).sum();
        format!("W/\"{}-{known}\"", prefix.digits())
    }

    fn known(&self, prefix: Prefix) -> impl Iterator<Item = (&Sha1, &u64)> {
        let below = |digit: &str| {
            let digits = prefix.digits() + &digit.repeat(35);
            Sha1::parse(digits.as_bytes()).unwrap()
        };
        self.passwords.range(below("0")..=below("F"))
    }
}
