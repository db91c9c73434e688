//! The plain passwords of a batch: judged as every new password is, and hashed on all cores, so many at a time
//! as the hasher has room for. The batch has no transaction open meanwhile.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portcullis_domain::password::PolicyFault;
use portcullis_domain::text::Username;
use portcullis_store::users;

use super::row::{Given, Person};
use super::{Fate, Fault, Good, Mode, Refused};
use crate::flows::new_password::{self, Judge};
use crate::hasher::{Busy, Hasher};
use crate::random::Random;

/// Who judges and hashes plain passwords.
pub struct Passwords<'a> {
    pub judge: Judge<'a>,
    pub hasher: Hasher,
}

/// A password that may be stored.
pub(super) struct Ready {
    /// `None` for a plain one where nothing is written.
    pub(super) stored: Option<users::NewPassword>,
    /// Whether somebody who was to be asked about it did not answer.
    pub(super) is_deferred: bool,
}

impl Passwords<'_> {
    /// Makes the passwords of good rows ready, or refuses their rows. The order stays.
    pub(super) async fn ready(
        &self,
        fates: Vec<Fate<Given>>,
        mode: Mode,
        random: Random,
    ) -> Result<Vec<Fate<Ready>>, Busy> {
        let each = stream::iter(fates).map(|fate| self.one(fate, mode, random));
        each.buffered(self.hasher.room()).try_collect().await
    }

    async fn one(
        &self,
        fate: Fate<Given>,
        mode: Mode,
        random: Random,
    ) -> Result<Fate<Ready>, Busy> {
        let Good { at, person, role, password } = match fate {
            Fate::Good(good) => good,
            Fate::Skipped(skipped) => return Ok(Fate::Skipped(skipped)),
            Fate::Refused(refused) => return Ok(Fate::Refused(refused)),
        };
        let password = match password {
            None => Ok(None),
            Some(Given::Hash(hash)) => {
                let stored = Some(users::NewPassword::unseen(hash.reveal()));
                Ok(Some(Ready { stored, is_deferred: false }))
            }
            Some(Given::Plain(text)) => self.plain(&text, &person, mode, random).await?.map(Some),
        };
        Ok(match password {
            Ok(password) => Fate::Good(Good { at, person, role, password }),
            Err(faults) => {
                let fault = Fault::Password(faults);
                Fate::Refused(Refused { at, email: Some(person.email), fault })
            }
        })
    }

    async fn plain(
        &self,
        text: &str,
        person: &Person,
        mode: Mode,
        random: Random,
    ) -> Result<Result<Ready, Vec<PolicyFault>>, Busy> {
        let whose = new_password::Person {
            email: person.email.as_str(),
            username: person.username.as_ref().map_or("", Username::as_str),
            first_name: person.first_name.as_str(),
            last_name: person.last_name.as_str(),
        };
        let accepted = match self.judge.accept(text, self.judge.lengths.alone, &whose).await {
            Ok(accepted) => accepted,
            Err(faults) => return Ok(Err(faults)),
        };
        let stored = match mode {
            Mode::Write => {
                let seat = self.hasher.seat_in_turn().await?;
                let hashed = accepted.hash(&self.hasher, seat, random).await?;
                Some(hashed.row().clone())
            }
            Mode::DryRun => None,
        };
        Ok(Ok(Ready { stored, is_deferred: accepted.is_deferred() }))
    }
}
