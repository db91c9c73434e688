//! The words that appear in events, and the one type for text from outside. Not here: the events.

/// Text from outside: at most [`Text::MAX_CHARS`] characters. Not for anything that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// Characters that are kept.
    pub const MAX_CHARS: usize = 256;

    /// Keeps the first [`Self::MAX_CHARS`] characters.
    pub fn clip(text: &str) -> Self {
        Self(text.chars().take(Self::MAX_CHARS).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused.
    Failure,
}

impl Outcome {
    /// The word in the column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Everyday life.
    Info,
    /// Worth a look when there are many.
    Warning,
    /// Worth a look.
    Critical,
}

impl Severity {
    /// The word in the column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Words of our own: enums whose variants have one spelling each.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub enum $name { $($(#[$variant_doc])* $variant),+ }

            crate::word::written_as!($name, as_str);

            impl $name {
                /// The word for it.
                pub fn as_str(self) -> &'static str {
                    match self { $(Self::$variant => $word),+ }
                }
            }
        )+
    };
}

words! {
    /// Why a sign-in failed. Only the event tells; the answer is the same for all.
    SignInFailure {
        /// Nobody has this name.
        UnknownUser = "unknown_user",
        /// The password is another.
        WrongPassword = "wrong_password",
        /// The account takes no password, or has none.
        NoPassword = "no_password",
        /// The attempt came during a lock-out; the password was not looked at.
        LockedOut = "locked_out",
        /// The password is right, and the account changed while it was being checked.
        AccountChanged = "account_changed",
        /// The password was right, and the second factor was not.
        WrongFactor = "wrong_second_factor",
        /// The password was right, and the second factor was not looked at, because too many were wrong.
        FactorLocked = "second_factor_locked",
        /// The password was right, and is breached for too long.
        PasswordBreached = "password_breached",
        /// The password is right, and the account is disabled.
        AccountDisabled = "account_disabled",
        /// The password is right, and the user is on the blacklist.
        Blacklisted = "blacklisted",
    }
    /// Who changed a password.
    PasswordChanger {
        /// Somebody at the command line of the server.
        Operator = "operator",
        /// Somebody with a one-time link to the account.
        Link = "link",
        /// Somebody who is signed in and knew the old one.
        Owner = "owner",
    }
    /// Why the code of a one-time link was refused.
    LinkRefusal {
        /// No link has this code.
        Unknown = "unknown",
        /// It was used before, or a newer link took its place.
        Used = "used",
        /// Its time is over.
        Expired = "expired",
    }
    /// Why a new place was not confirmed.
    PlaceRefusal {
        /// The code is another.
        WrongCode = "wrong_code",
        /// It was tried too often.
        Exhausted = "exhausted",
        /// There is no such ticket, or it was used, replaced, is over, or the account was changed.
        Over = "over",
    }
    /// What was typed as a second factor.
    FactorMethod {
        /// The code of an authenticator app.
        App = "app",
        /// A code for a lost phone.
        BackupCode = "backup_code",
        /// None: the device is trusted.
        TrustedDevice = "trusted_device",
    }
    /// Why a second factor was refused.
    FactorRefusal {
        /// The code is another, or was used before.
        Wrong = "wrong",
        /// There were too many wrong codes a short time ago; this one was not looked at.
        Locked = "locked",
        /// There were so many that the app's codes are not taken any more; this one was not looked at.
        Exhausted = "exhausted",
        /// There is no such ticket, or it was used, is over, or the account was changed.
        Over = "over",
    }
    /// Who took a second factor away.
    FactorRemover {
        /// Whose it was.
        Owner = "owner",
        /// Somebody who looks after accounts.
        Administrator = "administrator",
        /// Somebody at the command line of the server.
        Operator = "operator",
    }
    /// Why the code of a link that was opened elsewhere did not sign in.
    MagicCodeRefusal {
        /// The code is another.
        WrongCode = "wrong_code",
        /// It was tried too often.
        Exhausted = "exhausted",
        /// This browser asked for no link whose code is in force.
        Over = "over",
    }
    /// The credentials that a session may have.
    TokenKind {
        /// The session cookie.
        Cookie = "cookie",
        /// A bearer token of an API client.
        Api = "api",
        /// A bearer token of a mobile application.
        Mobile = "mobile",
        /// The session token that a mobile token was exchanged for.
        Child = "child",
        /// A signed access token.
        Access = "access",
        /// The cookie of a browser that stays signed in.
        Remember = "remember",
    }
    /// Why a session ended before its time.
    EndReason {
        /// Its owner signed out.
        Logout = "logout",
        /// Another sign-in took its place.
        Replaced = "replaced",
        /// Somebody else has a copy of the cookie that brought it.
        Stolen = "stolen",
        /// Somebody who may do so ended it.
        Terminated = "terminated",
        /// Its owner was put on the blacklist.
        Blacklisted = "blacklisted",
        /// Its owner has a new password.
        PasswordChanged = "password_changed",
        /// Its owner's second factor is another.
        FactorChanged = "factor_changed",
        /// The database is one that was restored: what was ended after the backup stays ended.
        Restored = "restored",
    }
    /// Why there is no backup.
    BackupFailure {
        /// The file could not be written.
        Unwritable = "unwritable",
        /// There is no room for it.
        Full = "full",
        /// The database did not answer, or holds what it should not.
        Store = "store",
    }
    /// The limits that can be exceeded.
    LimitName {
        /// Attempts to sign in.
        Login = "login",
        /// Requests that send mail.
        Sensitive = "sensitive",
        /// Codes for a new place that one account is sent.
        NewPlace = "new_place",
        /// Codes of links to sign in that are tried for one account.
        MagicCodes = "magic_codes",
        /// Letters of one kind to one address.
        Letters = "letters",
        /// Requests to our own endpoints.
        Requests = "requests",
        /// Refusals of strangers: from here on they are not written down one by one.
        Refusals = "refusals",
        /// Requests to the application.
        Upstream = "upstream",
        /// Requests by one API key.
        ApiKey = "api_key",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_clipped_by_characters() {
        let check = |text: &str, chars: usize| {
            let clipped = Text::clip(text);
            assert_eq!(clipped.as_str().chars().count(), chars);
            assert!(text.starts_with(clipped.as_str()));
        };
        check("", 0);
        check("short", 5);
        check(&"é".repeat(256), 256);
        check(&"🔑".repeat(1000), 256);
    }
}
