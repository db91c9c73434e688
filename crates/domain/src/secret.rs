//! Secrets: the one master secret, the keys that come from it, and the opaque credentials that are
//! made at random, shown once and kept only as a MAC. Nothing here has `Debug`, `Display` or
//! `Serialize`. Not here: passwords (`password`) and the layout of CSRF tokens (`csrf`).

use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::access_token::TokenId;
use crate::audit::personal::AuditKeys;
use crate::backup::BackupKey;
use crate::backup_code::BackupCode;
use crate::csrf::CsrfKeys;
use crate::device::DeviceKey;
use crate::id::SessionHandle;
use crate::integrity::WatchKeys;
use crate::one_time_code::Code;
use crate::probe::ProbeKey;
use crate::remember::RememberKey;
use crate::signing_key::KeySeal;
use crate::totp::FactorKey;

/// The generation of the keys. It is part of every label, so that a later generation shares nothing
/// with this one.
const KID: u8 = 1;

/// The secret that every key comes from: 32 random bytes, the same on every node.
#[derive(Clone)]
pub struct MasterSecret(Zeroizing<[u8; 32]>);

/// The text is not a secret of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is 64 lower-case hexadecimal digits and nothing else")]
pub struct SecretFault;

impl MasterSecret {
    /// A new secret from 32 bytes of a cryptographic generator.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads what [`Self::to_file_text`] wrote; white space around it does not matter.
    pub fn parse(text: &str) -> Result<Self, SecretFault> {
        lower_hex(text.trim()).map(Self::from_random).ok_or(SecretFault)
    }

    /// The content of the secret's file: 64 hexadecimal digits and a line end.
    pub fn to_file_text(&self) -> Zeroizing<String> {
        let mut text = hex::encode(*self.0);
        text.push('\n');
        Zeroizing::new(text)
    }
}

/// Every key, prepared once at start: preparing an HMAC key costs as much as using it.
#[derive(Clone)]
pub struct Keys {
    /// For the audit log.
    pub audit: AuditKeys,
    /// For what the store keeps instead of a credential.
    pub credential: MacKey,
    /// For CSRF tokens.
    pub csrf: CsrfKeys,
    /// For the cookie of a device that signed in before.
    pub device: DeviceKey,
    /// For the cookie of a browser that stays signed in.
    pub remember: RememberKey,
    /// For the tickets of `doctor`.
    pub probe: ProbeKey,
    /// For the files of backups.
    pub backup: BackupKey,
    /// For the secrets of second factors.
    pub factor: FactorKey,
    /// For the private keys that sign access tokens.
    pub signing: KeySeal,
    /// For baselines and what is kept of files.
    pub watch: WatchKeys,
    seal_check: [u8; 32],
}

/// The cryptographic library refused to derive a key. It has no reason to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys could not be derived from the secret")]
pub struct KeyFault;

impl Keys {
    /// Derives every key by HKDF-SHA-256 (RFC 5869), one label each, so that knowing one key tells
    /// nothing of another.
    pub fn derive(master: &MasterSecret) -> Result<Self, KeyFault> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"portcullis").extract(&*master.0);
        Ok(Self {
            audit: AuditKeys::new(
                expand(&root, "audit wrapping")?,
                expand(&root, "audit nobody")?,
                hmac_key(&root, "audit address")?,
                hmac_key(&root, "audit pending")?,
                expand(&root, "audit")?,
            ),
            credential: MacKey(hmac_key(&root, "credential")?),
            csrf: CsrfKeys::new(KID, hmac_key(&root, "csrf")?),
            device: DeviceKey::new(hmac_key(&root, "device")?),
            remember: RememberKey::new(hmac_key(&root, "remember")?),
            probe: ProbeKey::new(hmac_key(&root, "probe")?),
            backup: BackupKey::new(hmac_key(&root, "backup")?),
            factor: FactorKey::new(expand(&root, "factor")?),
            signing: KeySeal::new(expand(&root, "signing keys")?),
            watch: WatchKeys::new(
                expand(&root, "files")?,
                expand(&root, "copies of files")?,
                expand(&root, "values in files")?,
            ),
            seal_check: *expand(&root, "seal")?,
        })
    }

    /// What a database remembers of the secret that it was sealed by. It is not secret itself:
    /// nothing can be derived from it.
    pub fn seal_check(&self) -> [u8; 32] {
        self.seal_check
    }
}

fn hmac_key(root: &hkdf::Prk, label: &str) -> Result<hmac::Key, KeyFault> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &*expand(root, label)?))
}

