//! Signed notes (C2SP signed-note): a text, and below it lines that say who signed it. Ed25519
//! only. Not here: what the text says, which for the log is a checkpoint.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The type of an Ed25519 key and its signatures.
const ED25519_TYPE: u8 = 1;

/// What the private text of a key begins with.
pub const PRIVATE: &str = "PRIVATE+KEY+";

/// What opens a line of a signature: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// A longer note is refused before it is read: 16 signatures of any type must fit.
const LONGEST: usize = 256 * 1024;

/// What was wrong with a note, a key or a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteFault {
    #[error("the name of a key is not empty and has neither spaces nor a plus sign")]
    Name,
    #[error("this is not a key for notes: name, +, eight hexadecimal digits, +, base64")]
    Key,
    #[error("this is not a signed note")]
    Malformed,
    #[error("the note is not signed by this key")]
    Unsigned,
    #[error("the signature is not good")]
    BadSignature,
}

/// Signs notes. It has no `Debug`, `Display` or `Serialize`.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl SigningKey {
    /// The key of this name from the 32 bytes of its seed (RFC 8032, section 5.1.5).
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteFault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoteFault::Key)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| NoteFault::Key)?;
        let verifier = VerifierKey::new(name, public)?;
        Ok(Self { pair, verifier })
    }

    /// Reads what [`Self::private_text`] wrote, and no other spelling of it.
    pub fn parse(text: &str) -> Result<Self, NoteFault> {
        let rest = text.strip_prefix(PRIVATE).ok_or(NoteFault::Key)?;
        let (name, rest) = rest.split_once('+').ok_or(NoteFault::Key)?;
        let (_, encoded) = rest.split_once('+').ok_or(NoteFault::Key)?;
        let typed = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| NoteFault::Key)?);
        let [ED25519_TYPE, seed @ ..] = &typed[..] else { return Err(NoteFault::Key) };
        let seed = seed.try_into().map_err(|_| NoteFault::Key)?;
        let is_spelling = *Self::private_text(name, seed)? == text;
        if is_spelling { Self::from_seed(name, seed) } else { Err(NoteFault::Key) }
    }

    /// The key of a seed as text to be kept secret, `PRIVATE+KEY+name+hash+base64`, as Go's and other
    /// tools take it.
    pub fn private_text(name: &str, seed: &[u8; 32]) -> Result<Zeroizing<String>, NoteFault> {
        let id = hex::encode(Self::from_seed(name, seed)?.verifier.id);
        let typed = Zeroizing::new([&[ED25519_TYPE], &seed[..]].concat());
        let encoded = Zeroizing::new(STANDARD.encode(&*typed));
        Ok(Zeroizing::new(format!("{PRIVATE}{name}+{id}+{}", *encoded)))
    }

    /// What others check its notes with.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The signed note. A text is not empty, ends with a line feed and has no other control
    /// characters.
    pub fn sign(&self, text: &str) -> Result<String, NoteFault> {
        if !is_text(text) {
            return Err(NoteFault::Malformed);
        }
        let signature = self.pair.sign(text.as_bytes());
        let line = STANDARD.encode([&self.verifier.id, signature.as_ref()].concat());
        Ok(format!("{text}\n{DASH}{} {line}\n", self.verifier.name))
    }

    /// Signs what may be signed already: a signature of this key is replaced, those of others stay.
    /// `signatures` are the lines below the text.
    pub fn sign_beside(&self, text: &str, signatures: &str) -> Result<String, NoteFault> {
        let mut note = self.sign(text)?;
        for line in signatures.lines() {
            let signature = Signature::parse(line).ok_or(NoteFault::Malformed)?;
            if !signature.is_by(&self.verifier) {
                note.extend([line, "\n"]);
            }
        }
        Ok(note)
    }
}

/// Checks notes. Public: it is given to whoever is to check them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifierKey {
    /// The key of this name with these public bytes.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteFault> {
        if !is_name(name) {
            return Err(NoteFault::Name);
        }
        let typed = [&[ED25519_TYPE], &public[..]].concat();
        let id = key_id(name, &typed).ok_or(NoteFault::Key)?;
        Ok(Self { name: name.to_owned(), id, public })
    }

    /// Reads the text that [`fmt::Display`] writes, and no other spelling of it.
    pub fn parse(text: &str) -> Result<Self, NoteFault> {
        let (name, rest) = text.split_once('+').ok_or(NoteFault::Key)?;
        let (_, encoded) = rest.split_once('+').ok_or(NoteFault::Key)?;
        let typed = STANDARD.decode(encoded).map_err(|_| NoteFault::Key)?;
        let [ED25519_TYPE, public @ ..] = &typed[..] else { return Err(NoteFault::Key) };
        let key = Self::new(name, public.try_into().map_err(|_| NoteFault::Key)?)?;
        // The digits between are the hash of all the rest.
        if key.to_string() == text { Ok(key) } else { Err(NoteFault::Key) }
    }

    /// The name of the key; for a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(text.as_bytes(), signature).is_ok()
    }
}

