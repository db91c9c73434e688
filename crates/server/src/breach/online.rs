//! The range service, as <https://haveibeenpwned.com/API/v3#PwnedPasswords> has it: it is told the first
//! five digits of a hash, and answers with all that begin so. It is believed nothing that is not in that form,
//! waited for no longer than a second and a half, and left alone while it is down. What it is asked is not
//! logged.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ETAG, HeaderValue, IF_NONE_MATCH, LAST_MODIFIED, USER_AGENT};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use jiff::civil::Date;
use portcullis_breach::{NotARange, Prefix, Range};
use portcullis_domain::time::Time;
use quick_cache::sync::Cache;
use tokio::time::timeout;
use url::Url;

use super::breaker::{Breaker, News};
use crate::clock::Clock;
use crate::outgoing::{self, HttpsClient, TrustFault};

/// For all of it, up to the end of the answer.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long an idle connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// A longer answer is none: ten times what a range has today.
const LONGEST_ANSWER: usize = 1 << 20;
/// Answers that are remembered, of some 60 KB each.
const REMEMBERED: usize = 64;
/// For so long the service is not asked again.
const FRESH: Duration = Duration::from_hours(24);

/// What asks.
pub struct Online {
    http: HttpsClient<Empty<Bytes>>,
    url: String,
    known: Cache<Prefix, Arc<Known>>,
    breaker: Mutex<Breaker>,
    last: Mutex<Option<Answered>>,
}

/// When the service last answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    pub at: Time,
    /// When it last changed what it said then, if it says so.
    pub date: Option<Date>,
}

/// What the service said of a prefix.
pub struct Known {
    pub range: Range,
    /// When the service last changed it, if it says so.
    pub date: Option<Date>,
    etag: Option<HeaderValue>,
    /// When it was last confirmed, by a clock that never runs backwards.
    at: Duration,
}

/// Why there is no answer, in our own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnswered {
    #[error("it is left alone for a while")]
    Resting,
    #[error("there is no connection")]
    Unreachable,
    #[error("the connection broke")]
    Broken,
    #[error("there is no answer in time")]
    Silent,
    #[error("the answer is {}", .0.as_u16())]
    Status(StatusCode),
    #[error("the answer has no end")]
    TooLong,
    #[error("the answer is not one of its kind: {0}")]
    Nonsense(#[from] NotARange),
}

impl Online {
    /// For the service at this address.
    pub fn new(url: &Url) -> Result<Self, TrustFault> {
        let http = outgoing::client(outgoing::tls(None)?, PATIENCE, POOL_IDLE);
        let known = Cache::new(REMEMBERED);
        let (breaker, last) = (Mutex::default(), Mutex::default());
        Ok(Self { http, url: url.to_string(), known, breaker, last })
    }

    /// All that have a prefix, from memory or from the service.
    pub async fn below(&self, prefix: Prefix, clock: &Clock) -> Result<Arc<Known>, NotAnswered> {
        let now = clock.monotonic();
        let known = self.known.get(&prefix);
        if let Some(known) = known.as_ref().filter(|known| now.saturating_sub(known.at) < FRESH) {
            return Ok(Arc::clone(known));
        }
        if !self.breaker().may_ask(now) {
            return Err(NotAnswered::Resting);
        }
        let asked = timeout(PATIENCE, self.ask(prefix, known.as_deref(), now)).await;
        let answer = asked.unwrap_or(Err(NotAnswered::Silent));
        self.judge(&answer, clock.monotonic());
        let answer = Arc::new(answer?);
        let answered = Answered { at: clock.now(), date: answer.date };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(answered);
        self.known.insert(prefix, Arc::clone(&answer));
        Ok(answer)
    }

    /// Whether it is left alone because it failed.
    pub fn is_down(&self) -> bool {
        self.breaker().is_down()
    }

    /// When it last answered; `None` if it has not yet.
    pub fn last_answer(&self) -> Option<Answered> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(
        &self,
        prefix: Prefix,
        known: Option<&Known>,
        at: Duration,
    ) -> Result<Known, NotAnswered> {
        let etag = known.and_then(|known| known.etag.clone());
        let was_known = known.filter(|_| etag.is_some());
        let mut request = Request::get(format!("{}{}", self.url, prefix.digits()))
            .header(USER_AGENT, concat!("Portcullis/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "text/plain")
            .header("add-padding", "true")
            .body(Empty::new())
            .map_err(|_| NotAnswered::Unreachable)?;
        if let Some(etag) = etag {
            request.headers_mut().insert(IF_NONE_MATCH, etag);
        }
        let answer = self.http.request(request).await.map_err(|error| {
            if error.is_connect() { NotAnswered::Unreachable } else { NotAnswered::Broken }
        })?;
        match (answer.status(), was_known) {
            (StatusCode::OK, _) => read(prefix, answer, at).await,
            (StatusCode::NOT_MODIFIED, Some(known)) => {
                let Known { range, date, etag, .. } = known;
                Ok(Known { range: range.clone(), date: *date, etag: etag.clone(), at })
            }
            (status, _) => Err(NotAnswered::Status(status)),
        }
    }

    /// Says once that it is down, and once that it is up.
    fn judge(&self, answer: &Result<Known, NotAnswered>, now: Duration) {
        let news = match answer {
            Ok(_) => self.breaker().answered(),
            Err(_) => self.breaker().failed(now),
        };
        match (news, answer) {
            (News::Down, Err(why)) => tracing::warn!(
                "breach.range_url: the service does not answer: {why}; it is tried now and then"
            ),
            (News::Up, _) => tracing::info!("breach.range_url: the service answers again"),
            (News::Down | News::Nothing, _) => {}
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(
    prefix: Prefix,
    answer: Response<Incoming>,
    at: Duration,
) -> Result<Known, NotAnswered> {
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|error| {
        let is_long = error.downcast_ref::<LengthLimitError>().is_some();
        if is_long { NotAnswered::TooLong } else { NotAnswered::Broken }
    })?;
    let range = Range::parse(prefix, &body.to_bytes())?;
    let etag = parts.headers.get(ETAG).cloned();
    Ok(Known { range, date: last_modified(&parts.headers), etag, at })
}

fn last_modified(headers: &HeaderMap) -> Option<Date> {
    let text = headers.get(LAST_MODIFIED)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(text).ok().map(|time| time.date())
}
