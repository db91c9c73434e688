//! The database of the events: what a busy deployment writes down in sixty days, put into the log as
//! the server does it, but for the indexes, which are made at the end.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use portcullis_domain::audit::checkpoint::Checkpoint;
use portcullis_domain::audit::entry::Person;
use portcullis_domain::audit::growth::{Growth, Happened, Owner, People};
use portcullis_domain::audit::note::SigningKey;
use portcullis_domain::audit::personal::{AuditKeys, Drawn, PersonKey};
use portcullis_domain::audit::proof::Head;
use portcullis_domain::audit::tiles::{Tiles, to_bytes};
use portcullis_domain::event::{Context as Circumstances, EndReason, Event, SignInFailure, Text};
use portcullis_domain::id::UserId;
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_domain::session::SignInForm;
use portcullis_domain::time::Time;
use portcullis_store::audit::people::Known;
use portcullis_store::audit::{checkpoints, counts, log, people, personal, tree};
use portcullis_store::{Db, Options, scratch};

use crate::million::database::{self as million, Shape, scattered};
use crate::run::say;

/// Of the users who are there.
const SESSIONS: u64 = 100_000;
/// Users who do anything.
pub(crate) const USERS: u64 = 9000;
/// In one transaction.
const AT_ONCE: u64 = 10_000;
/// The time that the events are spread over.
const SPAN: Duration = Duration::from_hours(24 * 60);
const ORIGIN: &str = "bench.example.org/audit";

/// Makes the database in a folder for Portcullis, in place of what is there.
#[expect(clippy::disallowed_methods, reason = "the events happened until now")]
pub(crate) async fn make(folder: &Path, events: u64) -> Result<()> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = Time(i64::try_from(since.as_millis())?);
    let base = folder.with_extension("base");
    Box::pin(million::make(&base, SESSIONS, Shape::Varied)).await?;
    let url = format!("sqlite:{}", base.join("data/portcullis.db").display());
    let keys = Keys::derive(&MasterSecret::from_random([7; 32]))?.audit;
    let options =
        Options { sqlite_synchronous_full: false, ..Options::new(url.clone(), keys.clone()) };
    let indexes = scratch::take_indexes(&url, "audit").await?;
    let db = Db::open(&options).await?;
    let filling = Filling { keys, events, now };
    Box::pin(fill(&db, &filling)).await?;
    db.close().await;
    say("Making the indexes");
    scratch::run(&url, &indexes).await?;
    std::fs::rename(&base, folder).context("the finished database could not be put in place")
}

struct Filling {
    keys: AuditKeys,
    events: u64,
    now: Time,
}

async fn fill(db: &Db, to: &Filling) -> Result<()> {
    let owners = introduce(db, &to.keys).await?;
    let key = SigningKey::from_seed(ORIGIN, to.keys.signing_seed())?;
    let (mut tiles, mut size) = (Tiles::new(), 0);
    while size < to.events {
        let end = (size + AT_ONCE).min(to.events);
        let mut growth = Growth::new(tiles, size, to.at(end));
        for number in size..end {
            let actor = owners.get(usize::try_from(user(number))?);
            let draw = || drawn(number);
            let both = People { actor, subject: actor };
            growth.add(happened(number, to.at(number)), both, &to.keys, draw)?;
        }
        let mut tx = db.write().await?;
        log::append(&mut tx, &growth.entries).await?;
        personal::insert(&mut tx, &growth.personal).await?;
        counts::add(&mut tx, &growth.counts).await?;
        for (tile, hashes) in growth.tiles.take_changed() {
            tree::put_tile(&mut tx, tile.level, tile.n, &hashes).await?;
        }
        tree::grow(&mut tx, size, end, growth.logged_at).await?;
        let head = Head { size: end, root: growth.tiles.root(end)? };
        let note = Checkpoint::sign(head, &key)?;
        let checkpoint = checkpoints::Checkpoint { size: end, at: growth.logged_at, note };
        checkpoints::insert(&mut tx, &checkpoint).await?;
        tx.commit().await?;
        // Full tiles are not needed any more.
        (tiles, size) = (edge(&growth.tiles, end)?, end);
    }
    Ok(())
}

