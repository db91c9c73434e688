//! Proofs as text that stands by itself: C2SP tlog-proof for one entry, and a text of the same
//! manner, for which there is no published format, for two checkpoints. Whoever has one and the
//! log's key needs nothing else. Not here: how a proof is made and checked (`proof`).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::{Checkpoint, CheckpointFault};
use super::note::VerifierKey;
use super::proof::{verify_consistency, verify_inclusion};
use super::tree::{Hash, leaf_hash};

const INCLUSION: &str = "c2sp.org/tlog-proof@v1";
const CONSISTENCY: &str = "portcullis/consistency-proof@v1";

/// The text of a proof, of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofFile {
    Inclusion(Inclusion),
    Consistency(Consistency),
}

/// That an entry is in the tree of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    pub index: u64,
    /// The bytes of the entry: the `extra` of the format.
    pub entry: Option<Vec<u8>>,
    pub path: Vec<Hash>,
    /// The signed note.
    pub checkpoint: String,
}

/// That the tree of a newer checkpoint continues the one of an older.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consistency {
    pub path: Vec<Hash>,
    /// The signed notes.
    pub older: String,
    pub newer: String,
}

/// Why a proof is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    #[error("this is not a proof of a log")]
    Malformed,
    #[error("the proof does not carry its entry: it must be given beside it")]
    NoEntry,
    #[error(transparent)]
    Checkpoint(#[from] CheckpointFault),
    #[error("the entry is not in the log of the checkpoint, or not at this index")]
    NotIncluded,
    #[error("the newer checkpoint does not continue the older one")]
    Inconsistent,
}

impl ProofFile {
    /// Reads what [`fmt::Display`] writes, and no other spelling of it.
    pub fn parse(text: &str) -> Result<Self, ProofFault> {
        let (kind, _) = text.split_once('\n').ok_or(ProofFault::Malformed)?;
        let read = match kind {
            INCLUSION => Inclusion::parse(text).map(Self::Inclusion),
            CONSISTENCY => Consistency::parse(text).map(Self::Consistency),
            _ => None,
        };
        read.filter(|read| read.to_string() == text).ok_or(ProofFault::Malformed)
    }
}

impl fmt::Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inclusion(proof) => proof.fmt(f),
            Self::Consistency(proof) => proof.fmt(f),
        }
    }
}

impl Inclusion {
    /// Checks it against the key of the log. `entry`, where it is given, is what must be in the log,
    /// whatever the proof itself carries.
    pub fn verify(
        &self,
        entry: Option<&[u8]>,
        key: &VerifierKey,
    ) -> Result<Checkpoint, ProofFault> {
        let entry = entry.or(self.entry.as_deref()).ok_or(ProofFault::NoEntry)?;
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        let (leaf, root) = (leaf_hash(entry), checkpoint.root);
        verify_inclusion(self.index, checkpoint.size, leaf, &self.path, root)
            .map_err(|_| ProofFault::NotIncluded)?;
        Ok(checkpoint)
    }

    fn parse(text: &str) -> Option<Self> {
        let (head, checkpoint) = text.split_once("\n\n")?;
        let mut lines = head.lines().skip(1).peekable();
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let entry = match extra {
            Some(line) => Some(STANDARD.decode(line.strip_prefix("extra ")?).ok()?),
            None => None,
        };
        let index = lines.next()?.strip_prefix("index ")?.parse().ok()?;
        let path = lines.map(Hash::parse).collect::<Option<_>>()?;
        Some(Self { index, entry, path, checkpoint: checkpoint.to_owned() })
    }
}

