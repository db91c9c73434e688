//! A new password in the place of another, and all that it brings: whatever was signed in before ends,
//! with links and codes, wrong ones are forgiven, and the person is told by mail. Not here: who may set
//! one (`change_password`, `password_reset`, `users`), nor an owner's first one (`first_run`), which
//! replaces none.

use portcullis_domain::event::{Context, EndReason, Event, PasswordChanger};
use portcullis_domain::id::SessionId;
use portcullis_domain::time::Time;
use portcullis_store::users::{self, Strength, User};
use portcullis_store::{Error, Tx, factors, outbox, rotation, sessions};

use super::first_run::PLACEHOLDER;
use super::new_password::NewPassword;
use super::record;
use crate::mail::{self, Letter};
use crate::random::Random;

/// A password to be put in place.
pub(super) struct Fresh<'a> {
    /// As its epoch was when this was allowed.
    pub user: &'a User,
    pub new: &'a NewPassword,
    pub by: PasswordChanger,
    /// The session that goes on; its caller carries it over to the new epoch.
    pub kept: Option<&'a SessionId>,
    pub context: &'a Context,
    /// The address that people type, for the letter.
    pub place: &'a str,
}

impl Fresh<'_> {
    /// Puts it in place. The new epoch, or `None` if the account has changed meanwhile, and be it that
    /// the second factor is gone that the password is too short without: then nothing must be committed. Of several at once one wins, because the epoch goes up once.
    pub(super) async fn put(
        &self,
        tx: &mut Tx,
        random: Random,
        now: Time,
    ) -> Result<Option<i64>, Error> {
        let Self { user, by, .. } = *self;
        let new = self.new.row();
        // Before anything of the user is changed: a sign-in takes lock-outs and users in this order, too.
        users::unlock(tx, user.id).await?;
        let Some(epoch) = rotation::raise_epoch(tx, user.id, user.epoch).await? else {
            return Ok(None);
        };
        let is_alone = factors::active(tx, user.id).await?.is_none();
        if new.strength == Strength::WithFactor && is_alone {
            return Ok(None);
        }
        users::set_password(tx, user.id, new, now).await?;
        let reason = EndReason::PasswordChanged;
        let ended = sessions::end_all_of_user(tx, user.id, self.kept, reason, now).await?;
        let context = Context { subject: Some(user.id), ..self.context.clone() };
        record(tx, random, &Event::PasswordChanged { by }, &context, now).await?;
        if ended > 0 {
            let context = Context { session: None, ..context };
            record(tx, random, &Event::SessionEnded { reason }, &context, now).await?;
        }
        if user.email.as_str() != PLACEHOLDER {
            let letter = Letter::password_changed(now);
            let mail = mail::write(random.row_id(now), &user.email, &letter, self.place, now);
            outbox::insert(tx, &mail, now).await?;
        }
        Ok(Some(epoch))
    }
}
