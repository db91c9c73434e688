//! Texts over several lines in code and scripts: in three quotes, in backticks, and up to a word of their own.
//! They are secret where they begin behind the name of a secret. What is computed in them is code, which
//! stays to be seen. Not here: texts that end on their line.

use std::ops::Range;

use super::cursor::{closing, is_of_name};
use super::keys;

/// A text that begins behind the name of a secret hides so many lines at most: more is no key.
const MOST_LINES: usize = 100;

/// How a language writes long texts and remarks.
#[derive(Debug)]
struct Language {
    endings: &'static [&'static str],
    /// What such a text begins and ends with.
    quotes: &'static [&'static str],
    /// What stands before the word that ends one, on a line of its own.
    until: Option<&'static str>,
    /// What a remark begins with that ends with its line.
    remarks: &'static [&'static str],
    /// Between `/*` and `*/`.
    has_blocks: Blocks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blocks {
    Remarks,
    None,
}

const LANGUAGES: [Language; 6] = [
    Language {
        endings: &["py", "toml", "ex", "exs"],
        quotes: &["\"\"\"", "'''"],
        until: None,
        remarks: &["#"],
        has_blocks: Blocks::None,
    },
    Language {
        endings: &["java", "kt", "cs"],
        quotes: &["\"\"\""],
        until: None,
        remarks: &["//"],
        has_blocks: Blocks::Remarks,
    },
    Language {
        endings: &["js", "mjs", "cjs", "jsx", "ts", "tsx", "go"],
        quotes: &["`"],
        until: None,
        remarks: &["//"],
        has_blocks: Blocks::Remarks,
    },
    Language {
        endings: &["php", "phtml"],
        quotes: &[],
        until: Some("<<<"),
        remarks: &["//", "#"],
        has_blocks: Blocks::Remarks,
    },
    Language {
        endings: &["rb", "pl", "pm"],
        quotes: &[],
        until: Some("<<"),
        remarks: &["#"],
        has_blocks: Blocks::None,
    },
    // Only what `cat` puts together is text; everything else may be run.
    Language {
        endings: &["sh", "bash", "zsh", "ksh"],
        quotes: &[],
        until: Some("cat <<"),
        remarks: &["#"],
        has_blocks: Blocks::None,
    },
];

/// What begins the computed part of a text.
const COMPUTED: [&str; 4] = ["${", "$(", "#{", "{$"];

/// Looks through the lines of one file, one after the other.
pub(super) struct LongTexts {
    language: &'static Language,
    open: Option<Text>,
}

/// A text that goes on.
struct Text {
    end: End,
    is_secret: bool,
    /// So many lines of it have gone by.
    lines: usize,
}

enum End {
    With(&'static str),
    /// A line of its own, whatever its indent.
    Word(String),
}

impl LongTexts {
    /// `None`: the language has no such texts, or is not known.
    pub(super) fn of(ending: &str) -> Option<Self> {
        let language = LANGUAGES.iter().find(|language| language.endings.contains(&ending))?;
        // A page is text up to where its code begins.
        let is_page = language.until == Some("<<<");
        Some(Self { language, open: is_page.then(|| Text::of("<?")) })
    }

    /// The secrets in the next line, which comes without its end, and where it goes on behind one that began
    /// before. `is_behind`: the name of a secret stands on a line before, and its value is still to come.
    pub(super) fn secrets(&mut self, line: &str, is_behind: bool) -> (Vec<Range<usize>>, usize) {
        let (mut found, mut at) = (Vec::new(), 0);
        let (mut next, mut behind) = (None, 0);
        loop {
            if let Some(text) = &mut self.open {
                let end = text.end(line, at);
                let until = end.as_ref().map_or(line.len(), |end| end.start);
                let secret = text.secret(line, at..until);
                if at == 0 && secret.is_some() {
                    behind = end.as_ref().map_or(line.len(), |end| end.end);
                }
                found.extend(secret);
                let Some(end) = end else {
                    text.lines += 1;
                    return (found, behind);
                };
                (at, self.open) = (end.end, None);
            }
            let Some((opened, from)) = self.begins(line, at, is_behind) else { break };
            match opened.end {
                End::With(_) => self.open = Some(opened),
                // It begins with the next line.
                End::Word(_) => next = Some(opened),
            }
            at = from;
        }
        self.open = next;
        (found, behind)
    }