fn expand(root: &hkdf::Prk, label: &str) -> Result<Zeroizing<[u8; 32]>, KeyFault> {
    let info: [&[u8]; 2] = [label.as_bytes(), &[KID]];
    let mut key = Zeroizing::new([0; 32]);
    root.expand(&info, hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .map_err(|_| KeyFault)?;
    Ok(key)
}

/// A credential with no meaning of its own: `N` random bytes, on the wire as lower-case hexadecimal
/// digits. It leaves this type once, through [`Self::reveal`].
#[derive(Clone)]
pub struct Random<const N: usize>(Zeroizing<[u8; N]>);

/// 64 digits: what sessions hand out, and what links carry.
pub type Opaque = Random<32>;

/// 32 digits, which is the length that both documents of such tokens have: it sets a new password, once.
pub type ResetToken = Random<16>;

impl<const N: usize> Random<N> {
    /// A new credential from bytes of a cryptographic generator, at least 16 of them.
    pub fn from_random(bytes: [u8; N]) -> Self {
        const { assert!(N >= 16, "128 bits cannot be guessed") };
        Self(Zeroizing::new(bytes))
    }

    /// Exactly `2 * N` lower-case hexadecimal digits: upper case is refused, so that one credential has
    /// one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        lower_hex(text).map(Self::from_random)
    }

    /// The text for its owner. It must not go into a log, an event or the store.
    pub fn reveal(&self) -> String {
        hex::encode(*self.0)
    }
}

/// What a credential is for. It is part of the MAC, so the stored value of one purpose is worthless
/// for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The session cookie.
    Cookie,
    /// A 64-digit bearer token, mobile or for an API.
    Bearer,
    /// The link of the first run.
    FirstRunLink,
    /// What a code for a new password is bound to.
    PasswordResetTicket,
    /// What a code for a new place is bound to.
    NewPlaceTicket,
    /// A sign-in that waits for its second factor.
    SecondFactorTicket,
    /// A sign-in that waits for a second factor to be set up.
    FactorSetUpTicket,
    /// A link to set a new password with.
    PasswordResetLink,
    /// A link that proves an address.
    VerifyEmailLink,
    /// What a trusted device proves itself by.
    TrustedDevice,
    /// A link that signs in.
    MagicLink,
    /// The mark of a browser in which one was asked for, which the code of the link is bound to.
    AskingBrowser,
    /// An API key.
    ApiKey,
}

/// The key of [`Mac`]s.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// What the store keeps of a credential: HMAC-SHA-256 over its purpose and its bytes. A copy of
    /// the database holds nothing that signs in, and writing to it plants nothing that does.
    pub fn credential_mac<const N: usize>(&self, purpose: Purpose, credential: &Random<N>) -> Mac {
        let label = match purpose {
            Purpose::Cookie => b"sess",
            Purpose::Bearer => b"bear",
            Purpose::FirstRunLink => b"frun",
            Purpose::PasswordResetTicket => b"prst",
            Purpose::NewPlaceTicket => b"nplc",
            Purpose::SecondFactorTicket => b"2fat",
            Purpose::FactorSetUpTicket => b"2fas",
            Purpose::PasswordResetLink => b"rset",
            Purpose::VerifyEmailLink => b"veml",
            Purpose::ApiKey => b"akey",
            Purpose::TrustedDevice => b"tdev",
            Purpose::MagicLink => b"mgcl",
            Purpose::AskingBrowser => b"mgcb",
        };
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(label);
        mac.update(&*credential.0);
        Mac(leading(&mac.sign()))
    }

    /// What the store keeps of a code that people type, bound to its ticket: a code is short, and
    /// without the key a copy of the database does not tell it.
    pub fn code_mac(&self, ticket: &Mac, code: &Code) -> Mac {
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(b"code");
        mac.update(&ticket.0);
        mac.update(code.reveal().as_bytes());
        Mac(leading(&mac.sign()))
    }

    /// What the store keeps of a code for a lost phone, bound to its factor: a code is short, and
    /// without the key a copy of the database does not tell it.
    pub fn backup_code_mac(&self, factor: &str, code: &BackupCode) -> Mac {
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(b"bkup");
        mac.update(code.bytes());
        mac.update(factor.as_bytes());
        Mac(leading(&mac.sign()))
    }

    /// The code of a link for the browser that it was asked for in: whenever the link is opened
    /// elsewhere the same, so that it does not change under the hands of whoever types it.
    pub fn code_of_link(&self, link: &Mac, browser: &Mac) -> Code {
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(b"mgcd");
        mac.update(&link.0);
        mac.update(&browser.0);
        Code::from_random(leading(&mac.sign()))
    }

    /// What the store keeps of a signed access token: of its own name, with whose it is and on which
    /// session it hangs, because its signature is what proves the rest. However it is spelled, it has
    /// one row.
    pub fn access_mac(&self, token: &TokenId, session: &SessionHandle, subject: &str) -> Mac {
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(b"jwts");
        // The first two have one length each, so nothing can move from one into the next.
        mac.update(token.as_str().as_bytes());
        mac.update(session.as_str().as_bytes());
        mac.update(subject.as_bytes());
        Mac(leading(&mac.sign()))
    }
}

/// The stored form of a credential. Comparing two needs no constant time: whoever can choose one
/// does not know the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mac([u8; 32]);

impl Mac {
    /// The value of the column.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the column back; `None` if it does not hold 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// Shows the first 8 digits, enough to follow one credential through a log.
impl std::fmt::Debug for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mac({:.8})", hex::encode(self.0))
    }
}

