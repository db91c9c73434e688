//! A request that may pass, on its way to the upstream and back. Decides nothing about who may; says
//! what the answer loses on its way, how long it may last, and what a failure is called.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Version};
use url::Url;

use super::body_token::Replay;
use super::forward::{ForwardError, ResponseBody, Upgraded};
use super::headers;
use super::lease::Lease;
use super::tunnel;
use super::upgrade::{self, Handshake};
use crate::app::App;
use crate::web::error::Error;
use crate::web::request::Facts;

/// A request as the upstream shall see it.
pub(super) struct Passage<'a> {
    pub(super) facts: &'a Arc<Facts>,
    pub(super) upstream: &'a Url,
    pub(super) parts: Parts,
    /// `None` where nobody is signed in.
    pub(super) lease: Option<Lease>,
}

impl Passage<'_> {
    /// Passes the request on and its answer back.
    pub(super) async fn pass(
        self,
        app: &App,
        body: Replay,
    ) -> Result<Response<ResponseBody>, Error> {
        let Self { facts, upstream, mut parts, lease } = self;
        let target = facts.target.to_string();
        let version = parts.version;
        let span = app.telemetry.spans.upstream(&mut parts.headers);
        let call = span.around(app.forwarder.forward(parts, body, upstream, &target));
        let answer = app.telemetry.upstream(call, |error| failed(facts, error)).await?;
        let answer = bounded(app, stripped(app, facts, answer), lease);
        let is_multiplexed = version == Version::HTTP_2;
        Ok(answer.map(
            |body| {
                if is_multiplexed { body.relayed(|work| app.spawn(work)) } else { body }
            },
        ))
    }

    /// Passes a WebSocket's handshake on. If the upstream agrees, the connection is a tunnel from
    /// then on.
    pub(super) async fn shake_hands(
        self,
        app: &App,
        handshake: Handshake,
    ) -> Result<Response<ResponseBody>, Error> {
        let Self { facts, upstream, mut parts, lease } = self;
        upgrade::set_upgrade(&mut parts.headers);
        let target = facts.target.to_string();
        let span = app.telemetry.spans.upstream(&mut parts.headers);
        let call = span.around(app.forwarder.upgrade(parts, upstream, &target));
        match app.telemetry.upstream(call, |error| failed(facts, error)).await? {
            Upgraded::Not(answer) => Ok(bounded(app, stripped(app, facts, answer), lease)),
            Upgraded::Switched { answer, connection } => {
                let ends = tunnel::Ends { client: handshake.switch(), upstream: connection };
                app.spawn(tunnel::run(app.stopping.clone(), facts.id.clone(), ends, lease));
                Ok(stripped(app, facts, answer))
            }
        }
    }
}

/// The answer as the client sees it.
fn stripped(
    app: &App,
    facts: &Facts,
    mut answer: Response<ResponseBody>,
) -> Response<ResponseBody> {
    // A proxy speaks its own version, not the upstream's (RFC 9110, section 2.5).
    *answer.version_mut() = Version::HTTP_11;
    for name in headers::strip_response(answer.headers_mut(), app.cookies.own_names()) {
        tracing::warn!(request_id = facts.id, cookie = name, "the upstream set a cookie of ours");
    }
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        upgrade::set_upgrade(answer.headers_mut());
    }
    answer
}

/// The answer, which lasts no longer than the caller's right to it. A stream of events, which has
/// no end of its own, ends with the server, too.
fn bounded(
    app: &App,
    answer: Response<ResponseBody>,
    lease: Option<Lease>,
) -> Response<ResponseBody> {
    let content_type = answer.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_events = content_type.is_some_and(|it| it.starts_with(b"text/event-stream"));
    answer.map(|body| {
        let body = match lease {
            Some(lease) => body.leased(lease),
            None => body,
        };
        if is_events { body.until(app.stopping.clone().cancelled_owned()) } else { body }
    })
}

fn failed(facts: &Facts, error: &ForwardError) -> Error {
    let cause = error as &dyn std::error::Error;
    tracing::warn!(request_id = facts.id, error = cause, "the upstream did not answer");
    match error {
        ForwardError::Unreachable(_) => Error::Upstream("upstream_unreachable"),
        ForwardError::Timeout => Error::Upstream("upstream_timeout"),
        ForwardError::Broken(_) => Error::Upstream("upstream_broken"),
        ForwardError::ClientStalled => Error::Slow,
        ForwardError::ClientBroken(_) => Error::Malformed("body_broken_off"),
    }
}
