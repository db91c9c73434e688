//! The words of the watch, as people read them.

use portcullis_domain::integrity::alert::{Kind, Resolution, Severity, Status};
use portcullis_integrity::path::show;
use portcullis_integrity::{Content, Entry};

/// What has happened to a path, or keeps paths from being looked at.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Added => "new",
        Kind::Deleted => "gone",
        Kind::Modified => "changed",
        Kind::Attributes => "rights or owner changed",
        Kind::Unverifiable => "could not be checked",
        Kind::RootUnavailable => "folder not there",
        Kind::MassChange => "very much changed",
        Kind::BaselineInvalid => "baseline not valid",
        Kind::CoverageNarrowed => "less is looked at",
        Kind::Unwatched => "not heard of at once",
        Kind::CopiesFull => "no room for copies",
    }
}

/// The look of a severity; the word stands in it.
pub(super) fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "warning",
        Severity::Medium => "note",
        Severity::Low => "ok",
    }
}

pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::New => "new",
        Status::Resolved => "resolved",
        Status::Ignored => "ignored",
    }
}

/// How an alert came to be resolved.
pub(super) fn resolution(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Accepted => "it is in the baseline now",
        Resolution::Reverted => "somebody put it back",
        Resolution::FalsePositive => "it was a false alarm",
        Resolution::Remediated => "something was done about it",
        Resolution::AutoReverted => "it is as it ought to be again, and nobody said why",
    }
}

/// A line of a baseline, or what was found in its place.
pub(super) fn entry(line: &str) -> String {
    if line.is_empty() {
        return "nothing".to_owned();
    }
    let Ok(entry) = Entry::parse(line) else { return why_not(line).to_owned() };
    let what = match &entry.content {
        Content::File { size, digest } => {
            format!("a file of {size} bytes, SHA-256 {}", hex::encode(digest.as_bytes()))
        }
        Content::Folder => "a folder".to_owned(),
        Content::Link { target } => format!("a link to {}", show(target)),
        Content::Pipe => "a pipe".to_owned(),
        Content::Socket => "a socket".to_owned(),
        Content::CharacterDevice { major, minor } | Content::BlockDevice { major, minor } => {
            format!("a device {major}:{minor}")
        }
    };
    let owner = entry
        .owner
        .map_or_else(String::new, |owner| format!(", user {}, group {}", owner.uid, owner.gid));
    let attributes =
        if entry.attributes.is_some() { ", with capabilities or access lists" } else { "" };
    format!("{what}, rights {:04o}{owner}{attributes}", entry.mode)
}

/// Why there is no difference to show, or something could not be checked, as a sentence.
pub(super) fn why_not(word: &str) -> &'static str {
    match word {
        "binary" => "It is no text, so there are no lines to show.",
        "too_large" => "It is larger than what is read, or too much of it differs.",
        "nodiff" => "What stands in this file is secret, so only its lines were counted.",
        "not_stored" => {
            "No copy of the good file was kept: copies are of text, as far as there is room \
             (integrity.copies)."
        }
        "quota" => "There was no room left for differences (integrity.copies).",
        "permission" | "denied" => "The server may not read it.",
        "encoding" => "Its letters are in no encoding that is known.",
        "changed_again" => "It was another one again before it could be compared.",
        "not_a_file" => "It is, or was, no file.",
        "unreadable" => {
            "It cannot be read: the disk gave an error, or server.secret was another one."
        }
        "not_watched" => "The configuration does not watch its root any more.",
        "unstable" => "It changed again and again while it was read.",
        "other_file_system" => "Another file system is mounted there.",
        "too_deep" => "Folders stand in each other deeper than anybody makes on purpose.",
        "slow" => "It could not be read in time.",
        "holes" => "It has more holes in it than are worth reading.",
        "unseen" => "It is there, and the check did not come by it.",
        _ => "There is nothing to show.",
    }
}
