//! How many letters of one kind go to one address: those that strangers or administrators can cause fill
//! no mailbox. What is left out is written down. Not here: what may be asked for, and how often.

use std::time::Duration;

use portcullis_domain::event::{Context, Event, LimitName};
use portcullis_domain::text::{Email, Identifier};
use portcullis_domain::throttle::{Limit, Verdict};
use portcullis_domain::time::Time;
use portcullis_store::{Error, Tx, throttle, users};

use crate::flows::limits::key_of_name;
use crate::flows::record;
use crate::random::Random;

/// A kind of letter, and how many of it one address gets.
#[derive(Clone, Copy, Debug)]
pub struct Cap {
    word: &'static str,
    limit: Limit,
}

/// Whether an address gets another letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Some,
    /// Only from then on.
    From(Time),
}

impl Cap {
    /// Of an account that is guessed at from many networks its owner hears once.
    pub(super) const LOCKED_OUT: Self = Self::new("letter_locked_out", 1, Duration::from_hours(1));
    /// Of guesses at a second factor.
    pub(super) const FACTOR_LOCKED: Self =
        Self::new("letter_factor_locked", 1, Duration::from_hours(1));
    /// Contract C42.
    pub(crate) const VERIFY_EMAIL: Self =
        Self::new("letter_verify_email", 3, Duration::from_mins(15));
    pub(super) const EMAIL_CHANGE: Self =
        Self::new("letter_email_change", 3, Duration::from_mins(15));

    /// Of files that differ nobody hears more often, however often they change.
    pub(crate) const FILES: Self = Self::new("letter_files", 10, Duration::from_hours(1));
    /// What is less bad does not use up the letters of what is worst.
    pub(crate) const FILES_CRITICAL: Self =
        Self::new("letter_files_critical", 10, Duration::from_hours(1));

    const fn new(word: &'static str, count: u32, period: Duration) -> Self {
        Self { word, limit: Limit { count, period } }
    }

    /// Counts a letter to an address. If it is one too many, that is written down, under the account
    /// of the address.
    pub(crate) async fn admits(
        self,
        random: Random,
        tx: &mut Tx,
        to: &Email,
        now: Time,
    ) -> Result<bool, Error> {
        if let Room::Some = self.room(tx, to, now).await? {
            return Ok(true);
        }
        self.exceeded(random, tx, to, now).await?;
        Ok(false)
    }

    /// Counts a letter to an address, and writes nothing down if it is one too many.
    pub(super) async fn room(self, tx: &mut Tx, to: &Email, now: Time) -> Result<Room, Error> {
        // No account has an address that is none.
        let Ok(name) = Identifier::parse(to.as_str()) else {
            return Ok(Room::From(now.plus(self.limit.period)));
        };
        let key = key_of_name(self.word, &name);
        Ok(match throttle::reserve(tx, &key, self.limit, now).await? {
            Verdict::Admitted { .. } => Room::Some,
            Verdict::Refused { reset, .. } => Room::From(reset),
        })
    }

    /// Writes down that there were more letters to an address than it gets.
    pub(super) async fn exceeded(
        self,
        random: Random,
        tx: &mut Tx,
        to: &Email,
        now: Time,
    ) -> Result<(), Error> {
        let subject = users::by_email(tx, to).await?.map(|user| user.id);
        let event = Event::LimitExceeded { limit: LimitName::Letters };
        record(tx, random, &event, &Context { subject, ..Context::default() }, now).await
    }
}
