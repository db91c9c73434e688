//! Files of users, read one record at a time: CSV, JSON lines, and the array that Django dumps.
//! A record that cannot be read is a fault of its row where the next one can still be found, and of
//! the file where it cannot.

use std::io::{self, BufRead, BufReader, Read};

use serde::Deserialize as _;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::Format;
use super::row::{Cells, Column, RowFault};

/// The longest record, in bytes; so much of a file is in memory at a time.
const MAX_RECORD: usize = 1 << 20;

/// A record, with the number of its line or its place in the array, from 1.
pub struct Row {
    pub at: u64,
    pub cells: Result<Cells, RowFault>,
}

/// Why a file cannot be read, or not any further.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    #[error("The first line must name the columns, email among them: {names}.", names = Column::names())]
    NoColumns,
    #[error("There is no column {0:?}: there are {names}.", names = Column::names())]
    UnknownColumn(String),
    #[error("The column {0:?} is there twice.")]
    ColumnTwice(String),
    #[error("It is not JSON as Django dumps it.")]
    Broken { at: u64 },
    #[error("It is longer than 1 MiB, or the file cannot be read.")]
    Unreadable { at: u64 },
}

impl FileFault {
    /// The number of the line or record.
    pub fn at(&self) -> u64 {
        match self {
            Self::NoColumns | Self::UnknownColumn(_) | Self::ColumnTwice(_) => 1,
            Self::Broken { at } | Self::Unreadable { at } => *at,
        }
    }
}

/// The rows of a file, which end after the first fault of the file.
pub fn rows(
    format: Format,
    input: impl Read + 'static,
) -> Result<Box<dyn Iterator<Item = Result<Row, FileFault>>>, FileFault> {
    let input = Metered { input, left: MAX_RECORD };
    Ok(match format {
        Format::Csv => Box::new(until_fault(Csv::open(input)?)),
        Format::Portcullis => Box::new(until_fault(Lines { input: BufReader::new(input), at: 0 })),
        Format::Django => Box::new(until_fault(Django { input: BufReader::new(input), at: 0 })),
    })
}

fn until_fault(
    rows: impl Iterator<Item = Result<Row, FileFault>>,
) -> impl Iterator<Item = Result<Row, FileFault>> {
    let mut over = false;
    rows.take_while(move |row| !std::mem::replace(&mut over, row.is_err()))
}

/// Gives out so many bytes, and no more until it is refilled.
struct Metered<R> {
    input: R,
    left: usize,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("the record is too long"));
        }
        let most = buffer.len().min(self.left);
        let read = self.input.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left -= read;
        Ok(read)
    }
}

struct Csv<R> {
    reader: csv::Reader<io::Chain<Metered<R>, &'static [u8]>>,
    columns: Vec<Column>,
}

impl<R: Read> Csv<R> {
    /// Reads the first line. Every line is made to end with a line feed, so that they can be
    /// counted; a carriage return before it is taken off the last cell.
    fn open(input: Metered<R>) -> Result<Self, FileFault> {
        let mut options = csv::ReaderBuilder::new();
        options.terminator(csv::Terminator::Any(b'\n')).flexible(true);
        let mut reader = options.from_reader(input.chain(b"\n".as_slice()));
        let header = reader.headers().map_err(|_| FileFault::NoColumns)?;
        let columns = columns(header)?;
        Ok(Self { reader, columns })
    }

    fn row(&self, record: &csv::ByteRecord) -> Row {
        let feeds = memchr::memchr_iter(b'\n', record.as_slice()).count();
        let after = self.reader.position().line();
        let at = after.saturating_sub(1 + u64::try_from(feeds).unwrap_or_default());
        Row { at, cells: self.cells(record) }
    }

    fn cells(&self, record: &csv::ByteRecord) -> Result<Cells, RowFault> {
        let (found, expected) = (record.len(), self.columns.len());
        if found != expected {
            return Err(RowFault::Fields { found, expected });
        }
        let mut cells = Cells::default();
        for (place, (column, cell)) in (1..).zip(self.columns.iter().zip(record)) {
            let line_end: &[u8] = if place == expected { b"\r" } else { b"" };
            let cell = cell.strip_suffix(line_end).unwrap_or(cell);
            cells.set(*column, std::str::from_utf8(cell).map_err(|_| RowFault::NotUtf8)?);
        }
        Ok(cells)
    }
}

impl<R: Read> Iterator for Csv<R> {
    type Item = Result<Row, FileFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = csv::ByteRecord::new();
        loop {
            self.reader.get_mut().get_mut().0.left = MAX_RECORD;
            match self.reader.read_byte_record(&mut record) {
                Ok(false) => return None,
                Ok(true) if record.as_slice().trim_ascii().is_empty() && record.len() == 1 => {}
                Ok(true) => return Some(Ok(self.row(&record))),
                Err(_) => {
                    let at = self.reader.position().line();
                    return Some(Err(FileFault::Unreadable { at }));
                }
            }
        }
    }
}

