//! What somebody unknown asks for by an address, and gets by mail or not at all: counted by where the
//! question comes from, which is told, and by the address that it is about, which is not. The look at
//! whose address that is comes after the answer, so neither its words nor its time tell who exists.

use std::time::Duration;

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::Context;
use portcullis_domain::text::{Email, Identifier};
use portcullis_domain::throttle::{Limit, Verdict};
use portcullis_domain::time::Time;
use portcullis_store::{Error, Tx, lockouts, throttle};

use super::limits::{self, Asking, Counter, LimitStanding, key_of_name};
use crate::app::App;

/// Letters of one kind to one address (contract C42). More are not sent, and nobody is told.
const LETTERS: Limit = Limit { count: 3, period: Duration::from_mins(15) };

/// A question about an address.
#[derive(Clone)]
pub struct Question {
    pub email: Email,
    pub from: ClientAddress,
    pub context: Context,
}

/// What is done about it.
pub enum Admission {
    /// Look whose address it is, and write.
    Go,
    /// Enough was written to this address. The answer is that of [`Admission::Go`].
    Enough,
    /// Too many questions from one place.
    TooMany { retry_after: Duration },
}

/// Writes after the answer. Of two that write to one person at the same moment the store turns one away,
/// which then takes its turn.
pub(super) fn write_later<F>(
    app: &App,
    what: &'static str,
    write: impl Fn(App) -> F + Send + 'static,
) where
    F: Future<Output = Result<(), Error>> + Send,
{
    const TURNS: u32 = 5;
    let later = app.clone();
    app.spawn(async move {
        for turn in 1..=TURNS {
            match write(later.clone()).await {
                Ok(()) => return,
                Err(Error::Conflict) if turn < TURNS => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, what, "a letter was not written");
                    return;
                }
            }
        }
    });
}

/// Counts a question. `word` tells the kinds of letters apart. Whoever is written to may try codes anew.
pub(super) async fn admit(
    app: &App,
    question: &Question,
    word: &str,
) -> Result<(Admission, Option<LimitStanding>), Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (from, context) = (&question.from, &question.context);
    let asking = Asking { counter: Counter::Sensitive, from, name: None, context };
    let standing = limits::admit(app, &mut tx, &asking, now).await?;
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        tx.commit().await?;
        return Ok((Admission::TooMany { retry_after }, standing));
    }
    let may_write = may_write(&mut tx, word, &question.email, now).await?;
    tx.commit().await?;
    Ok((if may_write { Admission::Go } else { Admission::Enough }, standing))
}

/// Counts a letter to an address; whoever gets one may try codes anew.
pub(super) async fn may_write(
    tx: &mut Tx,
    word: &str,
    to: &Email,
    now: Time,
) -> Result<bool, Error> {
    let Ok(name) = Identifier::parse(to.as_str()) else { return Ok(false) };
    let key = key_of_name(word, &name);
    match throttle::reserve(tx, &key, LETTERS, now).await? {
        Verdict::Refused { .. } => Ok(false),
        Verdict::Admitted { .. } => lockouts::clear(tx, &key).await.map(|_| true),
    }
}
