//! What is known of a request before anybody looks at who sent it, and what a handler is given.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use http::{HeaderMap, Method};
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Text};
use portcullis_domain::id::{KeyId, UserId};
use portcullis_domain::origin::{Scheme, Signal};
use portcullis_domain::request_path::RequestTarget;
use portcullis_domain::text::Host;

use super::caller::Caller;
use super::input::Fields;
use super::limits::Standing;
use crate::app::App;
use crate::flows::limits::LimitStanding;
use crate::probe::Watch;

/// The request as it came in, its target read in the one canonical way.
pub struct Facts {
    pub id: String,
    pub method: Method,
    pub target: RequestTarget,
    pub headers: HeaderMap,
    pub client: ClientAddress,
    pub host: Host,
    /// Host with port, as the client asked for it.
    pub authority: String,
    /// Set where `doctor` sent the request.
    pub watch: Option<Box<Watch>>,
    after: Mutex<After>,
    /// Who sent it, as far as is known; nobody has the id 0.
    user: AtomicI64,
    /// The API key that came with it, once that is known.
    key: OnceLock<KeyId>,
}

/// What is gathered on the way for the answer, whether it becomes one or a refusal.
#[derive(Default)]
pub struct After {
    /// What the limit headers will say.
    pub standing: Option<Standing>,
    /// The same of the API key that was used, which programs go by before any other.
    pub key_standing: Option<Standing>,
    /// Lines to send as `Set-Cookie`.
    pub cookies: Vec<String>,
    /// A fresh one-time CSRF token to hand back.
    pub csrf_token: Option<String>,
}

/// What is taken over from the request's head as it is.
pub struct Head {
    pub method: Method,
    pub headers: HeaderMap,
    pub authority: String,
}

impl Facts {
    /// The request as it came in.
    pub fn new(
        id: String,
        target: RequestTarget,
        host: Host,
        client: ClientAddress,
        head: Head,
    ) -> Self {
        let Head { method, headers, authority } = head;
        Self {
            id,
            method,
            target,
            headers,
            client,
            host,
            authority,
            watch: None,
            after: Mutex::default(),
            user: AtomicI64::new(0),
            key: OnceLock::new(),
        }
    }

    /// What is gathered for the answer.
    pub fn after(&self) -> MutexGuard<'_, After> {
        self.after.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes who sent it, for whoever reads the log.
    pub fn note_user(&self, user: UserId) {
        self.user.store(user.0, Ordering::Relaxed);
    }

    /// Notes by which API key it came; `false` if that was known.
    pub fn note_key(&self, key: KeyId) -> bool {
        self.key.set(key).is_ok()
    }

    /// By which API key it came, if by one.
    pub fn key(&self) -> Option<KeyId> {
        self.key.get().copied()
    }

    /// Who sent it, if that was found out.
    pub fn user(&self) -> Option<i64> {
        Some(self.user.load(Ordering::Relaxed)).filter(|user| *user != 0)
    }

    /// The value of a header that is text and came exactly once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        if values.next().is_some() { None } else { value.to_str().ok() }
    }

    /// The query's value of `name`; the first, percent-decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.target.query()?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Every parameter of the query with this name, decoded.
    pub fn queries(&self, name: &str) -> Vec<String> {
        let query = self.target.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
        pairs.map(|(_, value)| value.into_owned()).collect()
    }

    /// The last segment of the path, where a row has a name in braces for it.
    pub fn last_segment(&self) -> &str {
        let path = self.target.path().as_str();
        let path = path.strip_suffix('/').unwrap_or(path);
        path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether the request shows a browser: any of the headers that only browsers send.
    pub fn shows_browser(&self) -> bool {
        ["origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"]
            .iter()
            .any(|name| self.headers.contains_key(*name))
    }

    /// Whether a person's browser waits for a page, rather than a script for data.
    pub fn is_navigation(&self) -> bool {
        match self.header("sec-fetch-mode") {
            Some(mode) => mode == "navigate",
            None => self.header("accept").is_some_and(|accept| accept.contains("text/html")),
        }
    }

    /// The limit headers speak of the limit that is used up.
    pub fn tell_of_refusal(&self, standing: Standing) {
        let mut after = self.after();
        (after.standing, after.key_standing) = (Some(standing), None);
    }

    /// From now on the limit headers speak of this limit, if there is one.
    pub fn set_limit_standing(&self, standing: Option<LimitStanding>) {
        let Some(standing) = standing else { return };
        let LimitStanding { limit, remaining, reset, retry_after: _ } = standing;
        self.after().standing = Some(Standing { limit, remaining, reset });
    }

    /// The origin that the client asked, where it came by this scheme.
    pub fn origin(&self, scheme: Scheme) -> String {
        format!("{}://{}", scheme.as_str(), self.authority)
    }

    /// The token after `Bearer `, as it was sent.
    pub fn bearer_text(&self) -> Option<&str> {
        self.header("authorization")?.split_once(' ').map(|(_, token)| token)
    }

    /// The circumstances that an event is written with.
    pub fn context(&self) -> Context {
        Context {
            actor: None,
            subject: None,
            session: None,
            ip: Some(self.client.ip.to_string()),
            peer: Some(self.client.peer.to_string()),
            user_agent: self.header("user-agent").map(|agent| Text::clip(agent).into()),
            request_id: Some(self.id.clone()),
        }
    }

    /// The circumstances of an event that this caller brought about.
    pub fn context_of(&self, caller: &Caller) -> Context {
        let found = caller.found();
        Context {
            actor: Some(found.user.id),
            session: Some(found.handle().to_owned()),
            ..self.context()
        }
    }
}

/// What a handler is given beside its right to run.
pub struct Call {
    pub app: App,
    pub facts: Arc<Facts>,
    pub fields: Fields,
    /// What the origin wall learned of the sender.
    pub signal: Signal,
}
