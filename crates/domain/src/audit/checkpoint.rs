//! Checkpoints (C2SP tlog-checkpoint): what a log was at one moment, signed as a note. Not here: when
//! one is made, and whether it continues the one before (`proof`).

use std::fmt;

use super::note::{self, NoteFault, SigningKey, VerifierKey};
use super::proof::Head;
use super::tree::Hash;

/// A log by its name, at one size, with the root it has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointFault {
    #[error(transparent)]
    Note(#[from] NoteFault),
    #[error("the note is not a checkpoint")]
    Malformed,
    #[error("the checkpoint is of another log")]
    Origin,
}

impl Checkpoint {
    /// The signed note. The origin is the name of the key.
    pub fn sign(head: Head, key: &SigningKey) -> Result<String, NoteFault> {
        let origin = key.verifier().name().to_owned();
        key.sign(&Self { origin, size: head.size, root: head.root }.to_string())
    }

    /// Reads a note that `key` signed, for the log that has the name of the key.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, CheckpointFault> {
        let text = note::open(note, key)?;
        let checkpoint = Self::parse(text).ok_or(CheckpointFault::Malformed)?;
        if checkpoint.origin == key.name() { Ok(checkpoint) } else { Err(CheckpointFault::Origin) }
    }

    /// Reads the text that [`fmt::Display`] writes, and no other spelling of it. Lines after the
    /// third, which the format allows, are refused: nobody could check what they say.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let read =
            Self { origin: origin.to_owned(), size: size.parse().ok()?, root: Hash::parse(root)? };
        (!origin.is_empty() && read.to_string() == text).then_some(read)
    }

    /// Without the origin.
    pub fn head(&self) -> Head {
        Head { size: self.size, root: self.root }
    }
}

/// The text that is signed: three lines.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str = "example.com/behind-the-sofa\n\
                           20852163\n\
                           CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn key(name: &str) -> SigningKey {
        SigningKey::from_seed(name, &[7; 32]).unwrap()
    }

    #[test]
    fn the_example_of_the_specification_is_read() {
        let read = Checkpoint::parse(EXAMPLE).unwrap();
        assert_eq!(read.origin, "example.com/behind-the-sofa");
        assert_eq!(read.size, 20_852_163);
        assert_eq!(read.root.to_string(), "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
        assert_eq!(read.to_string(), EXAMPLE);
    }

    #[test]
    fn other_texts_are_no_checkpoints() {
        let hash = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        let texts = [
            String::new(),
            "example.com/log\n".to_owned(),
            format!("example.com/log\n1\n{hash}"),
            format!("\n1\n{hash}\n"),
            format!("example.com/log\n01\n{hash}\n"),
            format!("example.com/log\n+1\n{hash}\n"),
            format!("example.com/log\n-1\n{hash}\n"),
            format!("example.com/log\n0x1\n{hash}\n"),
            format!("example.com/log\n18446744073709551616\n{hash}\n"),
            format!("example.com/log\n1\n{}\n", &hash[..40]),
            format!("example.com/log\n1\n{hash} \n"),
            format!("example.com/log\r\n1\r\n{hash}\r\n"),
            format!("example.com/log\n1\n{hash}\n\n"),
            format!("example.com/log\n1\n{hash}\nextension\n"),
        ];
        for text in texts {
            assert_eq!(Checkpoint::parse(&text), None, "{text:?}");
        }
        assert!(Checkpoint::parse(&format!("example.com/log\n0\n{hash}\n")).is_some());
        assert!(Checkpoint::parse(&format!("example.com/log\n{}\n{hash}\n", u64::MAX)).is_some());
    }

    #[test]
    fn a_checkpoint_is_opened_by_the_key_of_its_log() {
        let log = key("example.com/log");
        let head = Head { size: 5, root: super::super::tree::empty_root() };
        let note = Checkpoint::sign(head, &log).unwrap();
        let read = Checkpoint::open(&note, log.verifier()).unwrap();
        assert_eq!((read.origin.as_str(), read.head()), ("example.com/log", head));

        let other = key("example.com/other");
        let unsigned = Err(CheckpointFault::Note(NoteFault::Unsigned));
        assert_eq!(Checkpoint::open(&note, other.verifier()), unsigned);
        let bigger = note.replacen("\n5\n", "\n6\n", 1);
        let bad = Err(CheckpointFault::Note(NoteFault::BadSignature));
        assert_eq!(Checkpoint::open(&bigger, log.verifier()), bad);
        let letter = log.sign("Dear auditor\n").unwrap();
        assert_eq!(Checkpoint::open(&letter, log.verifier()), Err(CheckpointFault::Malformed));
        let borrowed = log.sign(&read.to_string().replace("/log", "/other")).unwrap();
        assert_eq!(Checkpoint::open(&borrowed, log.verifier()), Err(CheckpointFault::Origin));
    }
}
