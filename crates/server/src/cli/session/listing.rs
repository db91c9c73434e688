//! The list of who is signed in, as a table or as JSON.

use std::process::ExitCode;

use portcullis_domain::id::{SessionHandle, UserId};
use portcullis_store::sessions::LiveSession;
use serde::Serialize;

use super::super::output::Output;

/// Prints it.
pub(super) fn print(sessions: &[LiveSession], output: Output) -> anyhow::Result<ExitCode> {
    let rows: Vec<Row<'_>> = sessions.iter().map(Row::new).collect();
    let header = ["Session", "E-mail", "Kind", "From", "Last active", "Ends", "Client"];
    output.list(&rows, header, rows.iter().map(Row::cells))
}

#[derive(Serialize)]
struct Row<'a> {
    session_id: &'a SessionHandle,
    user_id: UserId,
    email: &'a str,
    username: Option<&'a str>,
    kind: &'static str,
    ip_address: &'a str,
    user_agent: &'a str,
    /// RFC 3339, UTC, as the next two.
    created_at: String,
    last_active: String,
    expires_at: String,
}

impl<'a> Row<'a> {
    fn new(session: &'a LiveSession) -> Self {
        Self {
            session_id: &session.handle,
            user_id: session.user_id,
            email: &session.email,
            username: session.username.as_deref(),
            kind: session.form.as_str(),
            ip_address: &session.ip,
            user_agent: &session.user_agent,
            created_at: session.created_at.iso(),
            last_active: session.last_active.iso(),
            expires_at: session.expires_at.iso(),
        }
    }

    fn cells(&self) -> [String; 7] {
        [
            self.session_id.as_str().to_owned(),
            self.email.to_owned(),
            self.kind.to_owned(),
            self.ip_address.to_owned(),
            self.last_active.clone(),
            self.expires_at.clone(),
            short(self.user_agent),
        ]
    }
}

/// What a client says of itself, in short.
fn short(text: &str) -> String {
    const SHOWN: usize = 40;
    let cut = if text.chars().count() > SHOWN { "…" } else { "" };
    text.chars().take(SHOWN).collect::<String>() + cut
}
