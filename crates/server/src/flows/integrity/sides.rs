//! What can be said of both sides of a difference where no lines can: how large each is, its digest, what
//! kind of file it is; and whether what was found is there still. Not here: the lines (`differ`).

use std::num::NonZero;
use std::sync::Arc;

use portcullis_integrity::{
    Beginning, Content, Entry, Plan, Progress, Scope, Seen, is_gone, look_at_root, scan,
};
use portcullis_store::integrity::alerts::About;

use super::{Fault, Monitor, look};

/// A file that is larger is not read to tell whether it is still the same.
const MOST_READ: u64 = 64 * 1024 * 1024;

/// What is known of both sides.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// As the baseline has it; `None`: it has nothing there.
    pub before: Option<Entry>,
    /// As it was found; `None`: nothing, or it could not be checked.
    pub after: Option<Entry>,
    /// What it is by its first bytes, as long as it is still what was found.
    pub looks_like: Option<&'static str>,
    /// Whether there is another content by now, or none; `None`: that cannot be told.
    pub current_differs: Option<bool>,
}

/// Looks what is there now.
pub(super) async fn sides(monitor: &Monitor<'_>, about: &About) -> Result<Sides, Fault> {
    let before = Entry::parse(&about.was).ok();
    let after = Entry::parse(&about.found).ok();
    let is_known = after.is_some() || about.found.is_empty();
    let root = monitor.settings.root(&about.root);
    let Some(root) = root.filter(|_| is_known && about.kind.is_of_a_path()) else {
        return Ok(Sides { before, after, ..Sides::default() });
    };
    let plan = Plan {
        max_bytes: monitor.settings.max_hash_bytes.min(MOST_READ),
        threads: NonZero::<usize>::MIN,
        ..look::plan(monitor.settings, root, Scope::of([about.path.clone()]))?
    };
    let path = about.path.clone();
    let now = tokio::task::spawn_blocking(move || now(&plan, &path)).await?;
    let current_differs = match (&now, &after) {
        (Now::Is(is, _), Some(found)) => Some(is.content != found.content),
        (Now::Is(..), None) | (Now::Nothing, Some(_)) => Some(true),
        (Now::Nothing, None) => Some(false),
        (Now::Unknown, _) => None,
    };
    let looks_like = match now {
        Now::Is(is, begins) if current_differs == Some(false) => {
            let is_small = |size| size <= monitor.settings.diff_max_bytes;
            let is_shown = matches!(is.content, Content::File { size, .. } if is_small(size));
            kind(begins.bytes()).filter(|_| is_shown)
        }
        Now::Is(..) | Now::Nothing | Now::Unknown => None,
    };
    Ok(Sides { before, after, looks_like, current_differs })
}

/// What is under a path now.
enum Now {
    Is(Entry, Beginning),
    Nothing,
    Unknown,
}

/// Looks at the path alone, whatever may be below it. Blocks.
fn now(plan: &Plan, path: &[u8]) -> Now {
    if path.is_empty() {
        let is = |root| Now::Is(root, Beginning::default());
        return look_at_root(&plan.root).map_or(Now::Unknown, is);
    }
    let (progress, mut seen) = (Arc::new(Progress::default()), None);
    // That it was stopped is no fault: it is, as soon as the path was come by.
    let _scanned = scan(plan, &progress, |one| {
        if seen.is_none() && one.path() == path {
            seen = Some(one);
            progress.stop();
        }
    });
    match seen {
        Some(Seen::Is(entry, _, begins)) => Now::Is(entry, begins),
        None if is_gone(&plan.root, path) => Now::Nothing,
        Some(_) | None => Now::Unknown,
    }
}

/// The kind of file that begins like this.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: [(&[u8], &str); 22] = [
        (b"\x7fELF", "an ELF program"),
        (b"#!", "a script"),
        (b"<?php", "PHP"),
        (b"MZ", "a Windows program"),
        (b"\xcf\xfa\xed\xfe", "a Mach-O program"),
        (b"\xca\xfe\xba\xbe", "a Java class or a Mach-O program"),
        (b"\0asm", "WebAssembly"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"PK\x05\x06", "an empty ZIP archive"),
        (b"\x1f\x8b", "gzip"),
        (b"\x28\xb5\x2f\xfd", "Zstandard"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh", "bzip2"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"\xff\xd8\xff", "a JPEG picture"),
        (b"GIF8", "a GIF picture"),
        (b"%PDF-", "a PDF document"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"wOFF", "a WOFF font"),
        (b"wOF2", "a WOFF2 font"),
        (b"\0\0\x01\0", "an icon"),
    ];
    let first = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning));
    first.map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn a_file_is_told_by_how_it_begins() {
        for (bytes, expected) in [
            (&b"\x7fELF\x02"[..], Some("an ELF program")),
            (b"#!/bin/sh\n", Some("a script")),
            (b"<?php evil();", Some("PHP")),
            (b"\x89PNG\r\n\x1a\n\0", Some("a PNG picture")),
            (b"\x89PNG", None),
            (b"hello", None),
            (b"", None),
        ] {
            assert_eq!(kind(bytes), expected, "{bytes:?}");
        }
    }
}
