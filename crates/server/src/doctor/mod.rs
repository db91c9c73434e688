//! `portcullis doctor`: looks at an installation and at what stands in front of it, and says what is
//! in order, what is not, and what to do. Changes nothing: it neither makes files nor migrates, and
//! the requests that it sends are judged as everybody's.

pub mod backup;
pub mod breach;
pub mod front;
pub mod installation;
pub mod probe;
mod reading;
pub mod stand_in;
pub mod tricks;
pub mod warnings;
pub mod wire;

use serde::Serialize;

use crate::probe::Seen;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A stable word.
    pub id: String,
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    /// It works, and probably not as it is meant.
    Warning,
    /// It does not work, or is not safe.
    Fault,
    /// Somebody did not answer.
    Unreachable,
    /// It could not be looked at; the advice says what that takes.
    NotChecked,
}

impl Status {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
            Self::Unreachable => "unreachable",
            Self::NotChecked => "not checked",
        }
    }
}

impl Check {
    /// In order.
    pub fn ok(id: &str, detail: impl Into<String>) -> Self {
        Self { id: id.to_owned(), status: Status::Ok, detail: detail.into(), advice: None }
    }

    /// Not in order, and what to do.
    pub fn found(
        status: Status,
        id: &str,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (id, detail, advice) = (id.to_owned(), detail.into(), Some(advice.into()));
        Self { id, status, detail, advice }
    }

    /// Broken or unsafe.
    pub fn fault(id: &str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::found(Status::Fault, id, detail, advice)
    }
}

/// A request as the server judged it, in words.
fn in_words(seen: &Seen) -> String {
    let code = seen.code.as_deref().unwrap_or("may pass");
    let rule = seen.rule.as_ref().map_or(String::new(), |rule| format!(" by rule {rule}"));
    match &seen.judged {
        Some(judged) => {
            format!("read {} {} on {}: {code}{rule}", judged.method, judged.target, judged.host)
        }
        None => format!("read no request: {code}{rule}"),
    }
}

/// Long texts are cut for reading.
fn clipped(text: &str) -> String {
    const MOST: usize = 100;
    if text.chars().count() <= MOST {
        return text.escape_debug().to_string();
    }
    let beginning: String = text.chars().take(MOST).collect();
    format!("{}… ({} bytes)", beginning.escape_debug(), text.len())
}
