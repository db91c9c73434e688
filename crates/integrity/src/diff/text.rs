//! The unified format: three lines around each change, so many of them at most, each no longer than can
//! be read, and nothing in it that a terminal or a page would act on. Not here: what is masked.

use std::fmt::Write as _;
use std::ops::Range;

use similar::{DiffOp, group_diff_ops};

use super::Note;
use super::lines::Lines;
use crate::path::{is_hidden, show};

const AROUND: usize = 3;
/// Lines that are shown.
const MOST_LINES: usize = 5_000;
/// Bytes that are shown.
const MOST_BYTES: usize = 1 << 20;
/// Characters of a line that are shown.
const LONGEST_LINE: usize = 2_000;

/// One of the two contents; `None`: there is no file.
pub(super) struct Side<'p> {
    pub(super) path: Option<&'p [u8]>,
    /// Masked, with their ends.
    pub(super) lines: Vec<String>,
}

/// The text, and whether there is more than it shows. What is to be said of it as a whole stands in lines of
/// their own at its end, which begin as no line of a difference does.
pub(super) fn unified(
    old: &Side<'_>,
    new: &Side<'_>,
    lines: &Lines,
    note: Option<Note>,
) -> (String, bool) {
    let name = |side: &Side<'_>, letter| match side.path {
        Some(path) => format!("{letter}/{}", show(path)),
        None => "/dev/null".to_owned(),
    };
    let mut out = Out { text: String::new(), lines: 0, cut: 0 };
    out.push(&format!("--- {}\n+++ {}\n", name(old, 'a'), name(new, 'b')));
    let groups = group_diff_ops(lines.steps.clone(), AROUND);
    let all: usize = groups.iter().flatten().map(length).sum();
    for group in groups {
        if hunk(&mut out, &group, &old.lines, &new.lines).is_none() {
            break;
        }
    }
    match note {
        Some(Note::OnlyLineEnds) => out.push("[nothing but how lines end]\n"),
        Some(Note::OnlyWhitespace) => out.push("[nothing but whitespace]\n"),
        None => {}
    }
    let (cut, more) = (out.cut, all.saturating_sub(out.lines));
    for (count, one, several) in [(cut, CUT, CUT_LINES), (more, MORE, MORE_LINES)] {
        match count {
            0 => {}
            1 => out.push(&format!("[1 {one}]\n")),
            _ => out.push(&format!("[{count} {several}]\n")),
        }
    }
    (out.text, cut + more > 0)
}

const CUT: &str = "line is cut off";
const CUT_LINES: &str = "lines are cut off";
const MORE: &str = "more line";
const MORE_LINES: &str = "more lines";

/// Whether a text says at its end that there is more than it shows.
pub fn is_truncated(text: &str) -> bool {
    let last = text.lines().next_back().unwrap_or_default();
    let said = last.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let what = said.and_then(|said| said.split_once(' ')).map_or("", |(_, what)| what);
    [CUT, CUT_LINES, MORE, MORE_LINES].contains(&what)
}

/// Lines that a step takes.
fn length(step: &DiffOp) -> usize {
    let new = step.new_range().len();
    if matches!(step, DiffOp::Equal { .. }) { new } else { step.old_range().len() + new }
}

/// `None`: no more can be shown.
fn hunk(out: &mut Out, group: &[DiffOp], old: &[String], new: &[String]) -> Option<()> {
    let (first, last) = (group.first()?, group.last()?);
    let from = first.old_range().start..last.old_range().end;
    let to = first.new_range().start..last.new_range().end;
    out.push(&format!("@@ -{} +{} @@\n", span(&from), span(&to)));
    for step in group {
        let (from, to) = (step.old_range(), step.new_range());
        if matches!(step, DiffOp::Equal { .. }) {
            out.lines(' ', new.get(to)?)?;
        } else {
            out.lines('-', old.get(from)?)?;
            out.lines('+', new.get(to)?)?;
        }
    }
    Some(())
}

/// The first line, counted from 1, and how many; of none, the line before.
fn span(range: &Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => (range.start + 1).to_string(),
        count => format!("{},{count}", range.start + 1),
    }
}

struct Out {
    text: String,
    lines: usize,
    /// Lines of which not all is shown.
    cut: usize,
}

impl Out {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Shows lines; `None` at the first for which there is no room.
    fn lines(&mut self, sign: char, lines: &[String]) -> Option<()> {
        for line in lines {
            if self.lines == MOST_LINES || self.text.len() > MOST_BYTES {
                return None;
            }
            self.lines += 1;
            self.text.push(sign);
            let (line, is_ended) = match line.strip_suffix('\n') {
                Some(line) => (line, true),
                None => (&line[..], false),
            };
            self.cut += usize::from(!visible(&mut self.text, line));
            self.push(if is_ended { "\n" } else { "\n\\ No newline at end of file\n" });
        }
        Some(())
    }
}

/// A line as it can be read. Tabs stay. Gives whether it is all of it.
fn visible(text: &mut String, line: &str) -> bool {
    for (count, character) in line.chars().enumerate() {
        if count == LONGEST_LINE {
            let rest = line.chars().count() - LONGEST_LINE;
            // A string takes whatever is written to it.
            write!(text, " [{rest} more characters]").unwrap_or_default();
            return false;
        }
        match character {
            '\t' => text.push('\t'),
            '\r' => text.push_str("\\r"),
            _ if is_hidden(character) => text.extend(character.escape_unicode()),
            _ => text.push(character),
        }
    }
    true
}
