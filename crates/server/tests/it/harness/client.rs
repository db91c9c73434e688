//! A client over a real socket: one connection a request, a cookie jar that browsers would
//! recognise, and nothing sent that the test did not ask for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::spawn;

/// Somebody who sends requests. Clones share the cookie jar.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    jar: Arc<Mutex<BTreeMap<String, String>>>,
    headers: Vec<(&'static str, String)>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A request being put together.
pub(crate) struct Sending<'c> {
    client: &'c Client,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Client {
    /// Without cookies and credentials.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, jar: Arc::default(), headers: Vec::new() }
    }

    /// The same client, sending this bearer token with every request. It shares the jar.
    pub(crate) fn bearer(&self, token: &str) -> Self {
        let mut client = self.clone();
        client.headers.push(("authorization", format!("Bearer {token}")));
        client
    }

    /// A program at the same server that sends this API key with every request, and nothing else.
    pub(crate) fn key(&self, key: &str) -> Self {
        let headers = vec![("x-api-key", key.to_owned())];
        Self { address: self.address, jar: Arc::default(), headers }
    }

    /// The same with HTTP Basic, as servers send it that know OAuth and nothing else.
    pub(crate) fn basic(&self, name: &str, password: &str) -> Self {
        let pair = STANDARD.encode(format!("{name}:{password}"));
        let headers = vec![("authorization", format!("Basic {pair}"))];
        Self { address: self.address, jar: Arc::default(), headers }
    }

    /// The same client, which names this host in every request. It shares the jar.
    pub(crate) fn naming(&self, host: &str) -> Self {
        let mut client = self.clone();
        client.headers.push(("host", host.to_owned()));
        client
    }

    /// The same person at another server, such as a second node.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    pub(crate) fn get(&self, path: &str) -> Sending<'_> {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Sending<'_> {
        self.request(Method::POST, path)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Sending<'_> {
        let headers =
            self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Sending { client: self, method, path: path.to_owned(), headers, body: Bytes::new() }
    }

    /// The value of a cookie in the jar.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.jar.lock().unwrap().get(name).cloned()
    }

    /// Puts a cookie into the jar.
    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.jar.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    /// `GET /api/security/csrf-token` as whoever this client is.
    pub(crate) async fn fetch_csrf(&self) -> String {
        let answer = self.get("/api/security/csrf-token").send().await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()["data"]["token"].as_str().unwrap().to_owned()
    }

    /// Sends a body with a good token, as whoever this client is.
    pub(crate) async fn act(&self, method: Method, path: &str, body: &Value) -> Answer {
        let token = self.fetch_csrf().await;
        self.request(method, path).header("x-csrf-token", &token).json(body).send().await
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        let mut jar = self.jar.lock().unwrap();
        for line in headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let is_forgotten = line.contains("Max-Age=0");
            if is_forgotten {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn cookie_line(&self) -> Option<String> {
        let jar = self.jar.lock().unwrap();
        let pairs: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl Sending<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// As a browser's script on our own page would send it.
    #[expect(clippy::wrong_self_convention, reason = "says where it is sent from")]
    pub(crate) fn from_own_page(self) -> Self {
        self.header("sec-fetch-site", "same-origin").header("sec-fetch-mode", "cors")
    }

    /// Sends it and reads the answer whole. A `host` header of the test's own replaces the usual.
    pub(crate) async fn send(self) -> Answer {
        let (parts, body) = self.stream().await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The same, where the server may be gone before it has answered.
    pub(crate) async fn try_send(self) -> Option<Answer> {
        let (parts, body) = self.try_stream().await?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: parts.status, headers: parts.headers, body })
    }

    /// The same, with a body that is still to come.
    pub(crate) async fn stream(self) -> Response<Incoming> {
        self.try_stream().await.expect("the server does not answer")
    }

    #[expect(clippy::disallowed_methods, reason = "a client of the tests, not of the product")]
    async fn try_stream(self) -> Option<Response<Incoming>> {
        let mut request = Request::builder().method(self.method).uri(self.path.as_str());
        let has_host = self.headers.iter().any(|(name, _)| name == "host");
        if !has_host {
            request = request.header("host", self.client.address.to_string());
        }
        let has_cookie = self.headers.iter().any(|(name, _)| name == "cookie");
        if let Some(line) = self.client.cookie_line().filter(|_| !has_cookie) {
            request = request.header("cookie", line);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body)).unwrap();
        let socket = TcpStream::connect(self.client.address).await.ok()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.ok()?;
        spawn(async move { drop(connection.with_upgrades().await) });
        let response = sender.send_request(request).await.ok()?;
        self.client.keep_cookies(response.headers());
        Some(response)
    }
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    /// A header's value; panics if it came more than once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} came twice: {self:?}");
        value
    }

    /// The `Set-Cookie` line of a cookie.
    pub(crate) fn set_cookie(&self, name: &str) -> Option<String> {
        let lines = self.headers.get_all("set-cookie").iter();
        let mut lines = lines.map(|line| line.to_str().unwrap().to_owned());
        lines.find(|line| line.starts_with(&format!("{name}=")))
    }

    /// Status and reason code, for tables.
    pub(crate) fn verdict(&self) -> String {
        let code = serde_json::from_slice::<Value>(&self.body)
            .ok()
            .and_then(|body| body["code"].as_str().map(ToOwned::to_owned));
        match code {
            Some(code) => format!("{} {code}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        }
    }
}

/// The status of the question who is signed in.
pub(crate) async fn me(client: &Client) -> u16 {
    client.get("/api/auth/me").send().await.status.as_u16()
}

/// Status, headers and body of an answer, without what differs from request to request.
pub(crate) fn masked(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    masked_but(answer, |_, value| value.to_owned())
}

/// The same, with the values of headers as `shown` has them.
pub(crate) fn masked_but(
    answer: &Answer,
    shown: impl Fn(&str, &str) -> String,
) -> (u16, Vec<(String, String)>, String) {
    let id = answer.header("x-request-id").unwrap().to_owned();
    let body = answer.text().replace(&id, "ID");
    let is_own = |name: &str| matches!(name, "x-request-id" | "date" | "x-ratelimit-reset");
    let headers = answer.headers.iter().filter(|(name, _)| !is_own(name.as_str()));
    let headers = headers.map(|(name, value)| {
        (name.as_str().to_owned(), shown(name.as_str(), value.to_str().unwrap()))
    });
    (answer.status.as_u16(), headers.collect(), body)
}

/// Sends the form of a page with the token that stands in it.
pub(crate) async fn send_form(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let page = client.get(path).header("accept", "text/html").send().await;
    assert_eq!(page.status, 200, "{path}: {page:?}");
    let text = page.text();
    let (_, rest) = text.rsplit_once("name=\"csrf_token\" value=\"").unwrap();
    let token = rest.split_once('"').unwrap().0;
    let fields: Vec<_> = [("csrf_token", token)].iter().chain(fields).copied().collect();
    let action = path.split('?').next().unwrap();
    client.post(action).header("sec-fetch-site", "same-origin").form(&fields).send().await
}