/// Decodes exactly `2 * N` lower-case hexadecimal digits.
pub(crate) fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    // The library reads capitals, too, and a prefix `0x`; a credential has one spelling.
    let canonical = text.len() == 2 * N && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let mut bytes = [0; N];
    (canonical && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

/// The first `N` bytes of a tag. `N` is at most the 32 bytes that HMAC-SHA-256 gives.
pub(crate) fn leading<const N: usize>(tag: &hmac::Tag) -> [u8; N] {
    const { assert!(N <= 32, "HMAC-SHA-256 gives 32 bytes") };
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> Keys {
        Keys::derive(&MasterSecret::from_random([byte; 32])).unwrap()
    }

    #[test]
    fn the_file_text_reads_back_and_nothing_else_does() {
        let check = |text: &str, good: bool| {
            assert_eq!(MasterSecret::parse(text).is_ok(), good, "{text:?}");
        };
        let written = MasterSecret::from_random([0xab; 32]).to_file_text();
        assert_eq!(*written, format!("{}\n", "ab".repeat(32)));
        check(&written, true);
        check(&format!("  {}\r\n", "ab".repeat(32)), true);
        check("", false);
        check(&"ab".repeat(31), false);
        check(&"ab".repeat(33), false);
        check(&"AB".repeat(32), false);
        check(&"zz".repeat(32), false);
        check(&format!("{}\n{}", "ab".repeat(16), "ab".repeat(16)), false);
    }

    #[test]
    fn a_credential_has_one_spelling() {
        let check = |text: &str, good: bool| {
            assert_eq!(
                Opaque::parse(text).map(|secret| secret.reveal() == text),
                good.then_some(true)
            );
        };
        check(&"0123456789abcdef".repeat(4), true);
        check(&"0123456789ABCDEF".repeat(4), false);
        check(&"0".repeat(63), false);
        check(&"0".repeat(65), false);
        check(&format!(" {}", "0".repeat(63)), false);
        check(&"é".repeat(32), false);
        check("", false);
        let token = "0123456789abcdef".repeat(2);
        assert_eq!(ResetToken::parse(&token).map(|parsed| parsed.reveal()), Some(token));
        assert!(ResetToken::parse(&"0".repeat(64)).is_none(), "each length is of its own");
    }

    #[test]
    fn a_mac_depends_on_key_purpose_and_credential() {
        let (one, two) = (keys(1), keys(2));
        let mac = one.credential.credential_mac(Purpose::Cookie, &Opaque::from_random([7; 32]));
        let check = |keys: &Keys, purpose, byte, same: bool| {
            let other = keys.credential.credential_mac(purpose, &Opaque::from_random([byte; 32]));
            assert_eq!(mac == other, same, "{purpose:?} {byte}");
        };
        check(&one, Purpose::Cookie, 7, true);
        check(&keys(1), Purpose::Cookie, 7, true);
        check(&two, Purpose::Cookie, 7, false);
        check(&one, Purpose::Bearer, 7, false);
        check(&one, Purpose::FirstRunLink, 7, false);
        check(&one, Purpose::Cookie, 8, false);
        let code = |ticket, digits| one.credential.code_mac(ticket, &Code::parse(digits).unwrap());
        assert_eq!(code(&mac, "123456"), code(&mac, "123 456"));
        assert_ne!(code(&mac, "123456"), code(&mac, "123457"));
        let other = one.credential.credential_mac(Purpose::Bearer, &Opaque::from_random([7; 32]));
        assert_ne!(code(&mac, "123456"), code(&other, "123456"));
        assert_eq!(Mac::from_bytes(mac.as_bytes()), Some(mac));
        assert_eq!(Mac::from_bytes(&[0; 31]), None);
        assert_eq!(format!("{mac:?}").len(), "Mac(01234567)".len());
    }

    #[test]
    fn keys_come_from_the_master_secret_alone_and_differ() {
        let (one, again, two) = (keys(1), keys(1), keys(2));
        assert_eq!(one.seal_check(), again.seal_check());
        assert_ne!(one.seal_check(), two.seal_check());
    }

    #[test]
    fn an_access_token_is_kept_under_its_name_its_session_and_its_owner() {
        let mac = |token: u8, session: u8, subject: &str| {
            let token = TokenId::from_random([token; 16]);
            keys(1).credential.access_mac(
                &token,
                &SessionHandle::from_random([session; 12]),
                subject,
            )
        };
        assert_eq!(mac(1, 1, "ada"), mac(1, 1, "ada"), "control");
        for other in [mac(2, 1, "ada"), mac(1, 2, "ada"), mac(1, 1, "bob")] {
            assert_ne!(other, mac(1, 1, "ada"));
        }
    }

    /// RFC 5869 by hand: extract is an HMAC, and one block of expand is another.
    #[test]
    fn derivation_is_hkdf_sha256() {
        let mac = |key: &[u8], data: &[u8]| {
            leading::<32>(&hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data))
        };
        let extracted = mac(b"portcullis", &[9; 32]);
        assert_eq!(keys(9).seal_check(), mac(&extracted, b"seal\x01\x01"));
    }
}
