//! Going through a line from left to right: names, operators, quotes, and where what is in quotes ends.
//! Not here: what of it is a secret.

/// Where one is in a line, and in which quotes.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'l> {
    pub(super) line: &'l str,
    pub(super) at: usize,
    /// Behind which quote, if it has not come again.
    pub(super) quote: Option<u8>,
}

/// What stands between names and values, whatever comes of it; the longer ones first.
const OPERATORS: [&str; 16] =
    ["===", "!==", "<=>", "=>", ":=", "+=", ".=", "==", "!=", "=~", "<=", ">=", "=", ":", ",", "("];

impl<'l> Cursor<'l> {
    pub(super) fn new(line: &'l str) -> Self {
        Self { line, at: 0, quote: None }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    pub(super) fn rest(&self) -> &'l str {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// One byte on; of a backslash, with the one behind it.
    pub(super) fn step(&mut self) {
        let Some(byte) = self.peek() else { return };
        self.at += 1;
        if byte == b'\\' && self.peek().is_some_and(|next| next.is_ascii()) {
            self.at += 1;
        } else if is_quote(char::from(byte)) {
            self.quote = match self.quote {
                None => Some(byte),
                Some(quote) if quote == byte => None,
                other => other,
            };
        }
    }

    /// Passes an operator.
    pub(super) fn operator(&mut self) -> Option<&'static str> {
        let is_here = |operator: &&str| self.rest().starts_with(*operator);
        let operator = OPERATORS.into_iter().find(is_here)?;
        self.at += operator.len();
        Some(operator)
    }

    /// Passes spaces that separate a name from its value; in a remark one word at most is a value, as
    /// the rest is a sentence.
    pub(super) fn space(&mut self) -> Option<&'static str> {
        self.skip(|byte| is_behind_name(byte) && !byte.is_ascii_whitespace());
        if self.skip(|byte| byte.is_ascii_whitespace()).is_empty() {
            return None;
        }
        let mut words = self.rest().split_whitespace();
        words.next()?;
        let is_remark = self.line.trim_start().starts_with(['#', ';', '/']);
        let is_sentence = is_remark && words.next().is_some();
        (!is_sentence).then_some(" ")
    }

    /// Steps as long as bytes are such; what was passed.
    pub(super) fn skip(&mut self, is_such: fn(u8) -> bool) -> &'l str {
        let from = self.at;
        while self.peek().is_some_and(is_such) {
            self.step();
        }
        self.line.get(from..self.at).unwrap_or_default()
    }
}

pub(super) fn is_quote(character: char) -> bool {
    matches!(character, '"' | '\'' | '`')
}

pub(super) fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$')
}

/// What may stand between the end of a name and what separates it from its value.
pub(super) fn is_behind_name(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b'[' | b']' | b')' | b'?')
}

/// Where a text in quotes ends: at the quote, or at the end of the line.
pub(super) fn closing(line: &str, from: usize, quote: u8) -> usize {
    let (bytes, mut at) = (line.as_bytes(), from);
    while let Some(byte) = bytes.get(at) {
        match *byte {
            b'\\' => at += 2,
            byte if byte == quote => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Where a word ends for a shell, and in which quotes it goes on in the next line.
pub(super) fn shell_word(line: &str, from: usize) -> (usize, Option<u8>) {
    let mut cursor = Cursor { at: from, ..Cursor::new(line) };
    while let Some(byte) = cursor.peek() {
        let is_end = byte.is_ascii_whitespace() || matches!(byte, b';' | b'&' | b'|' | b')');
        if is_end && cursor.quote.is_none() {
            break;
        }
        cursor.step();
    }
    (cursor.at, cursor.quote)
}