/// `name+hash+base64`, as Go's and other tools take it.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[ED25519_TYPE], &self.public[..]].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id), STANDARD.encode(typed))
    }
}

/// The text of a note that `key` signed. Signatures of other keys are ignored, as the specification
/// wants; one that claims to be by this key and is not good refuses the whole note.
pub fn open<'a>(note: &'a str, key: &VerifierKey) -> Result<&'a str, NoteFault> {
    if note.len() > LONGEST {
        return Err(NoteFault::Malformed);
    }
    let (text, signatures) = split(note).ok_or(NoteFault::Malformed)?;
    let mut good = Err(NoteFault::Unsigned);
    for line in signatures.lines() {
        let signature = Signature::parse(line).ok_or(NoteFault::Malformed)?;
        if !signature.is_by(key) {
            continue;
        }
        if !key.has_signed(text, &signature.bytes) {
            return Err(NoteFault::BadSignature);
        }
        good = Ok(text);
    }
    good
}

/// The line of a note with which `key` signed it.
pub fn line_of<'a>(note: &'a str, key: &VerifierKey) -> Result<&'a str, NoteFault> {
    open(note, key)?;
    let (_, signatures) = split(note).ok_or(NoteFault::Malformed)?;
    let is_by = |line: &&str| Signature::parse(line).is_some_and(|signature| signature.is_by(key));
    signatures.lines().find(is_by).ok_or(NoteFault::Unsigned)
}

/// One line below the text.
struct Signature<'a> {
    name: &'a str,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl<'a> Signature<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
        let decoded = STANDARD.decode(encoded).ok()?;
        let (id, bytes) = decoded.split_first_chunk()?;
        let whole = is_name(name) && !bytes.is_empty();
        whole.then(|| Self { name, id: *id, bytes: bytes.to_vec() })
    }

    /// Whether it says that it is by this key.
    fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name && self.id == key.id
    }
}

/// The text with its last line feed, and the lines of the signatures.
fn split(note: &str) -> Option<(&str, &str)> {
    let blank = note.rfind("\n\n")?;
    let (text, rest) = note.split_at_checked(blank + 1)?;
    let signatures = rest.strip_prefix('\n')?;
    let whole = is_text(text) && is_text(signatures);
    whole.then_some((text, signatures))
}

fn is_text(text: &str) -> bool {
    text.ends_with('\n') && !text.bytes().any(|byte| byte < b' ' && byte != b'\n')
}

fn is_name(name: &str) -> bool {
    let forbidden = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '+';
    !name.is_empty() && !name.contains(forbidden)
}

