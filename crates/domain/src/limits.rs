//! The limits of a deployment by name: which there are, what is in force, and which values may be
//! put in force while the server runs. Not here: how a limit counts, which is
//! [`crate::throttle`], and what is counted, which is the server's.

use std::time::Duration;

use crate::throttle::{Limit, LimitFault, parse_limit};

/// A limit that can be changed while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tunable {
    /// Attempts to sign in.
    Login,
    /// Requests that send a secret somewhere or try one.
    Sensitive,
    /// Wrong passwords in a row.
    Lockout,
    /// Requests to our own endpoints.
    Requests,
    /// Requests to the application.
    Upstream,
}

impl Tunable {
    /// Every one, in the order of the configuration.
    pub const ALL: [Self; 5] =
        [Self::Login, Self::Sensitive, Self::Lockout, Self::Requests, Self::Upstream];

    /// The key in the section `limits` of the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Sensitive => "sensitive",
            Self::Lockout => "lockout",
            Self::Requests => "requests",
            Self::Upstream => "upstream",
        }
    }

    /// The limit of a key.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tunable| tunable.key() == key)
    }
}

/// What is in force. `None`: there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub login: Option<Limit>,
    pub sensitive: Option<Limit>,
    pub lockout: Option<Limit>,
    pub requests: Option<Limit>,
    pub upstream: Option<Limit>,
}

impl Limits {
    /// The value of a limit.
    #[must_use]
    pub fn of(&self, tunable: Tunable) -> Option<Limit> {
        match tunable {
            Tunable::Login => self.login,
            Tunable::Sensitive => self.sensitive,
            Tunable::Lockout => self.lockout,
            Tunable::Requests => self.requests,
            Tunable::Upstream => self.upstream,
        }
    }

    /// The same with another value of one limit.
    #[must_use]
    pub fn with(self, tunable: Tunable, value: Option<Limit>) -> Self {
        match tunable {
            Tunable::Login => Self { login: value, ..self },
            Tunable::Sensitive => Self { sensitive: value, ..self },
            Tunable::Lockout => Self { lockout: value, ..self },
            Tunable::Requests => Self { requests: value, ..self },
            Tunable::Upstream => Self { upstream: value, ..self },
        }
    }
}

/// Why a value is not put in force while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(transparent)]
    Unreadable(#[from] LimitFault),
    /// Whoever is shut out would wait for its end.
    #[error("expected a period of at most {longest}")]
    TooLong { longest: Longest },
    /// Whoever set it could not take it back.
    #[error("expected a count of at least {least}, or nobody could take it back")]
    TooTight { least: u32 },
}

impl Unfit {
    /// The sentence for whoever sent it, in words of ours alone.
    pub fn detail(self) -> &'static str {
        match self {
            Self::Unreadable(_) => "must be a count and a period such as 5/60s, or off",
            Self::TooLong { longest: Longest::QuarterOfAnHour } => {
                "must have a period of at most 15m, or everybody could be shut out for long"
            }
            Self::TooLong { longest: Longest::Hour } => {
                "must have a period of at most 1h, or everybody could be shut out for long"
            }
            Self::TooTight { .. } => "has so small a count that nobody could take it back",
        }
    }
}

/// The longest period that may be put in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Longest {
    QuarterOfAnHour,
    Hour,
}

impl Longest {
    fn of(tunable: Tunable) -> Self {
        match tunable {
            Tunable::Requests | Tunable::Upstream => Self::QuarterOfAnHour,
            Tunable::Login | Tunable::Sensitive | Tunable::Lockout => Self::Hour,
        }
    }

    fn period(self) -> Duration {
        match self {
            Self::QuarterOfAnHour => Duration::from_mins(15),
            Self::Hour => Duration::from_hours(1),
        }
    }
}

impl std::fmt::Display for Longest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::QuarterOfAnHour => "15m",
            Self::Hour => "1h",
        })
    }
}

/// Reads a value as the configuration does, and refuses what would shut everybody out, with
/// whoever sets it. Neither the configuration nor the command line is bound by that: nobody is shut
/// out of those.
pub fn parse_change(tunable: Tunable, text: &str) -> Result<Option<Limit>, Unfit> {
    let Some(limit) = parse_limit(text)? else { return Ok(None) };
    let (least, longest) = (least(tunable), Longest::of(tunable));
    if limit.period > longest.period() {
        return Err(Unfit::TooLong { longest });
    }
    if limit.count < least { Err(Unfit::TooTight { least }) } else { Ok(Some(limit)) }
}

/// The smallest count: signing in and changing a limit take some requests.
fn least(tunable: Tunable) -> u32 {
    match tunable {
        Tunable::Requests | Tunable::Upstream => 30,
        Tunable::Login | Tunable::Lockout => 3,
        Tunable::Sensitive => 1,
    }
}

/// A limit as it is written.
pub fn written(limit: Option<Limit>) -> String {
    limit.map_or_else(|| "off".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_found() {
        for tunable in Tunable::ALL {
            assert_eq!(Tunable::of_key(tunable.key()), Some(tunable));
        }
        for wrong in ["", "body", "LOGIN", "login ", "limits.login"] {
            assert_eq!(Tunable::of_key(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn one_limit_is_changed_and_no_other() {
        let limit = |count| Some(Limit { count, period: Duration::from_mins(1) });
        for tunable in Tunable::ALL {
            let changed = Limits::default().with(tunable, limit(7));
            for other in Tunable::ALL {
                let expected = if other == tunable { limit(7) } else { None };
                assert_eq!(changed.of(other), expected, "{tunable:?} {other:?}");
            }
        }
    }

    #[test]
    fn nobody_shuts_everybody_out() {
        let check = |tunable, text: &str, expected: Result<&str, Unfit>| {
            let read = parse_change(tunable, text).map(written);
            assert_eq!(read, expected.map(str::to_owned), "{tunable:?} {text:?}");
        };
        for tunable in Tunable::ALL {
            check(tunable, "off", Ok("off"));
            check(tunable, "60/60s", Ok("60/60s"));
            check(tunable, "100/15m", Ok("100/900s"));
            for wrong in ["", "0/60s", "-1/60s", "60", "60/0s", " 60/60s", "none", "4294967296/1s"]
            {
                check(tunable, wrong, Err(Unfit::Unreadable(LimitFault)));
            }
        }
        for tunable in [Tunable::Requests, Tunable::Upstream] {
            let longest = Longest::QuarterOfAnHour;
            check(tunable, "100/901s", Err(Unfit::TooLong { longest }));
        }
        for tunable in [Tunable::Login, Tunable::Sensitive, Tunable::Lockout] {
            check(tunable, "100/1h", Ok("100/3600s"));
            check(tunable, "100/3601s", Err(Unfit::TooLong { longest: Longest::Hour }));
        }
        check(Tunable::Requests, "29/60s", Err(Unfit::TooTight { least: 30 }));
        check(Tunable::Requests, "30/60s", Ok("30/60s"));
        check(Tunable::Upstream, "1/15m", Err(Unfit::TooTight { least: 30 }));
        check(Tunable::Login, "2/60s", Err(Unfit::TooTight { least: 3 }));
        check(Tunable::Lockout, "3/15m", Ok("3/900s"));
        check(Tunable::Sensitive, "1/60s", Ok("1/60s"));
    }
}
