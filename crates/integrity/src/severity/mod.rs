//! How bad a difference is: an ordered table of rules, of which the first that fits decides and is named.
//! The operator's rules stand before ours. Not here: who is told, and what happened to an alert since.

mod built_in;
mod condition;
mod custom;

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use globset::GlobSet;

pub use custom::{CustomRule, NotARule, RuleFault};

use crate::path::as_path;
use crate::{Change, Finding};

/// How bad it is; the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// The rules, in their order. The last one fits everything. Copies are cheap: every look has some.
#[derive(Clone, Debug)]
pub struct Rules(Arc<[Rule]>);

/// What is known of a difference.
#[derive(Clone, Copy, Debug)]
struct Facts<'f> {
    finding: &'f Finding,
    /// Where the root is, absolute, and no link: where links lead to is told by it.
    root: &'f Path,
}

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict<'r> {
    /// The name of the rule that decided.
    pub rule: &'r str,
    /// `None`: nobody is to be told.
    pub severity: Option<Severity>,
}

/// One rule. It fits if all that it asks for is so.
#[derive(Clone, Debug)]
struct Rule {
    name: String,
    severity: Option<Severity>,
    /// `None`: any path.
    paths: Option<GlobSet>,
    /// Empty: any change.
    changes: Vec<Change>,
    /// `None`: nothing more.
    when: Option<fn(&Facts<'_>) -> bool>,
}

impl Severity {
    const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// The word is none of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a severity is low, medium, high or critical")]
pub struct NotASeverity;

impl FromStr for Severity {
    type Err = NotASeverity;

    fn from_str(word: &str) -> Result<Self, NotASeverity> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == word).ok_or(NotASeverity)
    }
}

impl Default for Rules {
    /// Our own alone.
    fn default() -> Self {
        Self(built_in::rules().collect())
    }
}

impl Rules {
    /// The operator's rules, in their order, and ours behind them.
    pub fn with(custom: impl IntoIterator<Item = CustomRule>) -> Result<Self, NotARule> {
        custom::before(built_in::rules().collect(), custom).map(|rules| Self(rules.into()))
    }

    /// Judges a difference.
    pub fn judge(&self, finding: &Finding, root: &Path) -> Verdict<'_> {
        self.first(|rule| rule.fits(&Facts { finding, root }))
    }

    /// Judges that a file has a name that nobody watches. Rules that ask for more than path and change say
    /// nothing of it.
    pub fn judge_linked(&self, path: &[u8]) -> Verdict<'_> {
        self.first(|rule| rule.when.is_none() && rule.is_of(path, Change::Linked))
    }

    fn first(&self, fits: impl Fn(&Rule) -> bool) -> Verdict<'_> {
        let first = self.0.iter().find(|rule| fits(rule));
        // The last rule asks for nothing, so there is always one.
        let other = Verdict { rule: built_in::LAST, severity: Some(Severity::Medium) };
        first.map_or(other, |rule| Verdict { rule: &rule.name, severity: rule.severity })
    }
}

impl Rule {
    fn fits(&self, facts: &Facts<'_>) -> bool {
        let finding = facts.finding;
        self.when.is_none_or(|when| when(facts)) && self.is_of(finding.path(), finding.change())
    }

    fn is_of(&self, path: &[u8], change: Change) -> bool {
        (self.changes.is_empty() || self.changes.contains(&change))
            && self.paths.as_ref().is_none_or(|paths| paths.is_match(as_path(path)))
    }
}
