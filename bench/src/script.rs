//! How one connection makes its next request.

use std::sync::Arc;

use anyhow::Result;

use crate::forward_auth::{ASKED, DECIDE};
use crate::http::{Connection, request};
use crate::million::secret_text;
use crate::portcullis::{Credentials, JSON, ME, csrf_token};
use crate::tokens::forge::{Forge, line};

/// What the connections of a case ask.
#[derive(Clone)]
pub(crate) enum Script {
    /// The same bytes again and again.
    Same(Vec<u8>),
    /// A POST of JSON with a CSRF token; each answer's `X-CSRF-Token` goes into the next request.
    TokenEach { target: &'static str, who: Credentials },
    /// A cookie of one of so many sessions, anew for every request and at random.
    Walk { sessions: u64 },
    /// An access token that there never was before, for every request.
    Tokens(Arc<Forge>),
}

/// The request whose turn it is.
pub(crate) struct Turn {
    bytes: Vec<u8>,
    /// Where chance stands, for a walk.
    chance: u64,
}

impl Turn {
    /// The first request of the connection with this number.
    pub(crate) async fn first(
        script: &Script,
        number: usize,
        connection: &mut Connection,
    ) -> Result<Self> {
        let chance = u64::try_from(number)?;
        let bytes = match script {
            Script::Same(bytes) => bytes.clone(),
            Script::Walk { .. } => of_session(chance),
            Script::Tokens(forge) => another(forge)?,
            Script::TokenEach { who, .. } => {
                with_token(script, &csrf_token(connection, who).await?)
            }
        };
        Ok(Self { bytes, chance })
    }

    pub(crate) fn request(&self) -> &[u8] {
        &self.bytes
    }

    /// After an answer, and the token that came with it.
    pub(crate) fn next(&mut self, script: &Script, token: Option<String>) -> Result<()> {
        if let Script::Walk { sessions } = script {
            // A multiplicative generator; its upper bits are good enough to choose a session.
            self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.bytes = of_session((self.chance >> 20) % sessions);
        } else if let Script::Tokens(forge) = script {
            self.bytes = another(forge)?;
        } else if let Some(token) = token {
            self.bytes = with_token(script, &token);
        }
        Ok(())
    }
}

/// The question of another proxy about a request with the cookie of that session.
pub(crate) fn of_session(session: u64) -> Vec<u8> {
    let headers = format!("cookie: sessionid={}\r\n{ASKED}", secret_text(session));
    request("GET", DECIDE, &headers, "")
}

fn another(forge: &Forge) -> Result<Vec<u8>> {
    Ok(request("GET", ME, &line(&forge.another()?), ""))
}

fn with_token(script: &Script, token: &str) -> Vec<u8> {
    match script {
        Script::TokenEach { target, who } => {
            let headers = format!("{}{JSON}x-csrf-token: {token}\r\n", who.cookie);
            request("POST", target, &headers, "{}")
        }
        Script::Same(bytes) => bytes.clone(),
        Script::Walk { .. } | Script::Tokens(_) => Vec::new(),
    }
}
