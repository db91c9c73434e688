//! Sends requests through whatever stands in front, and asks the running server what it saw of them.

use portcullis_domain::probe::{LIFE, ProbeId, Ticket};
use portcullis_domain::secret::Keys;
use serde::Deserialize;

use super::wire::{Answer, Place, WireError};
use crate::clock::Clock;
use crate::probe::Seen;
use crate::random::Random;
use crate::web::api::probe as endpoint;

/// Sends and asks.
pub struct Prober<'a> {
    pub keys: &'a Keys,
    pub clock: &'a Clock,
    pub random: Random,
    /// Where people go.
    pub front: Place,
    /// Where the server listens.
    pub server: Place,
}

/// One request, in the bytes that are sent.
#[derive(Clone, Debug)]
pub struct Sending {
    pub method: &'static str,
    pub target: String,
    /// What stands before the mark in `User-Agent`.
    pub agent: &'static str,
    pub headers: Vec<(&'static str, String)>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub answer: Answer,
    /// What the server saw, the last first.
    pub seen: Vec<Seen>,
    /// The mark that it was sent with.
    pub mark: String,
}

/// Who did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("{0}")]
    Front(#[source] WireError),
    #[error("{0}")]
    Server(#[source] WireError),
    #[error("the running server does not know this secret: it answers {0} to a pass that it signs")]
    Stranger(u16),
}

impl Sending {
    /// An ordinary GET by a script.
    pub fn get(target: &str) -> Self {
        Self { method: "GET", target: target.to_owned(), agent: "", headers: Vec::new() }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// As a browser sends it that goes to a page.
    #[must_use]
    pub fn by_browser(self) -> Self {
        self.with("Accept", "text/html,application/xhtml+xml").with("Sec-Fetch-Mode", "navigate")
    }

    fn bytes(&self, authority: &str, mark: &str) -> Vec<u8> {
        let Self { method, target, agent, headers } = self;
        let space = if agent.is_empty() { "" } else { " " };
        let mut text = format!(
            "{method} {target} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {agent}{space}{mark}\r\n"
        );
        for (name, value) in headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        let is_said = headers.iter().any(|(name, _)| *name == "Connection");
        text.push_str(if is_said { "\r\n" } else { "Connection: close\r\n\r\n" });
        text.into_bytes()
    }
}

#[derive(Deserialize)]
struct Shown {
    seen: Vec<Seen>,
}

impl Prober<'_> {
    /// Sends a request through the front, under a ticket of its own.
    pub async fn send(&self, sending: &Sending) -> Result<Outcome, Trouble> {
        let ticket = self.ticket();
        let mark = self.keys.probe.mark(&ticket);
        let bytes = sending.bytes(&self.front.authority, &mark);
        let answer = self.front.exchange(&bytes).await.map_err(Trouble::Front)?;
        let seen = self.look(&ticket).await?;
        Ok(Outcome { answer, seen, mark })
    }

    /// Asks for what was seen under a ticket that was never sent: whether the running server has the
    /// secret of this configuration.
    pub async fn is_known(&self) -> Result<(), Trouble> {
        self.look(&self.ticket()).await.map(drop)
    }

    /// Asks the server itself, past the front.
    pub async fn ask(&self, path: &str, more: &str) -> Result<Answer, Trouble> {
        let authority = &self.server.authority;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n{more}Connection: close\r\n\r\n");
        self.server.exchange(request.as_bytes()).await.map_err(Trouble::Server)
    }

    fn ticket(&self) -> Ticket {
        let id = ProbeId::from_random(self.random.bytes());
        Ticket { id, until: self.clock.now().plus(LIFE) }
    }

    async fn look(&self, ticket: &Ticket) -> Result<Vec<Seen>, Trouble> {
        let pass = self.keys.probe.pass(ticket);
        let header = format!("{}: {pass}\r\n", endpoint::PASS);
        let answer = self.ask(endpoint::PATH, &header).await?;
        let shown = serde_json::from_slice::<Shown>(&answer.body);
        shown.map(|shown| shown.seen).map_err(|_| Trouble::Stranger(answer.status))
    }
}
