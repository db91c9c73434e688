//! A deployment: the time in which files may come to be as a manifest declares them, and what is made of
//! its end.

use std::time::Duration;

use crate::word::written_as;

/// How long a deployment may take unless it says so.
pub const USUAL: Duration = Duration::from_mins(30);
/// How long it may take at the most.
pub const LONGEST: Duration = Duration::from_hours(4);
/// The shortest that can be asked for.
pub const SHORTEST: Duration = Duration::from_mins(1);

/// How a deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentState {
    Open,
    /// Everything is as declared, and the manifest is the baseline.
    Complete,
    /// Not everything was as declared at its end. The baseline before it stays.
    Incomplete,
    /// Nobody ended it in time.
    Expired,
    /// Somebody called it off.
    Cancelled,
}

impl DeploymentState {
    const ALL: [Self; 5] =
        [Self::Open, Self::Complete, Self::Incomplete, Self::Expired, Self::Cancelled];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads back what [`Self::as_str`] gave.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

written_as!(DeploymentState, as_str);

/// What a path is while a deployment goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it is declared to be: nobody is told.
    Reached,
    /// As it was before.
    Pending,
    /// Neither.
    Unexpected,
}

/// Judges a path that differs from the baseline in force, from the declared one, or from both.
pub fn judge(differs_from_old: bool, differs_from_new: bool) -> Verdict {
    match (differs_from_old, differs_from_new) {
        (_, false) => Verdict::Reached,
        (false, true) => Verdict::Pending,
        (true, true) => Verdict::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_nobody_said_is_unexpected() {
        assert_eq!(judge(true, false), Verdict::Reached);
        assert_eq!(judge(false, false), Verdict::Reached);
        assert_eq!(judge(false, true), Verdict::Pending);
        assert_eq!(judge(true, true), Verdict::Unexpected);
    }

    #[test]
    fn every_word_is_read_back() {
        for state in DeploymentState::ALL {
            assert_eq!(DeploymentState::parse(state.as_str()), Some(state));
        }
        assert_eq!(DeploymentState::parse("Open"), None);
    }
}
