//! The state machine that follows HTTP/1 framing along one direction of a connection.
//!
//! Pure and incremental: it is fed bytes and says how many of them may pass. It knows no socket,
//! and it keeps no bytes: an unfinished head is fed again, longer, and only its new part is
//! searched.

use super::head::{self, Body, Fault};

/// The connection preface of HTTP/2 (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The longest line of a chunk's size with its extensions, in bytes.
const MAX_CHUNK_LINE: usize = 256;

/// Where in the stream the next byte belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// Nothing was sent yet: HTTP/1 or the preface of HTTP/2.
    Start,
    /// In a head, or before one.
    Head(Search),
    /// So many bytes of a body are to come.
    Length(u64),
    /// In a chunked body.
    Chunked(Chunk),
    /// HTTP/2 or an upgraded connection: not ours to read.
    Through,
}

/// How far an unfinished head was searched for its end.
#[derive(Clone, Copy, Debug)]
struct Search {
    /// So many of its bytes hold no end.
    searched: usize,
    /// Its last line begins at this byte.
    line: usize,
    /// An empty line before the request line has passed already.
    empty_line: bool,
}

#[derive(Clone, Copy, Debug)]
enum Chunk {
    Size { digits: u8, size: u64 },
    Extension { length: usize, size: u64 },
    SizeLf { size: u64 },
    Data(u64),
    DataCr,
    DataLf,
    Trailer { part: Trailer, length: usize },
}

#[derive(Clone, Copy, Debug)]
enum Trailer {
    LineStart,
    Name,
    Value,
    ValueLf,
    LastLf,
}

/// The outcome of one feeding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// So many of the bytes fed may pass; the rest must be fed again with more behind it.
    pub(super) released: usize,
    /// The byte after the released ones must not pass, nor anything behind it.
    pub(super) fault: Option<Fault>,
}

impl Machine {
    pub(super) const fn new() -> Self {
        Self { place: Place::Start }
    }

    /// Whether no byte of the connection was released yet.
    pub(super) const fn is_at_start(&self) -> bool {
        matches!(self.place, Place::Start)
    }

    /// Whether the next byte belongs to a body, so that a fault ends that body.
    pub(super) const fn is_in_body(&self) -> bool {
        matches!(self.place, Place::Length(_) | Place::Chunked(_))
    }

    pub(super) const fn is_through(&self) -> bool {
        matches!(self.place, Place::Through)
    }

    /// Everything from here on belongs to another protocol.
    pub(super) const fn pass_through(&mut self) {
        self.place = Place::Through;
    }

    /// Follow `input`, which begins with the first byte that was not yet released.
    pub(super) fn feed(&mut self, input: &[u8]) -> Step {
        let mut released = 0;
        loop {
            let rest = input.get(released..).unwrap_or_default();
            if rest.is_empty() {
                return Step { released, fault: None };
            }
            match self.advance(rest) {
                Ok(0) => return Step { released, fault: None },
                Ok(passed) => released += passed,
                Err(fault) => return Step { released, fault: Some(fault) },
            }
        }
    }

    /// Pass at most one head, or one run of body bytes. Zero: more bytes are needed.
    fn advance(&mut self, input: &[u8]) -> Result<usize, Fault> {
        match self.place {
            Place::Start => self.start(input),
            Place::Head(search) => self.head(input, search),
            Place::Length(left) => {
                let passed = take(left, input);
                self.place = after_length(left - passed as u64);
                Ok(passed)
            }
            Place::Chunked(Chunk::Data(left)) => {
                let passed = take(left, input);
                let left = left - passed as u64;
                let next = if left == 0 { Chunk::DataCr } else { Chunk::Data(left) };
                self.place = Place::Chunked(next);
                Ok(passed)
            }
            Place::Chunked(chunk) => {
                let byte = input.first().copied().unwrap_or_default();
                self.place = chunk.next(byte).ok_or(Fault::Chunk)?;
                Ok(1)
            }
            Place::Through => Ok(input.len()),
        }
    }

    /// Tell HTTP/2 from HTTP/1 as soon as the bytes differ from the preface.
    fn start(&mut self, input: &[u8]) -> Result<usize, Fault> {
        if input.starts_with(PREFACE) {
            self.place = Place::Through;
            return Ok(PREFACE.len());
        }
        if PREFACE.starts_with(input) {
            return Ok(0);
        }
        self.place = NEXT_HEAD;
        self.advance(input)
    }

