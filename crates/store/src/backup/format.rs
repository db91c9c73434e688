//! The lines of a backup, and its bytes with their digest. Not here: where they go to or come from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write as _;

use aws_lc_rs::digest::{self, Digest};
use portcullis_domain::backup::BackupKey;
use portcullis_domain::time::Time;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::driver::{Column, Kind, Table, Value};

/// What this program writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;
/// A first line is not longer.
pub(super) const MOST_OF_A_HEAD: u64 = 4_096;

/// The first line: what the file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    #[serde(rename = "portcullis_backup")]
    pub(super) format: u32,
    /// The version of the schema.
    pub schema: i64,
    /// The version of the program that made it.
    pub program: String,
    /// The moment that it holds.
    #[serde(with = "millis")]
    pub taken_at: Time,
    /// Of which secret it is, in hexadecimal digits.
    pub(super) secret: String,
}

/// Of a first line that another format may have written, what every format has.
#[derive(Deserialize)]
pub(super) struct AnyHead {
    #[serde(rename = "portcullis_backup")]
    pub(super) format: u32,
}

/// Before the rows of a table.
#[derive(Serialize, Deserialize)]
pub(super) struct TableHead {
    pub(super) table: String,
    pub(super) columns: Vec<(String, String)>,
}

/// After the rows of all tables: how many each has.
#[derive(Serialize, Deserialize)]
pub(super) struct Footer {
    pub(super) rows: BTreeMap<String, u64>,
}

/// The last line, which proves the others.
#[derive(Serialize, Deserialize)]
pub(super) struct Seal {
    pub(super) sha256: String,
    pub(super) seal: String,
}

impl Seal {
    /// Every last line is so long, with its line feed.
    pub(super) const LENGTH: u64 = 152;

    pub(super) fn of(digest: &[u8; 32], key: &BackupKey) -> Self {
        Self { sha256: hex::encode(digest), seal: hex::encode(key.seal(digest)) }
    }
}

impl TableHead {
    pub(super) fn of(table: &Table) -> Self {
        let column = |column: &Column| (column.name.clone(), word(column.kind).to_owned());
        Self { table: table.name.clone(), columns: table.columns.iter().map(column).collect() }
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Int => "int",
        Kind::Bool => "bool",
        Kind::Bytes => "bytes",
    }
}

/// Lines in the making: a piece that has not been handed on yet, and the digest of all of it.
pub(super) struct Lines {
    piece: Vec<u8>,
    digest: digest::Context,
    bytes: u64,
}

impl Lines {
    /// Big enough to be written at once, small enough to wait in memory.
    const PIECE: usize = 64 * 1024;

    pub(super) fn new() -> Self {
        let piece = Vec::with_capacity(Self::PIECE + Self::PIECE / 4);
        Self { piece, digest: digest::Context::new(&digest::SHA256), bytes: 0 }
    }

    /// Adds a line.
    pub(super) fn push(&mut self, line: &impl Serialize) {
        write_json(&mut self.piece, line);
        self.piece.push(b'\n');
    }

    /// Adds a row.
    pub(super) fn push_row<'v, E>(
        &mut self,
        values: impl Iterator<Item = Result<Value<'v>, E>>,
    ) -> Result<(), E> {
        let mut before = b'[';
        for value in values {
            self.piece.push(before);
            before = b',';
            write_value(&mut self.piece, value?);
        }
        self.piece.extend_from_slice(b"]\n");
        Ok(())
    }

    /// A piece that is to be handed on, if there is a whole one.
    pub(super) fn full_piece(&mut self) -> Option<Vec<u8>> {
        (self.piece.len() >= Self::PIECE).then(|| self.take())
    }

    /// What is left, with the last line; how many bytes it were, and their digest without that line.
    pub(super) fn finish(mut self, key: &BackupKey) -> (Vec<u8>, u64, [u8; 32]) {
        let mut piece = self.take();
        let digest = bytes_of(&self.digest.finish());
        let before = piece.len();
        write_json(&mut piece, &Seal::of(&digest, key));
        piece.push(b'\n');
        let bytes = self.bytes + (piece.len() - before) as u64;
        (piece, bytes, digest)
    }

    fn take(&mut self) -> Vec<u8> {
        self.digest.update(&self.piece);
        self.bytes += self.piece.len() as u64;
        let next = Vec::with_capacity(self.piece.capacity());
        std::mem::replace(&mut self.piece, next)
    }
}

/// Nothing that is written here can fail to be: no keys but text, no writer but memory.
fn write_json(to: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(to, value).unwrap_or_default();
}

fn write_value(to: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Bool(Some(value)) => to.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Int(Some(value)) => write!(to, "{value}").unwrap_or_default(),
        Value::Text(Some(value)) => write_json(to, value),
        Value::Blob(Some(value)) => write_json(to, &hex::encode(value)),
        Value::Bool(None) | Value::Int(None) | Value::Text(None) | Value::Blob(None) => {
            to.extend_from_slice(b"null");
        }
    }
}

/// A value of a row as a line has it; what it means is for its column to say.
pub(super) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
}

/// A value of a row, ready for the database.
pub(super) enum Owned {
    Bool(Option<bool>),
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Owned {
    /// `None` if the column has another type.
    pub(super) fn new(cell: Cell<'_>, kind: Kind) -> Option<Self> {
        Some(match (kind, cell) {
            (Kind::Bool, Cell::Null) => Self::Bool(None),
            (Kind::Int, Cell::Null) => Self::Int(None),
            (Kind::Text, Cell::Null) => Self::Text(None),
            (Kind::Bytes, Cell::Null) => Self::Bytes(None),
            (Kind::Bool, Cell::Bool(value)) => Self::Bool(Some(value)),
            (Kind::Int, Cell::Int(value)) => Self::Int(Some(value)),
            (Kind::Text, Cell::Text(value)) => Self::Text(Some(value.into_owned())),
            (Kind::Bytes, Cell::Text(value)) => Self::Bytes(Some(hex::decode(&*value).ok()?)),
            (_, Cell::Bool(_) | Cell::Int(_) | Cell::Text(_)) => return None,
        })
    }

    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Text(value) => Value::Text(value.as_deref()),
            Self::Bytes(value) => Value::Blob(value.as_deref()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Cell<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("null, true, false, a whole number or a text")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Cell<'de>, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Cell<'de>, E> {
        Ok(Cell::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Cell<'de>, E> {
        Ok(Cell::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Cell<'de>, E> {
        i64::try_from(value).map(Cell::Int).map_err(|_| E::custom("a number over 64 bits"))
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Owned(value.to_owned())))
    }
}

/// The bytes of a SHA-256.
pub(super) fn bytes_of(digest: &Digest) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    bytes
}

mod millis {
    use portcullis_domain::time::Time;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
    pub(super) fn serialize<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(time.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        i64::deserialize(from).map(Time)
    }
}
