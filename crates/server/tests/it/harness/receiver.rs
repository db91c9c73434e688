//! A receiver of webhooks: keeps what arrives, checks that it is signed, and can refuse, be slow, lead
//! elsewhere, die and come back at the same address.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::spawn;

/// What messages to it are signed with.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One message as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: Value,
    /// Whether it was taken.
    pub(crate) status: u16,
}

/// How it answers.
#[derive(Clone, Debug)]
struct Manner {
    status: u16,
    delay: Duration,
    location: Option<String>,
}

/// The receiver.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
    manner: Arc<Mutex<Manner>>,
    alive: Arc<Mutex<CancellationToken>>,
}

impl Receiver {
    /// Starts it on a free port. It takes everything.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let manner = Manner { status: 204, delay: Duration::ZERO, location: None };
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            messages: Arc::default(),
            manner: Arc::new(Mutex::new(manner)),
            alive: Arc::default(),
        };
        receiver.serve(listener);
        receiver
    }

    /// The configuration of a server that sends to it, under a name.
    pub(crate) fn config(&self, name: &str, more: &str) -> String {
        let address = self.address;
        format!(
            "[[audit.webhook]]\nname = \"{name}\"\nurl = \"http://{address}/hook?x=1\"\n\
             secret = \"{SECRET}\"\n{more}\n"
        )
    }

    /// What has arrived so far, taken or not.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// The events of the messages that were taken; one that came twice counts once.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut taken: Vec<Message> = Vec::new();
        for message in self.messages().into_iter().filter(|it| it.status < 300) {
            if taken.iter().all(|known| known.id != message.id) {
                taken.push(message);
            }
        }
        let events = |message: &Message| message.body["data"]["events"].as_array().unwrap().clone();
        taken.iter().flat_map(events).collect()
    }

    /// Waits until an event has come for which this is true.
    pub(crate) async fn has(&self, what: &str, is_it: impl Fn(&Value) -> bool) {
        self.until(what, |receiver| receiver.events().iter().any(&is_it)).await;
    }

    /// Waits until this is true of it, for up to half a minute.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..1_200 {
            if is_so(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{what}: {:?}", self.messages());
    }

    /// From now on it answers with this status.
    pub(crate) fn answers(&self, status: u16) {
        self.manner.lock().unwrap().status = status;
    }

    /// From now on it takes its time.
    pub(crate) fn takes(&self, delay: Duration) {
        self.manner.lock().unwrap().delay = delay;
    }

    /// From now on it says that the message belongs elsewhere.
    pub(crate) fn leads_to(&self, location: &str) {
        let mut manner = self.manner.lock().unwrap();
        manner.status = 307;
        manner.location = Some(location.to_owned());
    }

    /// Nobody is there any more, and connections that were open break.
    pub(crate) fn die(&self) {
        self.alive.lock().unwrap().cancel();
    }

    /// It is back at its address.
    pub(crate) async fn come_back(&self) {
        *self.alive.lock().unwrap() = CancellationToken::new();
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        self.serve(listener);
    }

    fn serve(&self, listener: TcpListener) {
        let (receiver, alive) = (self.clone(), self.alive.lock().unwrap().clone());
        spawn(async move {
            while let Some(Ok((socket, _))) = alive.run_until_cancelled(listener.accept()).await {
                let (receiver, alive) = (receiver.clone(), alive.clone());
                spawn(async move {
                    let service = service_fn(|request| receiver.answer(request));
                    let served = hyper::server::conn::http1::Builder::new();
                    let served = served.serve_connection(TokioIo::new(socket), service);
                    drop(alive.run_until_cancelled(served).await);
                });
            }
        });
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return Ok(Response::default()) };
        let body = body.to_bytes();
        let header = |name: &str| parts.headers[name].to_str().unwrap().to_owned();
        let id = header("webhook-id");
        assert!(!id.contains('.'), "{id}");
        verify(&id, &header("webhook-timestamp"), &header("webhook-signature"), &body);
        assert_eq!(header("content-type"), "application/json");
        let manner = self.manner.lock().unwrap().clone();
        tokio::time::sleep(manner.delay).await;
        let message =
            Message { id, body: serde_json::from_slice(&body).unwrap(), status: manner.status };
        self.messages.lock().unwrap().push(message);
        let mut answer = Response::builder().status(manner.status);
        if let Some(location) = manner.location {
            answer = answer.header("location", location);
        }
        Ok(answer.body(Full::from("a sentence that nobody repeats")).unwrap())
    }
}

/// As the libraries of the specification do it.
fn verify(id: &str, timestamp: &str, signature: &str, body: &[u8]) {
    let secret = BASE64_STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let tag = BASE64_STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
    hmac::verify(&key, &signed, &tag).expect("the signature is not good");
}
