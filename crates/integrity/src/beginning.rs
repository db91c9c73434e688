//! How a file begins: enough of it to tell a program from a picture, whatever it is called. Not here: what
//! follows from that.

/// Enough for the marks of programs, a byte order mark before them, and a picture's mark with a page of
/// PHP right behind it.
const LENGTH: usize = 16;

/// The first bytes of a file, of which there may be fewer; none for anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    bytes: [u8; LENGTH],
    length: usize,
}

impl Beginning {
    /// That of a file with these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut beginning = Self::default();
        beginning.extend(bytes);
        beginning
    }

    /// The next bytes of the file, of which those count that still belong to its beginning.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let free = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (to, from) in free.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.length = LENGTH.min(self.length.saturating_add(bytes.len()));
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_first_bytes_however_they_come() {
        let check = |parts: &[&[u8]], expected: &[u8]| {
            let mut beginning = Beginning::default();
            for part in parts {
                beginning.extend(part);
            }
            assert_eq!(beginning.bytes(), expected);
            assert_eq!(beginning, Beginning::of(&parts.concat()));
        };
        check(&[], b"");
        check(&[b"", b"#!"], b"#!");
        check(&[b"#", b"!", b"/bin/sh"], b"#!/bin/sh");
        check(&[&[1; 15], &[2; 15], &[3; 15]], &[&[1; 15][..], &[2]].concat());
    }
}