/// Everybody who does anything, in the log.
async fn introduce(db: &Db, keys: &AuditKeys) -> Result<Vec<Owner>> {
    let mut tx = db.write().await?;
    tree::begin(&mut tx, ORIGIN).await?;
    let mut owners = Vec::new();
    for number in 0..USERS {
        let person = Person::from_random(scattered(number).to_be_bytes());
        let Drawn { salt, nonce } = drawn(u64::MAX - number);
        let key = PersonKey::from_random(salt);
        let user = UserId(i64::try_from(number + 1)?);
        let sealed_key = keys.wrap(person, user, &key, nonce)?;
        people::insert(&mut tx, user, &Known { person, sealed_key }).await?;
        owners.push(Owner { person, key });
    }
    tx.commit().await?;
    Ok(owners)
}

fn edge(tiles: &Tiles, size: u64) -> Result<Tiles> {
    let mut edge = Tiles::new();
    for tile in Tiles::edge(size) {
        let hashes = tiles.get(tile).context("no tile at the edge")?;
        edge.insert(tile, &to_bytes(hashes))?;
    }
    Ok(edge)
}

impl Filling {
    fn at(&self, number: u64) -> Time {
        let left = self.events.saturating_sub(number);
        let millis = u128::from(left) * SPAN.as_millis() / u128::from(self.events.max(1));
        self.now.minus(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }
}

/// Who did it.
fn user(number: u64) -> u64 {
    scattered(number) % USERS
}

/// The address it came from.
pub(crate) fn address(number: u64) -> String {
    let [.., b, c, d] = (scattered(number) % 50_000).to_be_bytes();
    format!("10.{b}.{c}.{d}")
}

fn drawn(number: u64) -> Drawn {
    let mut bytes = [0; 48];
    for (index, part) in (0_u64..).zip(bytes.chunks_exact_mut(8)) {
        part.copy_from_slice(&scattered(number.wrapping_mul(6).wrapping_add(index)).to_be_bytes());
    }
    let mut drawn = Drawn { salt: [0; 32], nonce: [0; 12] };
    drawn.salt.copy_from_slice(&bytes[..32]);
    drawn.nonce.copy_from_slice(&bytes[32..44]);
    drawn
}

fn happened(number: u64, at: Time) -> Happened {
    let event = event(number);
    let (detail, texts) = event.parts();
    let user = UserId(i64::try_from(user(number) + 1).unwrap_or_default());
    Happened {
        id: format!("01900000-0000-7000-8000-{number:012x}"),
        at,
        name: event.name().to_owned(),
        outcome: event.outcome().as_str().to_owned(),
        severity: event.severity().as_str().to_owned(),
        context: Circumstances {
            actor: Some(user),
            subject: Some(user),
            session: Some(format!("sess_{:024x}", number / 7)),
            ip: Some(address(number)),
            peer: Some("127.0.0.1".to_owned()),
            user_agent: Some(
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
            ),
            request_id: Some(format!("{:032x}", scattered(number))),
        },
        detail,
        texts,
    }
}

fn event(number: u64) -> Event {
    let form = SignInForm::Page;
    match scattered(number ^ 0x5555) % 100 {
        0..30 => Event::SignedIn { form },
        30..55 => Event::SessionCreated { form },
        55..70 => Event::SessionEnded { reason: EndReason::Logout },
        70..85 => Event::SignInFailed { form, reason: SignInFailure::WrongPassword, known: true },
        85..99 => Event::AccessDenied {
            rule: Some(Text::clip("reports")),
            reason: "permission_missing",
            method: Text::clip("GET"),
            path: Text::clip("/reports/42"),
        },
        _ => Event::UserBlacklisted { reason: Some(Text::clip("left the company")), sessions: 2 },
    }
}
