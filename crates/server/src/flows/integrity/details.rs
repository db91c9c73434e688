//! A difference as people read it: in what a path is not as it ought to be, or why nobody can tell. Pure.

use portcullis_integrity::path::show;
use portcullis_integrity::{Content, Entry, Finding, Is, Outline, Owner, State, Why};

use super::words::what;

/// One sentence for people.
pub(super) fn details(finding: &Finding) -> String {
    let moved = finding.moved.as_deref().map(show);
    match (&finding.was, &finding.is) {
        (_, Is::Unverifiable { why, outline, .. }) => {
            let known = outline.as_ref().map(outlined).unwrap_or_default();
            format!("It could not be checked: {}.{known}", reason(*why))
        }
        (Some(was), Is::Gone) => match moved {
            Some(to) => format!("It is gone: {}. It was moved to {to}.", described(was)),
            None => format!("It is gone: {}.", described(was)),
        },
        (None, Is::There(is)) => match moved {
            Some(from) => format!("It is new: {}. It was moved from {from}.", described(is)),
            None => format!("It is new: {}.", described(is)),
        },
        (Some(was), Is::There(is)) => changes(was, is),
        (None, Is::Gone) => String::new(),
    }
}

fn changes(was: &Entry, is: &Entry) -> String {
    let mut parts = Vec::new();
    match (&was.content, &is.content) {
        (Content::File { size: before, .. }, Content::File { size: after, .. })
            if was.content != is.content =>
        {
            parts.push(format!("the content is another one ({before} bytes before, {after} now)"));
        }
        (before, after) if before != after => {
            parts.push(format!("it was {}, and is {}", described(was), described(is)));
        }
        _ => {}
    }
    if was.mode != is.mode {
        parts.push(format!("its rights were {:04o} and are {:04o}", was.mode, is.mode));
    }
    if let (Some(before), Some(after)) = (was.owner, is.owner)
        && before != after
    {
        let (old, new) = ((before.uid, before.gid), (after.uid, after.gid));
        parts
            .push(format!("it belonged to {}:{} and belongs to {}:{}", old.0, old.1, new.0, new.1));
    }
    if was.attributes != is.attributes {
        parts.push("its capabilities or access lists are others".to_owned());
    }
    let text = parts.join("; ");
    let mut letters = text.chars();
    let first: String =
        letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn described(entry: &Entry) -> String {
    let is_file = matches!(entry.content, Content::File { .. });
    let rights = if is_file { format!(", rights {:04o}", entry.mode) } else { String::new() };
    format!("{}{rights}", what(&entry.content))
}

/// What is known of what could not be checked, as a sentence.
fn outlined(outline: &Outline) -> String {
    let Outline { kind, mode, owner: Owner { uid, gid }, state, .. } = outline;
    let size = state.map(|State { size, .. }| format!(" of {size} bytes")).unwrap_or_default();
    format!(" It is a {}{size}, rights {mode:04o}, and belongs to {uid}:{gid}.", kind.as_str())
}

/// Why something could not be checked, in words.
fn reason(why: Why) -> &'static str {
    match why {
        Why::Denied => "the server may not read it",
        Why::Unreadable => "the file system gave an error",
        Why::Unstable => "it changed again and again while it was read",
        Why::TooLarge => "it is larger than integrity.max_hash_bytes",
        Why::OtherFileSystem => "another file system is mounted there",
        Why::TooDeep => "folders stand in each other deeper than anybody makes on purpose",
        Why::Unseen => "it is there, and the check did not come by it",
        Why::Slow => "it could not be read in time",
        Why::TooMany => "there are more names in the folder than are kept in memory",
        Why::Holes => "the files have more holes in them than are worth hashing",
    }
}
