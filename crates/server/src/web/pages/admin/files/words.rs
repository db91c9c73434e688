//! The words of the watch, as people read them.

use portcullis_domain::integrity::alert::{Kind, Resolution, Severity};
use portcullis_integrity::{Content, Entry};

use crate::flows::integrity::words::{what, why_not};

/// What has happened to a path, or keeps paths from being looked at.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Added => "new",
        Kind::Deleted => "gone",
        Kind::Modified => "changed",
        Kind::Attributes => "rights or owner changed",
        Kind::Unverifiable => "could not be checked",
        Kind::Linked => "named elsewhere too",
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
    let Ok(entry) = Entry::parse(line) else {
        let why = line.split(' ').next().unwrap_or_default();
        return why_not(why).to_owned();
    };
    let what = what(&entry.content);
    let digest = match &entry.content {
        Content::File { digest, .. } => format!(", SHA-256 {digest}"),
        Content::Folder
        | Content::Link { .. }
        | Content::Pipe
        | Content::Socket
        | Content::CharacterDevice { .. }
        | Content::BlockDevice { .. } => String::new(),
    };
    let owner = entry
        .owner
        .map_or_else(String::new, |owner| format!(", user {}, group {}", owner.uid, owner.gid));
    let attributes =
        if entry.attributes.is_some() { ", with capabilities or access lists" } else { "" };
    format!("{what}{digest}, rights {:04o}{owner}{attributes}", entry.mode)
}
