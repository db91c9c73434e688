//! The SHA-256 digest of a file (FIPS 180-4). Not a password hash, and not a MAC: anyone can
//! compute it, so it proves which bytes a file holds, not who wrote them.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256, digest};

/// The SHA-256 digest of some bytes. Shown and parsed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// Bytes that come bit by bit.
#[derive(Default)]
pub(crate) struct Hasher(Option<Context>);

impl Hasher {
    /// The next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.get_or_insert_with(|| Context::new(&SHA256)).update(bytes);
    }

    /// The digest of all of them.
    pub(crate) fn finish(self) -> Digest {
        self.finish_with(b"")
    }

    /// The same, with the last of them. If they are all that there is, that is done at once, which is
    /// faster.
    pub(crate) fn finish_with(self, last: &[u8]) -> Digest {
        let digest = match self.0 {
            Some(mut context) => {
                context.update(last);
                context.finish()
            }
            None => digest(&SHA256, last),
        };
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Digest(bytes)
    }
}

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADigest;

impl Digest {
    /// Reads a regular file to its end, in steps of 64 KiB: memory does not grow with the file.
    ///
    /// Follows symbolic links. Anything but a regular file is [`ErrorKind::InvalidInput`], because
    /// a pipe or a device may never end. A file that is written to meanwhile has the digest of
    /// whatever was read.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        // Looked at before it is opened: opening a pipe would wait for a writer.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        Self::of_reader(File::open(path)?)
    }

    /// Reads to the end, in steps of 64 KiB.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes themselves.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        hex::encode_to_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        out.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    /// One digest has one spelling: upper case is refused.
    fn from_str(text: &str) -> Result<Self, NotADigest> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(NotADigest);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotADigest)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for NotADigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a digest is 64 lower-case hexadecimal digits")
    }
}

impl std::error::Error for NotADigest {}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const MILLION_A: &str = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

    /// The examples of FIPS 180-4, through a file and through a reader that gives little at a time.
    #[test]
    fn agrees_with_the_published_examples() {
        let folder = tempfile::tempdir().unwrap();
        for (bytes, expected) in
            [(Vec::new(), EMPTY), (b"abc".to_vec(), ABC), (vec![b'a'; 1_000_000], MILLION_A)]
        {
            let path = folder.path().join("file");
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(Digest::of_file(&path).unwrap().to_string(), expected);
            let dribble = Dribble { rest: &bytes, interrupted: false };
            assert_eq!(Digest::of_reader(dribble).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn refuses_what_is_not_a_regular_file() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert_eq!(Digest::of_file(&missing).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(Digest::of_file(folder.path()).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(
            Digest::of_file(Path::new("/dev/zero")).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }

    #[test]
    fn a_reader_that_fails_gives_no_digest() {
        assert_eq!(Digest::of_reader(Broken).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn parses_its_own_text_and_nothing_else() {
        let digest: Digest = ABC.parse().unwrap();
        assert_eq!(digest.to_string(), ABC);
        assert_eq!(hex::encode(digest.as_bytes()), ABC);
        let upper = ABC.to_uppercase();
        let long = format!("{ABC}0");
        for text in ["", &ABC[1..], &ABC[2..], &long, &upper, &ABC.replace('b', "g")] {
            assert_eq!(text.parse::<Digest>(), Err(NotADigest), "{text}");
        }
    }

    /// Seven bytes at most, each step interrupted once before it.
    struct Dribble<'a> {
        rest: &'a [u8],
        interrupted: bool,
    }

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(ErrorKind::Interrupted.into());
            }
            let (first, rest) = self.rest.split_at(self.rest.len().min(7));
            buffer[..first.len()].copy_from_slice(first);
            self.rest = rest;
            Ok(first.len())
        }
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }
}
