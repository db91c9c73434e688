//! Paths as bytes: how they are ordered, written so that nothing is lost, and shown to people. Not here:
//! opening anything.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Longer paths are not looked at, in bytes. The system takes none that is longer (`PATH_MAX`), so nothing
/// that is named by its path reaches them. Whoever goes there name by name makes paths without end, which
/// would have to be kept, compared and told of.
pub(crate) const LONGEST: usize = 4096;

/// The order of paths: name by name, so that all that is in a folder stands right behind it.
pub fn order(one: &[u8], other: &[u8]) -> Ordering {
    let differs = one.iter().zip(other).position(|(one, other)| one != other);
    // What a name ends with comes before whatever it could go on with.
    let next = |path: &[u8], at: usize| match path.get(at) {
        None | Some(b'/') => 0,
        Some(byte) => u16::from(*byte) + 1,
    };
    match differs {
        Some(at) => next(one, at).cmp(&next(other, at)),
        None => one.len().cmp(&other.len()),
    }
}

/// Whether bytes are a path below a root: names with slashes between them, none of which leads elsewhere.
pub fn is_below(path: &[u8]) -> bool {
    let is_name =
        |name: &[u8]| !name.is_empty() && name != b"." && name != b".." && !name.contains(&0);
    names(path).all(is_name)
}

/// What stands for the root itself, whose path is empty, where a path is to stand.
pub const ROOT: &str = ".";

/// A path as it stands in a line of a manifest, and as programs show it.
pub fn named(path: &[u8]) -> &[u8] {
    if path.is_empty() { ROOT.as_bytes() } else { path }
}

/// The path of what is in a folder; that of the root itself is empty.
pub fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// Bytes as the system and patterns have them.
pub(crate) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Bytes as one word of printable ASCII: whatever else there is, spaces and backslashes too, becomes
/// `\xNN`. [`unescape`] gives the bytes back.
pub fn escape(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && bytes.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'\\')
    {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_graphic() && *byte != b'\\' {
            text.push(char::from(*byte));
        } else {
            hexadecimal(&mut text, *byte);
        }
    }
    text
}

/// What [`escape`] wrote; `None` for any other spelling.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Some(text.as_bytes().to_vec());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.strip_prefix(b"x")?.split_first_chunk::<2>()?;
        bytes.push(hex::decode(digits).ok()?.pop()?);
        rest = after;
    }
    (escape(&bytes) == text).then_some(bytes)
}

/// Bytes for people to read: letters of every script stay; what cannot be seen, moves other characters
/// about or is no text becomes visible.
pub fn show(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                _ if is_hidden(character) => text.extend(character.escape_unicode()),
                _ => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            hexadecimal(&mut text, *byte);
        }
    }
    text
}

/// Controls, what changes the direction of text, what has no width or draws nothing (in Unicode's words
/// `Default_Ignorable_Code_Point`, with tags and what chooses a variant), and what is for private use.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{f0000}'..)
}

fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
}

fn hexadecimal(text: &mut String, byte: u8) {
    // A string takes whatever is written to it.
    write!(text, "\\x{byte:02x}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_right_before_what_is_in_it() {
        let mut paths = ["a/b", "a-b", "a", "a.b", "a/b/c", "a/b-c", "b"].map(str::as_bytes);
        paths.sort_by(|one, other| order(one, other));
        let sorted = ["a", "a/b", "a/b/c", "a/b-c", "a-b", "a.b", "b"].map(str::as_bytes);
        assert_eq!(paths, sorted);
    }

    #[test]
    fn what_leads_elsewhere_is_not_below() {
        for path in ["a", "a/b", "...", "a/.b", " ", "-", "a\nb"] {
            assert!(is_below(path.as_bytes()), "{path}");
        }
        for path in ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0b"] {
            assert!(!is_below(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn every_name_comes_back_and_has_one_spelling() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [&all[..], b"", b"a b", b"\\x41", b"\xe9", "\u{202e}txt.exe".as_bytes()] {
            let written = escape(bytes);
            assert!(written.bytes().all(|byte| byte.is_ascii_graphic()), "{written}");
            assert_eq!(unescape(&written).as_deref(), Some(bytes));
        }
        for other in ["a b", "\\x41", "\\xE9", "\\", "\\x4", "\\n", "\u{e9}"] {
            assert_eq!(unescape(other), None, "{other}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        let check = |bytes: &[u8], shown: &str| assert_eq!(show(bytes), shown);
        check("caf\u{e9}/\u{65e5}\u{672c} x".as_bytes(), "caf\u{e9}/\u{65e5}\u{672c} x");
        check("a\u{fe0f}\u{e0041}\u{f0000}".as_bytes(), "a\\u{fe0f}\\u{e0041}\\u{f0000}");
        check("\u{202e}cod\u{200b}".as_bytes(), "\\u{202e}cod\\u{200b}");
        check(b"a\nb\x1b[2J\xe9\\", "a\\u{a}b\\u{1b}[2J\\xe9\\\\");
    }
}