impl fmt::Display for Inclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{INCLUSION}")?;
        if let Some(entry) = &self.entry {
            writeln!(f, "extra {}", STANDARD.encode(entry))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl Consistency {
    /// Checks it against the key of the log, and gives both checkpoints, the older one first.
    pub fn verify(&self, key: &VerifierKey) -> Result<(Checkpoint, Checkpoint), ProofFault> {
        let older = Checkpoint::open(&self.older, key)?;
        let newer = Checkpoint::open(&self.newer, key)?;
        verify_consistency(older.head(), newer.head(), &self.path)
            .map_err(|_| ProofFault::Inconsistent)?;
        Ok((older, newer))
    }

    /// A checkpoint has exactly one blank line, and one stands between any two parts.
    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split("\n\n").collect();
        let [head, older_text, older_signatures, newer_text, newer_signatures] = parts[..] else {
            return None;
        };
        let path = head.lines().skip(1).map(Hash::parse).collect::<Option<_>>()?;
        Some(Self {
            path,
            older: format!("{older_text}\n\n{older_signatures}\n"),
            newer: format!("{newer_text}\n\n{newer_signatures}"),
        })
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{CONSISTENCY}")?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}\n{}", self.older, self.newer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::note::{NoteFault, SigningKey};
    use super::super::proof::Head;
    use super::super::tiles::tests::Stored;
    use super::super::tree::root_of;
    use super::*;

    fn key(name: &str) -> SigningKey {
        SigningKey::from_seed(name, &[7; 32]).unwrap()
    }

    fn entry(index: u8) -> Vec<u8> {
        format!("{{\"i\":{index}}}").into_bytes()
    }

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|index| leaf_hash(&entry(index))).collect()
    }

    fn checkpoint(size: u8) -> String {
        let head = Head { size: size.into(), root: root_of(&leaves(size)) };
        Checkpoint::sign(head, &key("example.com/log")).unwrap()
    }

    fn inclusion(index: u8, size: u8) -> Inclusion {
        let (at, among) = (index.into(), size.into());
        let needed = super::super::tiles::Tiles::needed_for_inclusion(at, among);
        let tiles = Stored::of(&leaves(size), 100).load(&needed);
        let path = tiles.inclusion(at, among).unwrap();
        Inclusion { index: at, entry: Some(entry(index)), path, checkpoint: checkpoint(size) }
    }

    fn consistency(older: u8, newer: u8) -> Consistency {
        let (from, to) = (older.into(), newer.into());
        let needed = super::super::tiles::Tiles::needed_for_consistency(from, to);
        let path = Stored::of(&leaves(newer), 100).load(&needed).consistency(from, to).unwrap();
        Consistency { path, older: checkpoint(older), newer: checkpoint(newer) }
    }

    fn read(text: &str) -> ProofFile {
        ProofFile::parse(text).unwrap()
    }

    #[test]
    fn an_entry_is_proven_from_the_text_alone() {
        let log = key("example.com/log");
        let proof = inclusion(5, 21);
        let text = proof.to_string();
        assert!(
            text.starts_with("c2sp.org/tlog-proof@v1\nextra eyJpIjo1fQ==\nindex 5\n"),
            "{text}"
        );
        assert!(text.ends_with(&format!("\n\n{}", checkpoint(21))), "{text}");
        assert_eq!(read(&text), ProofFile::Inclusion(proof.clone()));
        assert_eq!(proof.verify(None, log.verifier()).unwrap().size, 21);
        assert!(proof.verify(Some(&entry(5)), log.verifier()).is_ok());

        let refused = |proof: &Inclusion, entry: Option<&[u8]>, fault| {
            assert_eq!(proof.verify(entry, log.verifier()), Err(fault));
        };
        refused(&proof, Some(&entry(6)), ProofFault::NotIncluded);
        refused(&Inclusion { index: 6, ..proof.clone() }, None, ProofFault::NotIncluded);
        let bare = Inclusion { entry: None, ..proof.clone() };
        refused(&bare, None, ProofFault::NoEntry);
        assert!(bare.verify(Some(&entry(5)), log.verifier()).is_ok());
        assert_eq!(read(&bare.to_string()), ProofFile::Inclusion(bare));
        let stranger = key("example.com/other");
        let unsigned = ProofFault::Checkpoint(CheckpointFault::Note(NoteFault::Unsigned));
        assert_eq!(proof.verify(None, stranger.verifier()), Err(unsigned));
        let alone = inclusion(0, 1);
        assert_eq!(read(&alone.to_string()), ProofFile::Inclusion(alone));
    }

    #[test]
    fn a_continuation_is_proven_from_the_text_alone() {
        let log = key("example.com/log");
        let proof = consistency(9, 21);
        assert_eq!(read(&proof.to_string()), ProofFile::Consistency(proof.clone()));
        let (older, newer) = proof.verify(log.verifier()).unwrap();
        assert_eq!((older.size, newer.size), (9, 21));
        let swapped = Consistency {
            older: proof.newer.clone(),
            newer: proof.older.clone(),
            path: proof.path.clone(),
        };
        assert_eq!(swapped.verify(log.verifier()), Err(ProofFault::Inconsistent));
        let shorter = Consistency { path: proof.path[1..].to_vec(), ..proof };
        assert_eq!(shorter.verify(log.verifier()), Err(ProofFault::Inconsistent));
        let same = consistency(9, 9);
        assert_eq!(read(&same.to_string()), ProofFile::Consistency(same.clone()));
        assert!(same.verify(log.verifier()).is_ok());
    }

    #[test]
    fn other_texts_are_no_proofs() {
        let proof = inclusion(5, 21).to_string();
        let between = consistency(9, 21).to_string();
        let texts = [
            String::new(),
            "c2sp.org/tlog-proof@v1\n".to_owned(),
            "wrong-header\nindex 0\n\ncheckpoint\n".to_owned(),
            "c2sp.org/tlog-proof@v1\nextra !!notbase64!!\nindex 0\n\ncheckpoint\n".to_owned(),
            "c2sp.org/tlog-proof@v1\n\n\ncheckpoint\n".to_owned(),
            "c2sp.org/tlog-proof@v1\nindex notanumber\n\ncheckpoint\n".to_owned(),
            "c2sp.org/tlog-proof@v1\nindex -5\n\ncheckpoint\n".to_owned(),
            "c2sp.org/tlog-proof@v1\nindex 05\n\ncheckpoint\n".to_owned(),
            "c2sp.org/tlog-proof@v1\nindex 0\n!!notbase64!!\n\ncheckpoint\n".to_owned(),
            format!("c2sp.org/tlog-proof@v1\nindex 0\n{}\n\ncheckpoint\n", "AAAA".repeat(16)),
            proof.replace("@v1", "@v2"),
            proof.replace('\n', "\r\n"),
            between.replace("portcullis/", "portcullis//"),
            between.trim_end().to_owned(),
            format!("{between}\n{}", checkpoint(22)),
        ];
        for text in texts {
            let read = ProofFile::parse(&text);
            let refused = match read {
                Err(fault) => fault == ProofFault::Malformed,
                Ok(ProofFile::Consistency(proof)) => {
                    proof.verify(key("example.com/log").verifier()).is_err()
                }
                Ok(ProofFile::Inclusion(_)) => false,
            };
            assert!(refused, "{text}");
        }
    }
}
