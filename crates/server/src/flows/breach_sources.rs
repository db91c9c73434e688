//! How it stands with those who know breached passwords, in the order in which they are asked. Not here: asking
//! them (`breach`).

use jiff::civil::Date;
use portcullis_breach::{COMMON_DATE, Common};
use portcullis_domain::time::Time;

use super::breach::Sources;
use crate::breach::Standing as OfIndex;
use crate::config::BreachSource;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    pub source: BreachSource,
    pub standing: Standing,
    /// Of when what it knows is, if that is known.
    pub date: Option<Date>,
    /// How many passwords it knows, if that is known.
    pub passwords: Option<u64>,
    /// When it last answered; of a service only.
    pub answered_at: Option<Time>,
}

/// How it stands with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is part of the program.
    BuiltIn,
    /// It answers, and every byte of it was found right.
    Verified,
    /// It answers; not all of it was read yet.
    Opened,
    /// It must be signed, and is asked when all of it was read.
    Reading,
    /// The file cannot be used.
    Refused,
    /// No file is configured.
    Absent,
    /// The last answer was good.
    Answers,
    /// Nobody asked since the start of this process.
    NotAsked,
    /// It is left alone for a while, because it failed.
    Down,
}

impl Standing {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built_in",
            Self::Verified => "verified",
            Self::Opened => "opened",
            Self::Reading => "reading",
            Self::Refused => "refused",
            Self::Absent => "absent",
            Self::Answers => "answers",
            Self::NotAsked => "not_asked",
            Self::Down => "down",
        }
    }

    /// Whether somebody should look after it.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Refused | Self::Down)
    }
}

/// All of them.
pub fn all(sources: Sources<'_>) -> Vec<Source> {
    sources.config.sources.iter().map(|source| one(sources, *source)).collect()
}

fn one(sources: Sources<'_>, source: BreachSource) -> Source {
    let with = |standing, date, passwords, answered_at| Source {
        source,
        standing,
        date,
        passwords,
        answered_at,
    };
    match source {
        BreachSource::List => {
            with(Standing::BuiltIn, COMMON_DATE.parse().ok(), Some(Common::count()), None)
        }
        BreachSource::Offline => {
            let Some(offline) = &sources.breach.offline else {
                return with(Standing::Absent, None, None, None);
            };
            let standing = match offline.standing() {
                OfIndex::Verified => Standing::Verified,
                OfIndex::Reading => Standing::Reading,
                OfIndex::Opened => Standing::Opened,
                OfIndex::Refused => Standing::Refused,
            };
            let (date, passwords) = offline.extent().unzip();
            with(standing, date, passwords, None)
        }
        BreachSource::Online => {
            let (online, last) = (&sources.breach.online, sources.breach.online.last_answer());
            let standing = match last {
                _ if online.is_down() => Standing::Down,
                Some(_) => Standing::Answers,
                None => Standing::NotAsked,
            };
            with(standing, last.and_then(|last| last.date), None, last.map(|last| last.at))
        }
    }
}
