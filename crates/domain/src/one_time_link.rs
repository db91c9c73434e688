//! One-time links: what each is for, how long it may wait, and whether it can still be spent. Not
//! here: the secret that it carries (`secret`), and the spending itself, which is a statement of
//! the store that one use can win.

use std::time::Duration;

use crate::event::LinkRefusal;
use crate::secret::Purpose;
use crate::time::Time;

/// What a link is for. Its secret is good for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkPurpose {
    /// To give the first owner an address and a password.
    FirstRun,
    /// To set a new password without the old one.
    PasswordReset,
    /// The same, handed out by an administrator: a letter that anybody may ask for does not void it.
    HandedOutReset,
    /// To prove that an address is one's own, and to have it from then on.
    VerifyEmail,
    /// To sign in.
    MagicLink,
}

crate::word::written_as!(LinkPurpose, as_str);

impl LinkPurpose {
    /// Those by which a new password is set.
    pub const RESETS: [Self; 2] = [Self::PasswordReset, Self::HandedOutReset];

    /// The word for it in rows and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstRun => "first_run",
            Self::PasswordReset => "password_reset",
            Self::HandedOutReset => "password_reset_handed_out",
            Self::VerifyEmail => "verify_email",
            Self::MagicLink => "magic_link",
        }
    }

    /// How long it may wait for its use (ASVS 5.0, 6.4.1: initial secrets expire soon; 6.5.5: what is
    /// sent out of band, within ten minutes). Shorter where it is shown on a screen:
    /// [`SHOWN_RESET_LIFE`]. For links to sign in the operator may say otherwise.
    pub fn life(self) -> Duration {
        match self {
            Self::FirstRun | Self::VerifyEmail => Duration::from_hours(24),
            Self::PasswordReset => Duration::from_hours(1),
            Self::HandedOutReset => SHOWN_RESET_LIFE,
            Self::MagicLink => Duration::from_mins(10),
        }
    }

    /// What its secret is MAC'd for.
    pub fn of_secret(self) -> Purpose {
        match self {
            Self::FirstRun => Purpose::FirstRunLink,
            Self::PasswordReset | Self::HandedOutReset => Purpose::PasswordResetLink,
            Self::VerifyEmail => Purpose::VerifyEmailLink,
            Self::MagicLink => Purpose::MagicLink,
        }
    }
}

/// How long a password may be reset with a token that was not mailed, but handed out for a mailed code
/// or by an administrator (contract 2.8).
pub const SHOWN_RESET_LIFE: Duration = Duration::from_mins(30);

/// What is known of a link that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub expires_at: Time,
    /// It was used, or a newer one took its place.
    pub is_spent: bool,
    /// The account has changed since, such as by a new password.
    pub is_outdated: bool,
}

/// Why a link cannot be spent, if it cannot: what may be said to whoever holds its secret. No facts: no
/// link was found.
pub fn refusal(facts: Option<Facts>, now: Time) -> Option<LinkRefusal> {
    let Some(facts) = facts else { return Some(LinkRefusal::Unknown) };
    if facts.is_spent || facts.is_outdated {
        Some(LinkRefusal::Used)
    } else {
        (facts.expires_at <= now).then_some(LinkRefusal::Expired)
    }
}

impl LinkRefusal {
    /// The stable word for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unknown => "link_unknown",
            Self::Used => "link_used",
            Self::Expired => "link_expired",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_once_and_until_its_end() {
        let check = |end: i64, is_spent: bool, is_outdated: bool, expected| {
            let facts = Facts { expires_at: Time(1_000 + end), is_spent, is_outdated };
            assert_eq!(refusal(Some(facts), Time(1_000)), expected, "{facts:?}");
        };
        check(1, false, false, None);
        check(0, false, false, Some(LinkRefusal::Expired));
        check(-1, false, false, Some(LinkRefusal::Expired));
        check(1, true, false, Some(LinkRefusal::Used));
        check(1, false, true, Some(LinkRefusal::Used));
        check(-1, true, false, Some(LinkRefusal::Used));
        assert_eq!(refusal(None, Time(1_000)), Some(LinkRefusal::Unknown));
    }
}