    /// Search for the end of the head from where the last search stopped; check it when found.
    fn head(&mut self, input: &[u8], mut search: Search) -> Result<usize, Fault> {
        let fresh = input.get(search.searched..).unwrap_or_default();
        for at in memchr::memchr_iter(b'\n', fresh).map(|at| at + search.searched) {
            if at >= head::MAX_HEAD {
                return Err(Fault::HeadTooLarge);
            }
            let line = input.get(search.line..at).unwrap_or_default();
            if !line.ends_with(b"\r") {
                return Err(Fault::BareLf);
            }
            if line.len() == 1 {
                return self.empty_line(input.get(..=at).unwrap_or_default(), search);
            }
            search.line = at + 1;
        }
        if input.len() > head::MAX_HEAD {
            return Err(Fault::HeadTooLarge);
        }
        search.searched = input.len();
        self.place = Place::Head(search);
        Ok(0)
    }

    /// An empty line ends a head; one before the request line is ignored (RFC 9112 section 2.2).
    fn empty_line(&mut self, upto: &[u8], search: Search) -> Result<usize, Fault> {
        let before_request_line = search.line == 0;
        self.place = if before_request_line && !search.empty_line {
            Place::Head(Search { searched: 0, line: 0, empty_line: true })
        } else {
            match head::check(upto)? {
                Body::Length(length) => after_length(length),
                Body::Chunked => Place::Chunked(Chunk::FIRST),
            }
        };
        Ok(upto.len())
    }
}

const NEXT_HEAD: Place = Place::Head(Search { searched: 0, line: 0, empty_line: false });

const fn after_length(left: u64) -> Place {
    if left == 0 { NEXT_HEAD } else { Place::Length(left) }
}

/// How many bytes of `input` belong to a run of which `left` bytes are to come.
fn take(left: u64, input: &[u8]) -> usize {
    usize::try_from(left).map_or(input.len(), |left| left.min(input.len()))
}

impl Chunk {
    const FIRST: Self = Self::Size { digits: 0, size: 0 };

    /// The place after one byte of a chunked body's own syntax; `None`: the byte breaks it.
    ///
    /// Stricter than the grammar: no white space around the size, and a bounded extension.
    fn next(self, byte: u8) -> Option<Place> {
        let next = match (self, byte) {
            (Self::Size { digits: 1.., size } | Self::Extension { size, .. }, b'\r') => {
                Self::SizeLf { size }
            }
            (Self::Size { digits: 1.., size }, b';') => Self::Extension { length: 0, size },
            (Self::Size { digits: digits @ 0..15, size }, _) if byte.is_ascii_hexdigit() => {
                Self::Size { digits: digits + 1, size: size << 4 | hex(byte) }
            }
            (Self::Extension { length: length @ 0..MAX_CHUNK_LINE, size }, b'\t' | b' '..=b'~') => {
                Self::Extension { length: length + 1, size }
            }
            (Self::SizeLf { size: 0 }, b'\n') => {
                Self::Trailer { part: Trailer::LineStart, length: 0 }
            }
            (Self::SizeLf { size }, b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::FIRST,
            (Self::Trailer { part: Trailer::LastLf, .. }, b'\n') => return Some(NEXT_HEAD),
            (Self::Trailer { part, length: length @ 0..head::MAX_HEAD }, _) => {
                Self::Trailer { part: part.next(byte)?, length: length + 1 }
            }
            _ => return None,
        };
        Some(Place::Chunked(next))
    }
}

impl Trailer {
    /// The same line syntax as in a head, byte by byte.
    fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::LineStart, b'\r') => Some(Self::LastLf),
            (Self::Name, b':') => Some(Self::Value),
            (Self::LineStart | Self::Name, _) if head::is_token(byte) => Some(Self::Name),
            (Self::Value, b'\r') => Some(Self::ValueLf),
            (Self::Value, _) if head::is_field_byte(byte) => Some(Self::Value),
            (Self::ValueLf, b'\n') => Some(Self::LineStart),
            _ => None,
        }
    }
}

fn hex(byte: u8) -> u64 {
    char::from(byte).to_digit(16).map_or(0, u64::from)
}
