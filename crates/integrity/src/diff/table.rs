//! Tables as text, as spreadsheets write them: the columns whose heads are names of secrets. Not here: what
//! else may be secret in a line.

use std::ops::Range;

use super::keys;

/// The columns of a table that hold secrets.
pub(super) struct Table {
    separator: u8,
    /// By the number of the column.
    secret: Vec<bool>,
    /// The column whose text in quotes goes on in the next line.
    open: Option<usize>,
}

const ENDINGS: [&str; 4] = ["csv", "tsv", "tab", "psv"];

impl Table {
    /// Whether a file is a table, by how its name ends.
    pub(super) fn is_one(ending: &str) -> bool {
        ENDINGS.contains(&ending)
    }

    /// By its first line; `None`: it names no secret.
    pub(super) fn of(head: &str) -> Option<Self> {
        let head = head.trim_start_matches('\u{feff}');
        // What it has most of.
        let count = |separator: &u8| head.bytes().filter(|byte| byte == separator).count();
        let separator = [b'|', b';', b'\t', b','].into_iter().max_by_key(count)?;
        let mut table = Self { separator, secret: Vec::new(), open: None };
        let name = |range: Range<usize>| head.get(range).unwrap_or_default();
        let columns = table.fields(head).into_iter();
        table.secret = columns.map(|(_, range)| keys::is_secret(name(range))).collect();
        table.open = None;
        table.secret.contains(&true).then_some(table)
    }

    /// The secrets in the next line, which comes without its end.
    pub(super) fn secrets(&mut self, line: &str) -> Vec<Range<usize>> {
        let fields = self.fields(line).into_iter();
        let is_secret = |column: usize| self.secret.get(column).copied().unwrap_or(false);
        fields.filter(|(column, _)| is_secret(*column)).map(|(_, range)| range).collect()
    }

    /// The fields of a line: the number of the column, and where it stands, without its quotes.
    fn fields(&mut self, line: &str) -> Vec<(usize, Range<usize>)> {
        let bytes = line.as_bytes();
        let (mut fields, mut at) = (Vec::new(), 0);
        let mut column = self.open.unwrap_or(0);
        let mut is_quoted = self.open.take().is_some();
        loop {
            if !is_quoted && bytes.get(at) == Some(&b'"') {
                (is_quoted, at) = (true, at + 1);
            }
            let start = at;
            if is_quoted {
                at = quoted(bytes, at);
                fields.push((column, start..at));
                if at >= bytes.len() {
                    self.open = Some(column);
                    return fields;
                }
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == self.separator);
            let end = end.map_or(bytes.len(), |length| at + length);
            if !is_quoted {
                fields.push((column, start..end));
            }
            if end == bytes.len() {
                return fields;
            }
            (column, at, is_quoted) = (column + 1, end + 1, false);
        }
    }
}

/// Where a text in quotes ends, in which a quote stands twice; the end of the line if it goes on.
fn quoted(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'"', Some(b'"')) => at += 2,
            (b'"', _) => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}
