//! The keys that sign access tokens: the first one, and one in the place of another, on a command or
//! because it is time. Every step is conditional, so of any number of nodes one makes the key. Not here:
//! how nodes hear of it (`crate::signing_keys`).

use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::secret::Keys;
use portcullis_domain::signing_key::{KeyLife, KeyPlan, Pace, Rotation};
use portcullis_domain::time::Time;
use portcullis_store::signing_keys::{self, StoredKey};
use portcullis_store::{Db, Error, Tx};

use super::record;
use crate::app::App;
use crate::random::Random;
use crate::verify::access_token::NewKey;

/// What there is to make keys with.
#[derive(Clone, Copy)]
pub struct Making<'a> {
    pub db: &'a Db,
    pub keys: &'a Keys,
    pub plan: KeyPlan,
    pub random: Random,
    pub now: Time,
    /// Who has it done, for the events.
    pub context: &'a Context,
}

impl<'a> Making<'a> {
    /// With what a server has now.
    pub fn now(app: &'a App, context: &'a Context) -> Self {
        Self {
            db: &app.db,
            keys: &app.keys,
            plan: app.config.key_plan(),
            random: app.random,
            now: app.clock.now(),
            context,
        }
    }
}

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Store(#[from] Error),
    #[error("a key could not be made")]
    Making,
}

/// What came of asking for a new key.
#[derive(Debug, PartialEq, Eq)]
pub enum Rotated {
    /// There is one.
    Made { kid: String, life: KeyLife },
    /// One is published already, and waits for its turn.
    Waiting { kid: String, life: KeyLife },
    /// Somebody else made one at the same moment.
    Overtaken,
}

/// Every key that is known, the newest first.
pub async fn list(db: &Db) -> Result<Vec<StoredKey>, Error> {
    signing_keys::all(&mut db.read().await?).await
}

/// Makes a key where there is none, and one in the place of the newest if it is time.
pub async fn keep(making: &Making<'_>) -> Result<(), Failure> {
    let known = list(making.db).await?;
    let Some(newest) = known.first() else { return make_first(making).await };
    if making.plan.is_due(&newest.life, newest.algorithm, making.now) {
        rotate(making, Pace::Planned).await?;
    }
    Ok(())
}

/// Makes a key in the place of the newest one. At once: everything that was signed before is worth
/// nothing from then on.
pub async fn rotate(making: &Making<'_>, pace: Pace) -> Result<Rotated, Failure> {
    let new = new_key(making).await?;
    let mut tx = making.db.write().await?;
    let known = signing_keys::all(&mut tx).await?;
    let newest = known.first();
    let waiting = newest.filter(|newest| newest.life.signs_from > making.now);
    if let (Pace::Planned, Some(newest)) = (pace, waiting) {
        return Ok(Rotated::Waiting { kid: newest.kid.clone(), life: newest.life });
    }
    let rotation = Rotation::new(pace, making.plan.longest, making.now);
    let before = newest.map_or(0, |newest| newest.generation);
    if !keep_new(making, &mut tx, &new, before + 1, rotation.life).await? {
        return Ok(Rotated::Overtaken);
    }
    told(making, &mut tx, &new).await?;
    match pace {
        // Whoever inserted the new key is the only one to retire the old one.
        Pace::Planned => {
            signing_keys::retire(&mut tx, before, &rotation).await?;
        }
        Pace::AtOnce => {
            let count = signing_keys::withdraw(&mut tx, before, making.now).await?;
            let event = Event::SigningKeysWithdrawn { count };
            record(&mut tx, making.random, &event, making.context, making.now).await?;
        }
    }
    tx.commit().await?;
    Ok(Rotated::Made { kid: new.kid, life: rotation.life })
}

/// Part of the first start, and nothing that anybody would look for later: there is no event of it.
async fn make_first(making: &Making<'_>) -> Result<(), Failure> {
    let new = new_key(making).await?;
    let mut tx = making.db.write().await?;
    if keep_new(making, &mut tx, &new, 1, KeyLife::of_first(making.now)).await? {
        tx.commit().await?;
    }
    Ok(())
}

/// RSA takes a second, in which the threads of requests have other things to do.
async fn new_key(making: &Making<'_>) -> Result<NewKey, Failure> {
    let (algorithm, random) = (making.plan.algorithm, making.random);
    let made = tokio::task::spawn_blocking(move || NewKey::make(algorithm, random)).await;
    made.ok().and_then(Result::ok).ok_or(Failure::Making)
}

/// Keeps the key as this generation; `false` if there is one.
async fn keep_new(
    making: &Making<'_>,
    tx: &mut Tx,
    new: &NewKey,
    generation: i64,
    life: KeyLife,
) -> Result<bool, Failure> {
    let nonce = making.random.bytes();
    let sealed = making.keys.signing.seal(&new.kid, new.algorithm, nonce, &new.private);
    let row = StoredKey {
        generation,
        kid: new.kid.clone(),
        algorithm: new.algorithm,
        public_jwk: new.public_jwk.clone(),
        private_key: sealed.ok_or(Failure::Making)?,
        life,
    };
    Ok(signing_keys::insert(tx, &row).await?)
}

async fn told(making: &Making<'_>, tx: &mut Tx, new: &NewKey) -> Result<(), Error> {
    let algorithm = new.algorithm.name();
    let event = Event::SigningKeyMade { kid: Text::clip(&new.kid), algorithm };
    record(tx, making.random, &event, making.context, making.now).await
}
