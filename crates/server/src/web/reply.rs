//! Answers of our own: a whole body in memory, or one that is made while it is sent. What the upstream
//! answers is streamed, see [`crate::gate`].

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderName, Response, StatusCode};
use http_body_util::{Either, Full};
use serde::Serialize;

use crate::gate::forward::ResponseBody;

/// Room for the body of most answers, in bytes.
const USUAL_BODY: usize = 1024;
/// Room for the headers of most answers.
const USUAL_HEADERS: usize = 24;

/// What leaves the server: a whole answer, or a stream.
pub type Reply = Response<Either<Full<Bytes>, ResponseBody>>;

/// A JSON answer that no cache may keep.
pub fn json_reply(status: StatusCode, body: &impl Serialize) -> Reply {
    // Our own types always serialise; an empty body is the answer that claims nothing.
    let mut bytes = Vec::with_capacity(USUAL_BODY);
    if serde_json::to_writer(&mut bytes, body).is_err() {
        bytes.clear();
    }
    with_type(status, "application/json", bytes.into())
}

/// An HTML answer that no cache may keep.
pub fn html_reply(status: StatusCode, page: String) -> Reply {
    with_type(status, "text/html; charset=utf-8", page.into())
}

/// Plain text that no cache may keep.
pub fn text_reply(text: Vec<u8>) -> Reply {
    with_type(StatusCode::OK, "text/plain; charset=utf-8", text.into())
}

/// An answer that is made while it is sent, and that no cache may keep.
pub fn stream_reply(content_type: &'static str, body: ResponseBody) -> Reply {
    head(StatusCode::OK, content_type, Either::Right(body))
}

/// An answer without a body.
pub fn empty_reply(status: StatusCode) -> Reply {
    let mut reply = Response::new(Either::Left(Full::default()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// 302 to `location`, which has been checked already; 303 semantics for forms are the same here.
pub fn redirect_reply(status: StatusCode, location: &str) -> Reply {
    let mut reply = empty_reply(status);
    if let Ok(value) = HeaderValue::from_str(location) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

/// Sets a header whose value is ours and printable.
pub fn set_header(reply: &mut Reply, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}

fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Reply {
    head(status, content_type, Either::Left(Full::new(body)))
}

fn head(
    status: StatusCode,
    content_type: &'static str,
    body: Either<Full<Bytes>, ResponseBody>,
) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.reserve(USUAL_HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
