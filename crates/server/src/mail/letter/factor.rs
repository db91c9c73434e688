//! Letters about a second factor.

use portcullis_domain::time::Time;
use portcullis_store::users::Strength;

use super::Letter;
use crate::mail::cap::Cap;

const NOT_YOU: &str = "If this was not you, somebody was signed in as you: set a new password at \
                       once by \"Forgot password?\" on the sign-in page, and tell whoever runs this \
                       service.";

impl Letter {
    /// Somebody who got past the password guesses at codes.
    pub fn factor_locked(until: Time) -> Self {
        let what = format!(
            "Somebody who knows your password typed wrong codes for your second factor several \
             times in a row. No code is taken until {}.",
            until.to_the_minute()
        );
        let advice = "If this was not you, set a new password now by \"Forgot password?\" on the \
                      sign-in page.";
        let letter = Self::notice("Wrong codes for your account", [&what, advice]);
        Self { cap: Some(Cap::FACTOR_LOCKED), ..letter }
    }

    /// Codes of the app are not taken any more.
    pub fn factor_exhausted() -> Self {
        let what = "Too many wrong codes in a row were typed for your second factor by somebody who \
                    knows your password. Codes of your authenticator app are not taken any more. \
                    You can sign in with one of your backup codes, or ask an administrator to reset \
                    your second factor.";
        let advice = "Set a new password now by \"Forgot password?\" on the sign-in page.";
        Self::notice("Codes of your authenticator app are not taken any more", [what, advice])
    }

    /// A code for a lost phone was used; so many are left.
    pub fn backup_code_used(left: i64) -> Self {
        let what = "Somebody used one of your backup codes in the place of a code of your \
                    authenticator app.";
        let left = match left {
            0 => "None is left. Make new ones on your account page.".to_owned(),
            1 => "One is left. Make new ones on your account page.".to_owned(),
            more => format!("{more} are left."),
        };
        Self::notice("A backup code was used", [what, &left, NOT_YOU])
    }

    /// The second factor is asked for from now on.
    pub fn factor_enabled(at: Time) -> Self {
        let what = format!(
            "A second factor was set up for your account at {}: signing in asks for a code of your \
             authenticator app from now on. Whoever else was signed in was signed out.",
            at.to_the_minute()
        );
        Self::notice("Your second factor is switched on", [&what, NOT_YOU])
    }

    /// The role asks for one, and there is none.
    pub fn factor_due(by: Time, place: &str) -> Self {
        let what = format!(
            "Your role needs a second factor: a code of an authenticator app beside your password. \
             Please set one up on your account page, {place}/-/account/second-factor, before {}.",
            by.to_the_minute()
        );
        let then = "After that, signing in leads to setting it up first.";
        Self::notice("Please set up a second factor", [&what, then])
    }

    /// Its owner took the second factor away.
    pub fn factor_removed(at: Time) -> Self {
        let what = format!(
            "The second factor of your account was switched off at {}. Your password alone signs you \
             in now, and whoever else was signed in was signed out.",
            at.to_the_minute()
        );
        Self::notice("Your second factor was switched off", [&what, NOT_YOU])
    }

    /// Other codes for a lost phone took the place of all earlier ones.
    pub fn backup_codes_renewed(at: Time) -> Self {
        let what = format!(
            "New backup codes were made for your account at {}. The earlier ones are not good any \
             more, and whoever else was signed in was signed out.",
            at.to_the_minute()
        );
        Self::notice("You have new backup codes", [&what, NOT_YOU])
    }

    /// Somebody who looks after accounts took the second factor away.
    pub fn factor_reset(at: Time, password: Strength) -> Self {
        let next = match password {
            Strength::Alone => "Your password alone signs you in now,",
            Strength::WithFactor => {
                "Your password is too short to stand alone: set a longer one by \"Forgot password?\" on \
                 the sign-in page. None is taken until then,"
            }
        };
        let what = format!(
            "The second factor of your account was reset at {} by whoever runs this service. {next} \
             and whoever was signed in was signed out.",
            at.to_the_minute()
        );
        let advice = "Set up another on your account page. If you asked nobody for this, set a new \
                      password now, and tell whoever runs this service.";
        Self::notice("Your second factor was reset", [&what, advice])
    }
}