fn columns(header: &csv::StringRecord) -> Result<Vec<Column>, FileFault> {
    let known: Vec<_> = header.iter().map(|name| (name.trim(), Column::parse(name))).collect();
    // Without this column it is no header but a row, and must not be repeated.
    if !known.iter().any(|(_, column)| *column == Some(Column::Email)) {
        return Err(FileFault::NoColumns);
    }
    let mut columns = Vec::new();
    for (name, column) in known {
        let column = column.ok_or_else(|| FileFault::UnknownColumn(name.to_owned()))?;
        if columns.contains(&column) {
            return Err(FileFault::ColumnTwice(name.to_owned()));
        }
        columns.push(column);
    }
    Ok(columns)
}

struct Lines<R> {
    input: BufReader<Metered<R>>,
    at: u64,
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<Row, FileFault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.at += 1;
            self.input.get_mut().left = MAX_RECORD;
            let mut line = Zeroizing::new(Vec::new());
            match self.input.read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => return Some(Ok(Row { at: self.at, cells: from_line(&line) })),
                Err(_) => return Some(Err(FileFault::Unreadable { at: self.at })),
            }
        }
    }
}

fn from_line(line: &[u8]) -> Result<Cells, RowFault> {
    let line = std::str::from_utf8(line).map_err(|_| RowFault::NotUtf8)?;
    let object: Map<String, Value> = serde_json::from_str(line).map_err(|_| RowFault::NotJson)?;
    let mut cells = Cells::default();
    for (key, value) in object {
        let column = Column::parse(&key).ok_or_else(|| RowFault::UnknownKey(shown(&key)))?;
        // A number is not kept as it was written.
        if column == Column::Password && !(value.is_string() || value.is_null()) {
            return Err(RowFault::PasswordNotText);
        }
        if !cells.set(column, as_text(value)?) {
            return Err(RowFault::KeyTwice);
        }
    }
    Ok(cells)
}

/// A key that may be repeated: a short word, which no hash is.
fn shown(key: &str) -> String {
    let is_word = key.len() <= 24 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_word { key.to_owned() } else { "One".to_owned() }
}

fn as_text(value: Value) -> Result<String, RowFault> {
    match value {
        Value::Null => Ok(String::new()),
        Value::Bool(is) => Ok(is.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) => Ok(text),
        Value::Array(_) | Value::Object(_) => Err(RowFault::NotJson),
    }
}

/// The elements of one array, each read by itself.
struct Django<R> {
    input: BufReader<Metered<R>>,
    at: u64,
}

impl<R: Read> Iterator for Django<R> {
    type Item = Result<Row, FileFault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.at += 1;
        self.input.get_mut().left = MAX_RECORD;
        match self.go_to_element() {
            Ok(true) => {}
            Ok(false) => return None,
            Err(fault) => return Some(Err(fault)),
        }
        let element =
            Value::deserialize(&mut serde_json::Deserializer::from_reader(&mut self.input));
        Some(match element {
            Ok(element) => Ok(Row { at: self.at, cells: from_django(&element) }),
            Err(error) if error.is_io() => Err(FileFault::Unreadable { at: self.at }),
            Err(_) => Err(FileFault::Broken { at: self.at }),
        })
    }
}

impl<R: Read> Django<R> {
    /// Goes to where the next element begins; `false` at the end of the array.
    fn go_to_element(&mut self) -> Result<bool, FileFault> {
        let before = if self.at == 1 { [b'['].as_slice() } else { b",]" };
        let Some(found) = self.glyph()?.filter(|glyph| before.contains(glyph)) else {
            return Err(FileFault::Broken { at: self.at });
        };
        self.input.consume(1);
        let is_empty = found == b'[' && self.glyph()? == Some(b']');
        Ok(found != b']' && !is_empty)
    }

    /// The next byte that is no white space, which stays there to be read.
    fn glyph(&mut self) -> Result<Option<u8>, FileFault> {
        loop {
            let buffer = self.input.fill_buf();
            let buffer = buffer.map_err(|_| FileFault::Unreadable { at: self.at })?;
            if let Some(place) = buffer.iter().position(|byte| !byte.is_ascii_whitespace()) {
                let found = buffer.get(place).copied();
                self.input.consume(place);
                return Ok(found);
            }
            let read = buffer.len();
            if read == 0 {
                return Ok(None);
            }
            self.input.consume(read);
        }
    }
}

/// `{"model": "auth.user", "fields": {…}}`. A custom model of users may be of any application.
fn from_django(element: &Value) -> Result<Cells, RowFault> {
    let model = element.get("model").and_then(Value::as_str).unwrap_or_default();
    let is_user = model.to_ascii_lowercase().ends_with(".user");
    let fields = element.get("fields").filter(|_| is_user).ok_or(RowFault::OtherModel)?;
    let mut cells = Cells::default();
    let text = |key| fields.get(key).cloned().map_or(Ok(String::new()), as_text);
    for (key, column) in [
        ("email", Column::Email),
        ("username", Column::Username),
        ("first_name", Column::FirstName),
        ("last_name", Column::LastName),
        ("is_active", Column::Active),
    ] {
        cells.set(column, text(key)?);
    }
    let password = text("password")?;
    // Django marks an account that takes no password so.
    if !password.starts_with('!') {
        cells.set(Column::PasswordHash, password);
    }
    if fields.get("is_staff") == Some(&Value::Bool(true)) {
        cells.set(Column::AccountType, "staff");
    }
    Ok(cells)
}
