//! Taking the log along: what is asked for, in the order of the log, up to where the log ended when it
//! was asked. It is read in slices, so the whole needs no more memory than one; whoever is cut off goes
//! on after the last index that came. That somebody does it is an event.

use portcullis_domain::activity::query::Query;
use portcullis_domain::activity::{Record, ocsf, row};
use portcullis_domain::event::{Context, Event};
use portcullis_domain::text::steers;
use portcullis_domain::time::Time;
use portcullis_store::audit::{activity, tree};
use portcullis_store::{Db, Error};

use super::Reader;
use super::search::{self, Resolved, Search};
use crate::flows::record;
use crate::random::Random;

/// How many entries are looked at by one statement.
const SLICE: u64 = 2_000;
/// How many are opened by one.
const OPENED: u64 = 250;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// The same in the words of the Open Cybersecurity Schema Framework.
    Ocsf,
}

/// An export that is under way.
pub struct Export {
    search: Box<Search>,
    address: Option<String>,
    next: u64,
    end: u64,
}

/// What becomes of the wish for one.
pub enum Begun {
    Export(Box<Export>),
    TooManyPeople,
}

/// Begins an export after an index, and writes down that it was begun.
pub async fn begin(
    reader: Reader<'_>,
    query: &Query,
    after: Option<u64>,
    format: Format,
    by: By<'_>,
) -> Result<Begun, Error> {
    let mut tx = reader.db.read().await?;
    let tree = tree::read(&mut tx).await?;
    let (end, pruned) = tree.map_or((0, 0), |tree| (tree.size, tree.pruned));
    let first = after.map_or(0, |index| index.saturating_add(1)).max(pruned);
    let search = search::resolve(&mut tx, reader.keys, query).await?;
    drop(tx);
    let export = match search {
        Resolved::TooManyPeople => return Ok(Begun::TooManyPeople),
        Resolved::Nothing => {
            Export { search: Box::new(Search::of_nothing()), address: None, next: end, end }
        }
        Resolved::Search(search) => {
            let address = query.address().map(|address| address.to_string());
            Export { search, address, next: first.min(end), end }
        }
    };
    note(reader.db, &export, format, by).await?;
    Ok(Begun::Export(Box::new(export)))
}

/// Who takes it along.
#[derive(Clone, Copy)]
pub struct By<'a> {
    pub context: &'a Context,
    pub random: Random,
    pub now: Time,
}

async fn note(db: &Db, export: &Export, format: Format, by: By<'_>) -> Result<(), Error> {
    let event =
        Event::ActivityExported { format: format.as_str(), first: export.next, end: export.end };
    let mut tx = db.write().await?;
    record(&mut tx, by.random, &event, by.context, by.now).await?;
    tx.commit().await
}

impl Export {
    /// Where the log ended when this began.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The next records; empty where a slice has none that are wanted, `None` at the end.
    pub async fn next(&mut self, reader: Reader<'_>) -> Result<Option<Vec<Record>>, Error> {
        if self.next >= self.end {
            return Ok(None);
        }
        let mut tx = reader.db.read().await?;
        if self.search.is_everything() {
            let end = self.next.saturating_add(OPENED).min(self.end);
            let records = activity::records_between(&mut tx, reader.keys, self.next, end).await?;
            self.next = end;
            return Ok(Some(self.at_address(records)));
        }
        let end = self.next.saturating_add(SLICE).min(self.end);
        let steps = activity::window(&mut tx, self.next, end).await?;
        let wanted = steps.iter().filter(|step| self.search.wants(step));
        let wanted: Vec<u64> = wanted.map(|step| step.place.index).collect();
        let mut records = activity::records(&mut tx, reader.keys, &wanted).await?;
        records.sort_unstable_by_key(|record| record.index);
        self.next = end;
        Ok(Some(self.at_address(records)))
    }

    /// An address is known once an entry is opened.
    fn at_address(&self, records: Vec<Record>) -> Vec<Record> {
        let Some(address) = &self.address else { return records };
        let is_from = |record: &Record| record.ip.as_ref() == Some(address);
        records.into_iter().filter(is_from).collect()
    }
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Ndjson, Self::Ocsf];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Ocsf => "ocsf",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// What stands before all records.
    pub fn head(self) -> Vec<u8> {
        match self {
            Self::Csv => table([row::HEADER.map(str::to_owned)]),
            Self::Ndjson | Self::Ocsf => Vec::new(),
        }
    }

    /// Records as they are written.
    pub fn write(self, records: &[Record]) -> Vec<u8> {
        match self {
            Self::Csv => table(records.iter().map(row::cells)),
            Self::Ndjson => lines(records.iter().map(serde_json::to_string)),
            Self::Ocsf => lines(records.iter().map(|it| serde_json::to_string(&ocsf::record(it)))),
        }
    }
}

/// RFC 4180. Writing to memory does not fail.
fn table<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Vec<u8> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for cells in rows {
        drop(writer.write_record(&cells));
    }
    writer.into_inner().unwrap_or_default()
}

/// One object a line. What steers text, which JSON lets stand as it is, is written as its number, so
/// that nothing moves the terminal of whoever reads it there.
fn lines(objects: impl Iterator<Item = serde_json::Result<String>>) -> Vec<u8> {
    let mut text = String::new();
    for object in objects.flatten() {
        for letter in object.chars() {
            if steers(letter) {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    text.push_str("\\u");
                    text.push_str(&hex::encode(unit.to_be_bytes()));
                }
            } else {
                text.push(letter);
            }
        }
        text.push('\n');
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_steers_nothing_and_says_the_same() {
        let object = |text: &str| serde_json::to_string(&serde_json::json!({ "a": text }));
        let said = "\u{1b}[2J\r\n\u{9b}31m\u{202e}\u{e0041}\u{7f}\u{2028}é\"}";
        let written = lines([object(said), object("b")].into_iter());
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(!text.trim_end().replace('\n', "").chars().any(steers), "{text:?}");
        let read: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(read["a"], said);
    }
}
