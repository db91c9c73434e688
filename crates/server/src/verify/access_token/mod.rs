//! Access tokens: JWTs that a key of ours signed (RFC 9068). A good signature only names a credential;
//! whether that lives is asked of the store like of any other (RFC 8725). The keys are the store's, and
//! this node's copy of them is looked at again and again.

mod key;
mod ring;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_domain::access_token::{Claims, Compact, Kind, NotCounted, decode};
use portcullis_domain::secret::{Keys, Mac, MacKey};
use portcullis_domain::signing_key::{KeyLife, KeySeal};
use portcullis_domain::time::Time;
use portcullis_store::{Db, Error, signing_keys};
use quick_cache::sync::Cache;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Mutex, watch};

use self::ring::{Named, Ring};
use crate::clock::Clock;
use crate::fault::in_time;

pub use self::key::NewKey;

/// How many good tokens are remembered at most; each takes about 220 bytes.
const CAPACITY: usize = 1 << 18;
/// How often a token that names a key that nobody knows makes this node look for it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Signs and verifies.
pub struct AccessTokens {
    issuer: String,
    longest: Duration,
    seal: KeySeal,
    mac: MacKey,
    ring: watch::Sender<Arc<Ring>>,
    good: Cache<[u8; 32], Good>,
    /// When it was last looked for keys, in monotonic time; one look at a time.
    looked: Mutex<Option<Duration>>,
}

/// A token that was found good, by the digest of all its bytes.
#[derive(Clone, Copy)]
struct Good {
    mac: Mac,
    /// In seconds since the Unix epoch.
    ends: i64,
    /// The ring that it was found good by. Under another it is verified anew.
    ring: u64,
}

/// Why something was not signed.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    #[error("there is no key to sign with")]
    NoKey,
    #[error("what is to be signed cannot be written")]
    Claims(#[from] serde_json::Error),
    #[error("the key does not sign")]
    Key(#[from] aws_lc_rs::error::Unspecified),
}

/// Why a token is not good, as far as it tells itself.
enum Flaw {
    Expired,
    UnknownKey,
    Other,
}

impl Flaw {
    /// The stable word for it.
    fn code(self) -> &'static str {
        match self {
            Self::Expired => "access_token_expired",
            Self::UnknownKey | Self::Other => "access_token_invalid",
        }
    }
}

impl AccessTokens {
    /// `issuer`: the public address. `longest`: the life of a token. Without keys, until the first
    /// [`Self::refresh`].
    pub fn new(issuer: &str, longest: Duration, keys: &Keys) -> Self {
        Self {
            issuer: issuer.to_owned(),
            longest,
            seal: keys.signing.clone(),
            mac: keys.credential.clone(),
            ring: watch::Sender::default(),
            good: Cache::new(CAPACITY),
            looked: Mutex::default(),
        }
    }

    /// Who the tokens are issued by and meant for.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Reads the keys anew, and takes those that are there.
    pub async fn refresh(&self, db: &Db, clock: &Clock) -> Result<(), Error> {
        let mut looked = self.looked.lock().await;
        *looked = Some(clock.monotonic());
        self.read(db).await
    }

    /// The signed token.
    pub fn sign(&self, claims: &Claims, now: Time) -> Result<String, NotSigned> {
        self.ring().signer(now).ok_or(NotSigned::NoKey)?.sign(Kind::Access, claims)
    }

    /// A signed statement for an upstream, which opens no door of ours, and by which generation of keys.
    pub fn sign_assertion(
        &self,
        claims: &impl Serialize,
        now: Time,
    ) -> Result<(String, i64), NotSigned> {
        let ring = self.ring();
        let key = ring.signer(now).ok_or(NotSigned::NoKey)?;
        Ok((key.sign(Kind::Assertion, claims)?, key.generation))
    }

    /// The generation of the key that signs now.
    pub fn generation(&self, now: Time) -> Option<i64> {
        self.ring().signer(now).map(|key| key.generation)
    }

