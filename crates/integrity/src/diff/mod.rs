//! What the content of a file differs in, as text for people who are not to learn its secrets: secrets
//! are masked, what cannot be seen is made visible, and no content takes long. Not here: where both
//! contents come from, and where the difference is kept.

mod cursor;
mod keys;
mod lines;
mod long;
mod mask;
mod names;
mod secrets;
mod table;
mod text;

use std::time::Instant;

use aws_lc_rs::hmac;

pub use names::is_secret;
pub use text::is_truncated;

use lines::Lines;
use mask::Masker;

/// What a difference may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that either side may have.
    pub max_bytes: usize,
    /// When to stop looking for what is alike: the rest counts as replaced.
    pub deadline: Instant,
}

/// What masked values are told apart by: whoever has it can try out what was masked.
#[derive(Debug)]
pub struct MaskKey(hmac::Key);

impl MaskKey {
    /// Of at least 32 random bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// In the unified format, with paths and lines as they may be shown.
    pub text: String,
    /// Lines.
    pub added: u64,
    pub removed: u64,
    /// There is more than the text shows, which its last line says too.
    pub truncated: bool,
    pub note: Option<Note>,
}

/// What all of it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Nothing but how lines end, as with another editor.
    OnlyLineEnds,
    /// Nothing but spaces, tabs and empty lines, which mean something in some languages.
    OnlyWhitespace,
}

impl Note {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnlyLineEnds => "only_line_ends",
            Self::OnlyWhitespace => "only_whitespace",
        }
    }
}

/// Why there is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDiff {
    TooLarge,
    /// By its name it holds secrets.
    Secret {
        added: u64,
        removed: u64,
    },
    Binary(Binary),
    /// It may be text, and not in UTF-8.
    Encoding,
}

/// What can be said of bytes. A size is `None` where there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binary {
    pub size_before: Option<usize>,
    pub size_after: Option<usize>,
    /// The first byte that is not the same, counted from 0.
    pub first_difference: usize,
}

impl NoDiff {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Secret { .. } => "nodiff",
            Self::Binary(_) => "binary",
            Self::Encoding => "encoding",
        }
    }
}

/// Compares two contents of a file; `None`: there was, or is, no file.
pub fn diff(
    path: &[u8],
    before: Option<&[u8]>,
    after: Option<&[u8]>,
    limits: Limits,
    key: &MaskKey,
) -> Result<Diff, NoDiff> {
    let (old, new) = (before.unwrap_or_default(), after.unwrap_or_default());
    if old.len().max(new.len()) > limits.max_bytes {
        return Err(NoDiff::TooLarge);
    }
    if is_secret(path) {
        let Lines { added, removed, .. } = Lines::compare(old, new, limits.deadline);
        return Err(NoDiff::Secret { added, removed });
    }
    let (Some(old_text), Some(new_text)) = (as_text(old), as_text(new)) else {
        let is_other_text = [old, new].into_iter().all(may_be_text);
        return Err(if is_other_text { NoDiff::Encoding } else { binary(before, after) });
    };
    let lines = Lines::compare(old, new, limits.deadline);
    let masker = Masker::new(path, &key.0);
    let note = before.and(after).and_then(|_| note(old, new));
    let (text, truncated) = text::unified(
        &text::Side { path: before.map(|_| path), lines: masker.lines(old_text) },
        &text::Side { path: after.map(|_| path), lines: masker.lines(new_text) },
        &lines,
        note,
    );
    Ok(Diff { text, added: lines.added, removed: lines.removed, truncated, note })
}

fn as_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// Whether bytes look like text, if only one knew the encoding.
fn may_be_text(bytes: &[u8]) -> bool {
    let is_utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let is_odd = |byte: &u8| *byte < b' ' && !matches!(*byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    is_utf_16 || !bytes.iter().any(is_odd)
}

fn binary(before: Option<&[u8]>, after: Option<&[u8]>) -> NoDiff {
    let alike = before.unwrap_or_default().iter().zip(after.unwrap_or_default());
    NoDiff::Binary(Binary {
        size_before: before.map(<[u8]>::len),
        size_after: after.map(<[u8]>::len),
        first_difference: alike.take_while(|(one, other)| one == other).count(),
    })
}

fn note(old: &[u8], new: &[u8]) -> Option<Note> {
    let unended = |bytes| lines::split(bytes).map(lines::without_end);
    let is_alike = |kept: fn(&&u8) -> bool| old.iter().filter(kept).eq(new.iter().filter(kept));
    if old == new {
        None
    } else if unended(old).eq(unended(new)) {
        Some(Note::OnlyLineEnds)
    } else if is_alike(|byte| !byte.is_ascii_whitespace()) {
        Some(Note::OnlyWhitespace)
    } else {
        None
    }
}