    /// The next text that begins in a line, and where what is in it begins.
    fn begins(&self, line: &str, from: usize, is_behind: bool) -> Option<(Text, usize)> {
        let Language { quotes, until, remarks, has_blocks, .. } = self.language;
        let mut at = from;
        while let Some(byte) = line.as_bytes().get(at) {
            let rest = line.get(at..).unwrap_or_default();
            let is_page = *until == Some("<<<");
            let is_secret = || is_behind || names_a_secret(line.get(..at).unwrap_or_default());
            if let Some(quote) = quotes.iter().find(|quote| rest.starts_with(**quote)) {
                // `f"…"` is computed.
                let is_secret = is_secret() && !line.get(..at).is_some_and(is_computed_by);
                return Some((Text { is_secret, ..Text::of(quote) }, at + quote.len()));
            }
            if is_page && rest.starts_with("?>") {
                return Some((Text::of("<?"), at + 2));
            }
            if *has_blocks == Blocks::Remarks && rest.starts_with("/*") {
                return Some((Text::of("*/"), at + 2));
            }
            if remarks.iter().any(|remark| rest.starts_with(*remark)) {
                // Code ends in a remark too.
                let end = rest.find("?>").filter(|_| is_page)?;
                return Some((Text::of("<?"), at + end + 2));
            }
            if let Some(word) = until.and_then(|until| word(rest, until)) {
                let (end, is_secret) = (End::Word(word.to_owned()), is_secret());
                return Some((Text { end, is_secret, lines: 0 }, at + 2));
            }
            at = match byte {
                b'"' | b'\'' => closing(line, at + 1, *byte) + 1,
                b'\\' => at + 2,
                _ => at + 1,
            };
        }
        None
    }
}

impl Text {
    fn of(end: &'static str) -> Self {
        Self { end: End::With(end), is_secret: false, lines: 0 }
    }

    /// Where it ends in a line, if it does: what ends it.
    fn end(&self, line: &str, from: usize) -> Option<Range<usize>> {
        match &self.end {
            End::With(end) => {
                let (bytes, mut at) = (line.as_bytes(), from);
                while let Some(byte) = bytes.get(at) {
                    if bytes.get(at..).is_some_and(|rest| rest.starts_with(end.as_bytes())) {
                        return Some(at..at + end.len());
                    }
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
                None
            }
            End::Word(word) => {
                let start = line.len() - line.trim_start().len();
                let rest = line.trim_start().strip_prefix(word.as_str())?;
                let is_whole = !rest.bytes().next().is_some_and(is_of_name);
                is_whole.then(|| start..start + word.len())
            }
        }
    }

    /// What of a part of a line is secret.
    fn secret(&self, line: &str, part: Range<usize>) -> Option<Range<usize>> {
        let text = line.get(part.clone())?;
        let is_code = COMPUTED.iter().any(|begin| text.contains(begin));
        if !self.is_secret || self.lines > MOST_LINES || is_code {
            return None;
        }
        let start = part.start + text.len() - text.trim_start().len();
        (start < part.end).then_some(start..part.end)
    }
}

/// The word behind a sign that a text goes on until there is a line of it.
fn word<'l>(rest: &'l str, until: &str) -> Option<&'l str> {
    let rest = rest.strip_prefix(until)?;
    let rest = rest.strip_prefix(['-', '~']).unwrap_or(rest);
    // PHP lets it stand apart.
    let rest = if until == "<<<" { rest.trim_start() } else { rest };
    let rest = rest.trim_start_matches(['"', '\'', '\\']);
    let length = rest.bytes().take_while(|byte| is_of_word(*byte)).count();
    let word = rest.get(..length)?;
    let behind = rest.get(length..)?.trim_start_matches(['"', '\'']).trim();
    // What goes on elsewhere, as `| sh` does, is no text.
    let is_kept = !until.starts_with("cat") || matches!(behind, "" | ")" | ")\"");
    let is_word = word.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    (is_word && is_kept).then_some(word)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn names_a_secret(line: &str) -> bool {
    let names = line.split(|character: char| !u8::try_from(character).is_ok_and(is_of_name));
    names.into_iter().any(|name| !name.ends_with('-') && keys::is_secret(name))
}

/// Whether a text is computed, by the letters right before it.
fn is_computed_by(before: &str) -> bool {
    let letters = before.rsplit(|character: char| !character.is_ascii_alphabetic()).next();
    matches!(letters.unwrap_or_default().to_ascii_lowercase().as_str(), "f" | "fr" | "rf")
}
