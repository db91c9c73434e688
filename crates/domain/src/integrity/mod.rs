//! The watch over an application's files, as rules: what an alert goes through, how a check and a
//! deployment end. Not here: reading files and comparing them, which is the scanner's.

pub mod alert;
mod check;
mod deployment;
mod keys;

pub use check::{Cause, CheckState};
pub use deployment::{DeploymentState, LONGEST, SHORTEST, USUAL, Verdict, judge};
pub use keys::{NONCE_LEN, WatchKeys};

use crate::word::written_as;

/// Who says what ought to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Whoever built it, by a signature of a key that is not on the server.
    Declared,
    /// It was there when somebody looked.
    Observed,
}

impl Origin {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Observed => "observed",
        }
    }

    /// Reads back what [`Self::as_str`] gave.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Declared, Self::Observed].into_iter().find(|origin| origin.as_str() == word)
    }
}

written_as!(Origin, as_str);