fn key_id(name: &str, typed: &[u8]) -> Option<[u8; 4]> {
    let named = [name.as_bytes(), b"\n", typed].concat();
    digest(&SHA256, &named).as_ref().first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys and notes of golang.org/x/mod/sumdb/note.
    const PETER_SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const BY_PETER: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const BY_ENOCH: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

    fn key(text: &str) -> VerifierKey {
        VerifierKey::parse(text).unwrap()
    }

    fn peter() -> SigningKey {
        let seed = STANDARD.decode(PETER_SEED).unwrap();
        SigningKey::from_seed("PeterNeumann", seed[1..].try_into().unwrap()).unwrap()
    }

    #[test]
    fn notes_are_signed_as_gos_are() {
        assert_eq!(peter().sign(TEXT).unwrap(), format!("{TEXT}\n{BY_PETER}"));
        assert_eq!(peter().verifier().to_string(), PETER);
        for text in ["", "abc", "a\tb\n", "a\r\n"] {
            assert_eq!(peter().sign(text), Err(NoteFault::Malformed), "{text:?}");
        }
    }

    #[test]
    fn private_keys_are_written_as_gos_are() {
        let written = format!("PRIVATE+KEY+PeterNeumann+c74f20a3+{PETER_SEED}");
        let read = SigningKey::parse(&written).unwrap();
        assert_eq!(read.verifier(), &key(PETER));
        assert_eq!(read.sign(TEXT), peter().sign(TEXT));
        let seed = STANDARD.decode(PETER_SEED).unwrap();
        let again = SigningKey::private_text("PeterNeumann", seed[1..].try_into().unwrap());
        assert_eq!(*again.unwrap(), written);
        let check = |text: &str| assert_eq!(SigningKey::parse(text).err(), Some(NoteFault::Key));
        check("");
        check(PETER);
        check(&format!("{written}\n"));
        check(&written.replace("c74f20a3", "c74f20a4"));
        check(&written.replace("PeterNeumann", "PeterNeumenn"));
        check(&written[..written.len() - 4]);
    }

    #[test]
    fn a_note_is_signed_anew_beside_others() {
        let once = format!("{TEXT}\n{BY_PETER}{BY_ENOCH}");
        assert_eq!(peter().sign_beside(TEXT, BY_ENOCH), Ok(once.clone()));
        assert_eq!(peter().sign_beside(TEXT, &format!("{BY_ENOCH}{BY_PETER}")), Ok(once.clone()));
        assert_eq!(peter().sign_beside(TEXT, ""), peter().sign(TEXT));
        assert_eq!(peter().sign_beside(TEXT, "no line"), Err(NoteFault::Malformed));
        assert_eq!(line_of(&once, &key(PETER)), Ok(BY_PETER.trim_end()));
        assert_eq!(line_of(&format!("{TEXT}\n{BY_ENOCH}"), &key(PETER)), Err(NoteFault::Unsigned));
    }

    #[test]
    fn notes_are_opened_as_gos_are() {
        let check = |lines: &str, key_text: &str, expected: Result<&str, NoteFault>| {
            assert_eq!(open(&format!("{TEXT}\n{lines}"), &key(key_text)), expected, "{lines}");
        };
        let both = format!("{BY_PETER}{BY_ENOCH}");
        check(BY_PETER, PETER, Ok(TEXT));
        check(&both, PETER, Ok(TEXT));
        check(&both, ENOCH, Ok(TEXT));
        check(&BY_PETER.repeat(3), PETER, Ok(TEXT));
        check(BY_ENOCH, PETER, Err(NoteFault::Unsigned));
        // Another name, or another id: not a signature of this key.
        check(&BY_PETER.replace("PeterN", "CarmenN"), PETER, Err(NoteFault::Unsigned));
        check(&BY_PETER.replace("x08g", "xxxx"), PETER, Err(NoteFault::Unsigned));
        let bad = BY_PETER.replace("SffcvI", "SffcvJ");
        check(&bad, PETER, Err(NoteFault::BadSignature));
        check(&format!("{BY_PETER}{bad}"), PETER, Err(NoteFault::BadSignature));
        check(&format!("{BY_ENOCH}{bad}"), ENOCH, Ok(TEXT));
        let altered = format!("{TEXT}\n{BY_PETER}").replace("answer", "Answer");
        assert_eq!(open(&altered, &key(PETER)), Err(NoteFault::BadSignature));
    }

    #[test]
    fn a_text_may_have_blank_lines() {
        for text in ["a\n\nb\n", "\n", "\n\n", "a\n\n\n"] {
            let note = peter().sign(text).unwrap();
            assert_eq!(open(&note, &key(PETER)), Ok(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let bare = BY_PETER.trim_end();
        let notes = [
            String::new(),
            TEXT.to_owned(),
            format!("\n{TEXT}"),
            format!("{TEXT}\n"),
            format!("{TEXT}\n{bare}"),
            format!("{TEXT}{BY_PETER}"),
            format!("\n{BY_PETER}"),
            format!("\u{1}{TEXT}\n{BY_PETER}"),
            format!("{TEXT}\r\n\r\n{BY_PETER}"),
            format!("{TEXT}\n{}", BY_PETER.replace('—', "-")),
            format!("{TEXT}\n{}", BY_PETER.replace("PeterNeumann", "Bad Name")),
            format!("{TEXT}\n{}", BY_PETER.replace("PeterNeumann", "a+b")),
            format!("{TEXT}\n{}", BY_PETER.replace("AM=", "AM")),
            format!("{TEXT}\n{BY_PETER}something else\n"),
            format!("{TEXT}\n{BY_PETER}— EnochRoot rwz+eA==\n"),
            format!("{}{TEXT}\n{BY_PETER}", "x".repeat(LONGEST)),
        ];
        for note in notes {
            assert_eq!(open(&note, &key(PETER)), Err(NoteFault::Malformed), "{note:.200?}");
        }
    }

    #[test]
    fn a_key_has_one_spelling() {
        let check = |text: &str, fault| assert_eq!(VerifierKey::parse(text), Err(fault), "{text}");
        assert_eq!(key(PETER).to_string(), PETER);
        assert_eq!(key(PETER).name(), "PeterNeumann");
        check("", NoteFault::Key);
        check("PeterNeumann", NoteFault::Key);
        check(&PETER.replace("c74f20a3", "c74f20a4"), NoteFault::Key);
        check(&PETER.replace("c74f20a3", "C74F20A3"), NoteFault::Key);
        check(&PETER.replace("PeterNeumann", "PeterNeumenn"), NoteFault::Key);
        check(&PETER.replace("+ARpc", "+AhpC"), NoteFault::Key);
        check(&PETER[..PETER.len() - 4], NoteFault::Key);
        check(&format!("{PETER}\n"), NoteFault::Key);
        check(&PETER.replace("PeterNeumann", ""), NoteFault::Name);
        check(&PETER.replace("PeterNeumann", "Peter Neumann"), NoteFault::Name);
        check(&PETER.replace("PeterNeumann", "Peter\u{2003}Neumann"), NoteFault::Name);
        for name in ["", "a b", "a+b", "a\nb", "a\u{7f}b"] {
            let made = SigningKey::from_seed(name, &[7; 32]);
            assert_eq!(made.err(), Some(NoteFault::Name), "{name:?}");
        }
    }
}
