//! One request from its first to its last moment, for the figures, the log and the traces. While
//! nobody looks at its line, no line is made.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::Body;

use super::Telemetry;
use super::line::{self, Line};
use super::metrics::Surface;
use super::spans::RequestSpan;
use crate::app::App;
use crate::config::LoggedRequests;
use crate::gate::forward::ForwardError;
use crate::key_usage::Answered;
use crate::web::error::Error;
use crate::web::forward_auth;
use crate::web::request::Facts;
use crate::web::table::Match;

/// A request that is being answered.
pub struct Observed {
    peer: SocketAddr,
    started: Duration,
    span: RequestSpan,
    /// For a request of which nothing becomes known; kept only if somebody wants its line.
    head: Option<(Method, Uri)>,
}

/// What became known of a request on its way.
#[derive(Default)]
pub struct Known {
    pub surface: Surface,
    /// `None`: it could not be read.
    pub facts: Option<Arc<Facts>>,
}

/// The reason code of a refusal, beside its answer. Not sent.
#[derive(Clone, Copy)]
pub struct Reason(pub &'static str);

impl Observed {
    /// From now on.
    pub fn begin<B>(app: &App, peer: SocketAddr, request: &Request<B>) -> Self {
        let trusted = &app.config.server.trusted_proxies;
        let is_trusted =
            || trusted.iter().any(|network| network.contains(&peer.ip().to_canonical()));
        let telemetry = &app.telemetry;
        let span = telemetry.spans.request(is_trusted, request.headers());
        let is_wanted = telemetry.requests != LoggedRequests::Off || span.is_recording();
        let head = is_wanted.then(|| (request.method().clone(), request.uri().clone()));
        Self { peer, started: telemetry.now(), span, head }
    }

    /// The work on it, as part of its trace.
    pub fn within<F: Future>(&self, work: F) -> impl Future<Output = F::Output> {
        self.span.within(work)
    }

    /// The answer is ready.
    pub fn end<B: Body>(&self, app: &App, id: &str, known: &Known, response: &Response<B>) {
        let telemetry = &app.telemetry;
        let took = telemetry.now().saturating_sub(self.started);
        telemetry.metrics.answered(known.surface, response.status(), took);
        note_key(app, known, response.status(), took);
        let code = response.extensions().get::<Reason>().map(|reason| reason.0);
        if let Some(code) = code {
            telemetry.metrics.refused(code);
        }
        let is_logged = telemetry.logs(response.status());
        if !is_logged && !self.span.is_recording() {
            return;
        }
        let line = Line {
            took,
            code,
            status: response.status().as_u16(),
            bytes: response.body().size_hint().exact(),
            request_id: id,
            ..self.line(app, known)
        };
        if is_logged {
            line.log();
        }
        self.span.end(&line);
    }

    /// What was known before the answer.
    fn line<'a>(&'a self, app: &'a App, known: &'a Known) -> Line<'a> {
        let unread = Line {
            request_id: "",
            surface: known.surface,
            method: self.head.as_ref().map_or("", |(method, _)| method.as_str()),
            path: self.head.as_ref().map_or(String::new(), |(_, uri)| line::path(uri.path())),
            status: 0,
            code: None,
            rule: None,
            user: None,
            client: self.peer.ip().to_canonical(),
            took: Duration::ZERO,
            bytes: None,
        };
        let Some(facts) = &known.facts else { return unread };
        let (path, method) = (facts.target.path(), facts.method.as_str());
        // Chosen once more rather than carried along by every request that nobody tells of.
        let has_rule = match known.surface {
            Surface::Own => false,
            Surface::Gate => true,
            // Otherwise the request that a proxy asks about is not known.
            Surface::ForwardAuth => !forward_auth::is_here(path.as_str()),
        };
        let rules = &app.config.gate.rules;
        let rule = has_rule.then(|| rules.choose(&facts.host, path, method)).flatten();
        Line {
            method,
            path: line::path(path.as_str()),
            rule: rule.map(|rule| rule.id.as_str()),
            user: facts.user(),
            client: facts.client.ip,
            ..unread
        }
    }
}

/// Counts a request that came by an API key. What it asked for is chosen once more, as below.
fn note_key(app: &App, known: &Known, status: StatusCode, took: Duration) {
    let Some((facts, key)) = known.facts.as_ref().and_then(|facts| Some((facts, facts.key()?)))
    else {
        return;
    };
    let (path, method) = (facts.target.path(), facts.method.as_str());
    let endpoint = match (known.surface, app.routes.find(&facts.method, path.as_str())) {
        (Surface::Own, Match::Row(row)) => row.path,
        (Surface::Own | Surface::Gate | Surface::ForwardAuth, _) => {
            let rule = app.config.gate.rules.choose(&facts.host, path, method);
            rule.map_or("no rule", |rule| &rule.id)
        }
    };
    let at = app.clock.now();
    app.key_usage
        .note(app.random, &Answered { key, at, endpoint, method, status: status.as_u16(), took });
}

impl Telemetry {
    /// Whether a request that was answered so has a line in the log.
    fn logs(&self, status: StatusCode) -> bool {
        let is_chosen = match self.requests {
            LoggedRequests::Off => false,
            LoggedRequests::Refused => status.as_u16() >= 400,
            LoggedRequests::All => true,
        };
        is_chosen && tracing::enabled!(target: line::TARGET, tracing::Level::INFO)
    }

    /// Counts and times a request to the upstream.
    pub async fn upstream<T>(
        &self,
        call: impl Future<Output = Result<T, ForwardError>>,
        explain: impl FnOnce(&ForwardError) -> Error,
    ) -> Result<T, Error> {
        let started = self.now();
        let answer = call.await.map_err(|error| explain(&error));
        let took = self.now().saturating_sub(started);
        self.metrics.upstream(answer.as_ref().map(drop).map_err(Error::code), took);
        answer
    }
}