    /// Under what the store keeps the token, if it is one that we signed, for us, and that has not run
    /// out; otherwise the stable word for why it is none. A token that names a key that is not known
    /// makes this node look for it, once in a while however many there are.
    pub async fn verify(
        &self,
        db: &Db,
        clock: &Clock,
        token: &str,
    ) -> Result<Result<Mac, &'static str>, Error> {
        let now = clock.now();
        let Some(parts) = Compact::parse(token) else { return Ok(Err("access_token_invalid")) };
        let ring = self.ring();
        if let Named::Key(_) = ring.named(&parts, now) {
            let digest = digest_of(token);
            let remembered = self.good.get(&digest).filter(|good| good.ring == ring.number);
            if let Some(good) = remembered.filter(|good| now.secs() < good.ends) {
                return Ok(Ok(good.mac));
            }
            let judged = self.judge(&ring, &parts, now);
            if let Ok((claims, mac)) = &judged {
                self.good.insert(digest, Good { mac: *mac, ends: claims.exp, ring: ring.number });
            }
            return Ok(judged.map(|(_, mac)| mac).map_err(Flaw::code));
        }
        let read = Box::pin(self.read_claims(db, clock, token)).await?;
        Ok(read.map(|(_, mac)| mac))
    }

    /// The same, with what the token says.
    pub async fn read_claims(
        &self,
        db: &Db,
        clock: &Clock,
        token: &str,
    ) -> Result<Result<(Claims, Mac), &'static str>, Error> {
        let now = clock.now();
        let Some(parts) = Compact::parse(token) else { return Ok(Err("access_token_invalid")) };
        let mut judged = self.judge(&self.ring(), &parts, now);
        if matches!(judged, Err(Flaw::UnknownKey)) {
            self.look(db, clock).await?;
            judged = self.judge(&self.ring(), &parts, now);
        }
        Ok(judged.map_err(Flaw::code))
    }

    /// What others verify with (RFC 7517).
    pub fn key_set(&self, now: Time) -> Value {
        self.ring().key_set(now)
    }

    /// What is signed with, for those who verify.
    pub fn algorithms(&self, now: Time) -> Value {
        let mut names: Vec<Value> = self.ring().algorithms(now).into_iter().cloned().collect();
        names.dedup();
        names.into()
    }

    /// The life of the newest key that is known.
    pub fn newest(&self) -> Option<KeyLife> {
        self.ring().newest()
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.borrow())
    }

    /// The signature first: of what is not signed nothing is believed, and nothing is told apart.
    fn judge(&self, ring: &Ring, token: &Compact<'_>, now: Time) -> Result<(Claims, Mac), Flaw> {
        let key = match ring.named(token, now) {
            Named::Key(key) => key,
            Named::Unknown => return Err(Flaw::UnknownKey),
            Named::Nothing => return Err(Flaw::Other),
        };
        if !key.has_signed(token) {
            return Err(Flaw::Other);
        }
        let claims = decode(token.claims).and_then(|json| Claims::parse(&json));
        let claims = claims.ok_or(Flaw::Other)?;
        match claims.count(&self.issuer, self.longest, now) {
            Ok((session, id)) => {
                let mac = self.mac.access_mac(&id, &session, &claims.sub);
                Ok((claims, mac))
            }
            Err(NotCounted::Expired) => Err(Flaw::Expired),
            Err(NotCounted::NotOurs) => Err(Flaw::Other),
        }
    }

    /// Looks for keys, unless somebody did a moment ago.
    async fn look(&self, db: &Db, clock: &Clock) -> Result<(), Error> {
        let mut looked = self.looked.lock().await;
        let now = clock.monotonic();
        if looked.is_some_and(|at| now.saturating_sub(at) < LOOK_EVERY) {
            return Ok(());
        }
        *looked = Some(now);
        self.read(db).await
    }

    async fn read(&self, db: &Db) -> Result<(), Error> {
        let rows = in_time(async { signing_keys::all(&mut db.read_once().await?).await }).await?;
        if let Some(next) = self.ring().next(rows, &self.seal)? {
            self.ring.send_replace(Arc::new(next));
            self.good.clear();
        }
        Ok(())
    }
}

/// All of the token: two that differ in anything never meet.
fn digest_of(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
        *to = *from;
    }
    bytes
}
