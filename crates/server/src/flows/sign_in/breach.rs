//! Whether the password of a sign-in is breached: looked up after the answer, where that is due, and never
//! waited for. Who signs in with one is told, and after a time it is taken no more. Only whoever knew the
//! password learns any of it.

use std::sync::Arc;

use portcullis_domain::event::{Context, Event, SignInFailure};
use portcullis_domain::id::UserId;
use portcullis_domain::password::{BreachStanding, BreachState};
use portcullis_domain::time::Time;
use portcullis_store::users::{self, Checked, User};
use portcullis_store::{Error, Tx};
use zeroize::Zeroizing;

use super::{Attempt, Outcome, about};
use crate::app::App;
use crate::config::AtSignIn;
use crate::flows::breach::{self, Answer, Sources};
use crate::flows::first_run::PLACEHOLDER;
use crate::flows::guess::Guess;
use crate::flows::new_password::state;
use crate::flows::record;
use crate::mail::{self, Letter};

/// Refuses, and writes down, whoever knows the password where it was breached for too long. What is to be said
/// of the account itself comes first.
pub(super) async fn refuse(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    (user, standing): (&User, &BreachStanding),
    context: &Context,
) -> Result<Option<Outcome>, Error> {
    let now = app.clock.now();
    if due(app, user, standing).is_none_or(|due| now < due) {
        return Ok(None);
    }
    let reason = SignInFailure::PasswordBreached;
    let event = Event::SignInFailed { form: attempt.form, reason, known: true };
    record(tx, app.random, &event, context, now).await?;
    Ok(Some(Outcome::PasswordBreached))
}

/// Until when the password of a user is taken. Who has no address yet could set no other one, so his is taken
/// for as long as he likes.
pub fn due(app: &App, user: &User, standing: &BreachStanding) -> Option<Time> {
    let has_address = user.email.as_str() != PLACEHOLDER;
    app.config.breach.at_sign_in.due(standing).filter(|_| has_address)
}

/// Whether a password is looked up at the next sign-in with it, where those of `corpus` are asked.
pub fn is_due_for_lookup(app: &App, standing: &BreachStanding, corpus: &str) -> bool {
    app.config.breach.at_sign_in != AtSignIn::Off && standing.is_due(corpus, app.clock.now())
}

/// Looks the right password of a sign-in up, after its answer, if that is due. Where too many are being looked
/// up it is due at the next one, too.
pub(super) fn look_later(app: &App, attempt: &Attempt<'_>, guess: &Guess) {
    let Some((user, stored)) = &guess.account else { return };
    let standing = &stored.breach;
    let Some(set_at) = standing.set_at else { return };
    let corpus = Sources::of(app).corpus();
    if !is_due_for_lookup(app, standing, &corpus) {
        return;
    }
    let Ok(turn) = Arc::clone(&app.breach.turns).try_acquire_owned() else { return };
    let seen = Seen {
        user: user.clone(),
        set_at,
        before: standing.state,
        corpus,
        context: about(&attempt.context, Some(user)),
    };
    let (later, password) = (app.clone(), Zeroizing::new(attempt.password.to_owned()));
    app.spawn(async move {
        let looked = tokio::select! {
            looked = look(&later, &seen, &password) => looked,
            () = later.stopping.cancelled() => Ok(()),
        };
        if let Err(error) = looked {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "what was found out of a password was not written down");
        }
        drop(turn);
    });
}

/// The password that somebody signed in with, without its text.
struct Seen {
    user: User,
    set_at: Time,
    before: BreachState,
    /// Who is asked.
    corpus: String,
    context: Context,
}

async fn look(app: &App, seen: &Seen, password: &str) -> Result<(), Error> {
    let answer = breach::check(Sources::of(app), password).await;
    // Of two that write at the same moment the store turns one away, which finds it done then.
    match note(app, seen, &answer).await {
        Err(Error::Conflict) => note(app, seen, &answer).await,
        noted => noted,
    }
}

async fn note(app: &App, seen: &Seen, answer: &Answer) -> Result<(), Error> {
    let now = app.clock.now();
    let count = answer.hit.map_or(0, |hit| i64::try_from(hit.count).unwrap_or(i64::MAX));
    let state = if answer.hit.is_some() { BreachState::Breached } else { state(answer) };
    // Silence proves nothing against what was found out before.
    let says_nothing = matches!(state, BreachState::Unchecked | BreachState::Deferred);
    if says_nothing && (seen.before == state || seen.before == BreachState::Clear) {
        return Ok(());
    }
    let checked = Checked { state, corpus: seen.corpus.clone() };
    let mut tx = app.db.write().await?;
    let user: UserId = seen.user.id;
    let is_noted = users::note_check(&mut tx, user, seen.set_at, (&checked, count), now).await?;
    if let (true, Some(hit)) = (is_noted, answer.hit) {
        let source = hit.by.source.as_str();
        let event = Event::PasswordBreached { source, count };
        record(&mut tx, app.random, &event, &seen.context, now).await?;
        tell(app, &mut tx, seen, now).await?;
    }
    tx.commit().await
}

/// Writes to whoever it is about, as he is now.
async fn tell(app: &App, tx: &mut Tx, seen: &Seen, now: Time) -> Result<(), Error> {
    let id = seen.user.id;
    let Some(user) = users::by_id(tx, id).await? else { return Ok(()) };
    let Some(standing) = users::breach_standing(tx, id).await? else { return Ok(()) };
    if user.email.as_str() == PLACEHOLDER {
        return Ok(());
    }
    let place = app.public_url.to_string();
    let letter = Letter::password_breached(due(app, &user, &standing), &place);
    mail::send(app, tx, &user.email, &letter, now).await
}
