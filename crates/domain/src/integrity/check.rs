//! A check of all roots: why there is one, and how it stands.

use crate::word::written_as;

/// Why a check is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for it by a request or on a page.
    Request,
    /// Somebody at the command line of the server.
    Command,
    Schedule,
    /// The server began.
    Start,
    /// A deployment is to end.
    Deployment,
}

impl Cause {
    const ALL: [Self; 5] =
        [Self::Request, Self::Command, Self::Schedule, Self::Start, Self::Deployment];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Command => "command",
            Self::Schedule => "schedule",
            Self::Start => "start",
            Self::Deployment => "deployment",
        }
    }

    /// Reads back what [`Self::as_str`] gave.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == word)
    }
}

written_as!(Cause, as_str);

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    Running,
    Complete,
    /// A root could not be checked at all.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// Whoever ran it was gone before its end.
    Interrupted,
    /// The baseline changed meanwhile, so that what was found means nothing.
    Superseded,
}

impl CheckState {
    const ALL: [Self; 6] = [
        Self::Running,
        Self::Complete,
        Self::Failed,
        Self::Cancelled,
        Self::Interrupted,
        Self::Superseded,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Superseded => "superseded",
        }
    }

    /// Reads back what [`Self::as_str`] gave.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

written_as!(CheckState, as_str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for cause in Cause::ALL {
            assert_eq!(Cause::parse(cause.as_str()), Some(cause));
        }
        for state in CheckState::ALL {
            assert_eq!(CheckState::parse(state.as_str()), Some(state));
        }
        assert_eq!((Cause::parse("queued"), CheckState::parse("")), (None, None));
    }
}
