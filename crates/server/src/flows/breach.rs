//! Whether a password is breached, who says so, and of what date. The sources are asked in the order of the
//! configuration. Not here: what a new password must be, and what becomes of one that is found.

use jiff::civil::Date;
use portcullis_breach::{COMMON_DATE, Count, Prefix, Sha1};

use crate::app::App;
use crate::breach::{Breach, hashes};
use crate::clock::Clock;
use crate::config::{self, BreachSource};
use crate::telemetry::breach_checks::CheckResult;

/// Those who are asked.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub config: &'a config::Breach,
    pub breach: &'a Breach,
    pub clock: &'a Clock,
}

impl<'a> Sources<'a> {
    pub fn of(app: &'a App) -> Self {
        Self { config: &app.config.breach, breach: &app.breach, clock: &app.clock }
    }

    /// Who is asked, and of what date each is: what somebody else must say for a password to be looked up
    /// again. Of what date a service is, only its answers tell.
    pub fn corpus(&self) -> String {
        let told = |source: &BreachSource| match source {
            BreachSource::List => Some(format!("list {COMMON_DATE}")),
            BreachSource::Offline => {
                let (date, entries) = self.breach.offline.as_ref()?.extent()?;
                Some(format!("offline {date} {entries}"))
            }
            BreachSource::Online => Some("online".to_owned()),
        };
        self.config.sources.iter().filter_map(told).collect::<Vec<_>>().join(", ")
    }
}

/// What became of a question.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// `None`: nobody who answered knows the password.
    pub hit: Option<Hit>,
    /// Who answered last.
    pub by: Option<By>,
    /// Who should have answered and did not.
    pub silent: Vec<BreachSource>,
}

/// A password that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// How often it was found, at least.
    pub count: u64,
    pub by: By,
}

/// Who says so, and of what date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    pub source: BreachSource,
    pub date: Option<Date>,
}

/// All passwords of a prefix, as far as somebody knows them.
#[derive(Debug, PartialEq, Eq)]
pub struct Below {
    pub by: By,
    /// The digits behind the prefix, in order, and how often each was found. Of the offline index the first
    /// ten of them are known.
    pub suffixes: Vec<(String, u64)>,
}

/// Asks one source after the other until one says how often the password was found. One that only knows
/// the password is believed if no other says more.
pub async fn check(sources: Sources<'_>, password: &str) -> Answer {
    let (mut answer, hashes) = (Answer::default(), hashes(password));
    for source in &sources.config.sources {
        let said = sources.knows(*source, password, &hashes).await;
        if let Some(result) = said.result() {
            sources.breach.checks.note(*source, result);
        }
        match said {
            Said::Nothing => {}
            Said::Silent => answer.silent.push(*source),
            Said::Unknown(date) => answer.by = Some(By { source: *source, date }),
            Said::Known(count, date) => {
                let by = By { source: *source, date };
                answer.by = Some(by);
                match count {
                    Some(count) => {
                        answer.hit = Some(Hit { count, by });
                        break;
                    }
                    None => answer.hit = answer.hit.or(Some(Hit { count: 1, by })),
                }
            }
        }
    }
    answer
}

/// All passwords of a prefix, from the source that knows the most: offline, online, the list. `None`: none of
/// them answers.
pub async fn below(sources: Sources<'_>, prefix: Prefix) -> Option<Below> {
    use BreachSource::{List, Offline, Online};
    for source in [Offline, Online, List] {
        if !sources.config.sources.contains(&source) {
            continue;
        }
        if let Some(below) = sources.below(source, prefix).await {
            return Some(below);
        }
    }
    None
}

/// What one source says of a password.
enum Said {
    /// It is none, as this server is configured.
    Nothing,
    Silent,
    Unknown(Option<Date>),
    /// It is known, and how often it was found, if the source says so.
    Known(Option<u64>, Option<Date>),
}

impl Said {
    /// As it is counted; nothing where nobody was asked.
    fn result(&self) -> Option<CheckResult> {
        match self {
            Self::Nothing => None,
            Self::Silent => Some(CheckResult::Silent),
            Self::Unknown(_) => Some(CheckResult::NotFound),
            Self::Known(..) => Some(CheckResult::Found),
        }
    }
}

impl Sources<'_> {
    async fn knows(&self, source: BreachSource, password: &str, hashes: &[Sha1]) -> Said {
        match source {
            BreachSource::List if self.breach.common.contains(password) => {
                Said::Known(None, list_date())
            }
            BreachSource::List => Said::Unknown(list_date()),
            BreachSource::Offline => self.offline_knows(hashes).await,
            BreachSource::Online => self.online_knows(hashes).await,
        }
    }

    async fn offline_knows(&self, hashes: &[Sha1]) -> Said {
        let Some(offline) = &self.breach.offline else { return Said::Nothing };
        let date = offline.date();
        match offline.lookup(hashes.to_vec()).await {
            Ok(Some(count)) => Said::Known(Some(count.at_least()), date),
            Ok(None) => Said::Unknown(date),
            Err(_) => Said::Silent,
        }
    }

    /// Asks of each hash until one is known.
    async fn online_knows(&self, hashes: &[Sha1]) -> Said {
        let mut date = None;
        for hash in hashes {
            let Ok(known) = self.breach.online.below(hash.prefix(), self.clock).await else {
                return Said::Silent;
            };
            date = known.date;
            if let Some(count) = known.range.find(hash) {
                return Said::Known(Some(count), date);
            }
        }
        Said::Unknown(date)
    }

    async fn below(&self, source: BreachSource, prefix: Prefix) -> Option<Below> {
        let (date, suffixes) = match source {
            BreachSource::List => {
                let hashes = self.breach.common.below(prefix).iter();
                (list_date(), hashes.map(|hash| (hash.suffix(), 1)).collect())
            }
            BreachSource::Offline => {
                let offline = self.breach.offline.as_ref()?;
                let date = offline.date();
                let found = offline.below(prefix).await.ok()?;
                let told = |count: Count| count.at_least();
                let told = found.iter().map(|found| (found.digits(), told(found.count)));
                (date, told.collect())
            }
            BreachSource::Online => {
                let known = self.breach.online.below(prefix, self.clock).await.ok()?;
                let told = known.range.suffixes().iter();
                (known.date, told.map(|suffix| (suffix.hash.suffix(), suffix.count)).collect())
            }
        };
        Some(Below { by: By { source, date }, suffixes })
    }
}

fn list_date() -> Option<Date> {
    COMMON_DATE.parse().ok()
}
