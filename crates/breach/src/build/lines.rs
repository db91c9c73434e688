//! Lines of a file, fast and of bounded length.

use std::io::{self, ErrorKind, Read};

use crate::line::LONGEST;

/// Bytes that are read at once.
const STEP: usize = 1 << 20;

/// Gives one line after the other, without its line feed.
pub(super) struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    /// What of the buffer was not given yet.
    start: usize,
    end: usize,
    is_over: bool,
}

/// A line, or why there is none.
pub(super) enum Next<'l> {
    Line(&'l [u8]),
    /// It has more bytes than any of ours.
    TooLong,
    End,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, buffer: vec![0; STEP], start: 0, end: 0, is_over: false }
    }

    /// The next one, and how many bytes it has with its end.
    pub(super) fn next(&mut self) -> io::Result<(Next<'_>, u64)> {
        loop {
            let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
            let length = match memchr::memchr(b'\n', rest) {
                Some(length) if length <= LONGEST => length,
                None if rest.len() <= LONGEST && !self.is_over => {
                    self.fill()?;
                    continue;
                }
                None if rest.is_empty() => return Ok((Next::End, 0)),
                None if rest.len() <= LONGEST => rest.len(),
                Some(_) | None => return Ok((Next::TooLong, 0)),
            };
            let from = self.start;
            let bytes = (length + 1).min(self.end - from);
            self.start += bytes;
            let line = self.buffer.get(from..from + length).unwrap_or_default();
            return Ok((Next::Line(line), bytes as u64));
        }
    }

    /// Reads on behind what is left.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            let free = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.from.read(free) {
                Ok(count) => {
                    self.end += count;
                    self.is_over = count == 0;
                    return Ok(());
                }
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives little at a time.
    struct Dribble<'a>(&'a [u8]);

    impl Read for Dribble<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let (first, rest) = self.0.split_at(self.0.len().min(3).min(into.len()));
            into[..first.len()].copy_from_slice(first);
            self.0 = rest;
            Ok(first.len())
        }
    }

    #[test]
    fn lines_come_as_they_are_and_none_without_end() {
        let check = |text: &str, expected: &[&str]| {
            let mut lines = Lines::new(Dribble(text.as_bytes()));
            let (mut found, mut bytes) = (Vec::new(), 0);
            loop {
                let (next, length) = lines.next().unwrap();
                bytes += length;
                match next {
                    Next::Line(line) => found.push(String::from_utf8(line.to_vec()).unwrap()),
                    Next::TooLong => break found.push("too long".to_owned()),
                    Next::End => break assert_eq!(bytes, text.len() as u64),
                }
            }
            assert_eq!(found, expected, "{text:?}");
        };
        check("", &[]);
        check("\n", &[""]);
        check("one\ntwo\r\nthree", &["one", "two\r", "three"]);
        check("one\n\ntwo\n", &["one", "", "two"]);
        let (fits, long) = ("x".repeat(LONGEST), "x".repeat(LONGEST + 1));
        check(&fits, &[&fits]);
        check(&format!("{fits}\n{fits}\n"), &[&fits, &fits]);
        check(&long, &["too long"]);
        check(&format!("a\n{long}\nb\n"), &["a", "too long"]);
    }

    #[test]
    fn steps_do_not_cut_lines() {
        let line = "0123456789ABCDEF\n";
        let text = line.repeat(3 * STEP / line.len());
        let mut lines = Lines::new(text.as_bytes());
        let mut count = 0;
        while let (Next::Line(found), _) = lines.next().unwrap() {
            assert_eq!(found, line.trim_end().as_bytes());
            count += 1;
        }
        assert_eq!(count, text.len() / line.len());
    }
}
