//! The operator's rules, read from words and put before ours. Not here: the file they stand in.

use std::collections::HashSet;

use super::condition::{is_harmless, is_live};
use super::{Facts, Rule, Severity};
use crate::Change;
use crate::glob::{Case, globs};

/// The word for "nobody is to be told".
const IGNORE: &str = "ignore";
const LONGEST_NAME: usize = 64;

/// A rule of the operator's, as it is written. It says how bad something is (`severity`, of `paths` and
/// `changes`) or where files of strangers come in (`uploads`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomRule {
    /// Lower-case letters, digits and `_`.
    pub name: String,
    /// The word of a [`Severity`], or `ignore`.
    pub severity: Option<String>,
    /// Patterns in the dialect of [`crate::Exclude`]; none: any path, which `ignore` does not take.
    pub paths: Vec<String>,
    /// Words of [`Change`]; none: any.
    pub changes: Vec<String>,
    /// Patterns. What is added or modified there is ignored as long as nobody can run it, and is critical
    /// if anybody can.
    pub uploads: Vec<String>,
}

/// The rule cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule \"{name}\": {fault}")]
pub struct NotARule {
    pub name: String,
    pub fault: RuleFault,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    #[error("a name is 1 to 64 lower-case letters, digits and _")]
    Name,
    #[error("there is another rule of that name")]
    Twice,
    #[error("severity is low, medium, high, critical or ignore")]
    Severity,
    #[error("ignore needs paths, [\"**\"] if all are meant")]
    IgnoresAll,
    #[error(
        "changes are added, deleted, modified, attributes, unverifiable and linked, not \"{0}\""
    )]
    Change(String),
    #[error("uploads stands alone, or severity does, with paths and changes")]
    Kind,
    #[error("{0}")]
    Pattern(String),
}

/// Puts rules before others. A name that is taken is refused: alerts would not say which rule it was.
pub(super) fn before(
    ours: Vec<Rule>,
    custom: impl IntoIterator<Item = CustomRule>,
) -> Result<Vec<Rule>, NotARule> {
    let mut names: HashSet<String> = ours.iter().map(|rule| rule.name.clone()).collect();
    let mut rules = Vec::new();
    for rule in custom {
        let is_new = names.insert(rule.name.clone());
        let read = if is_new { read(&rule) } else { Err(RuleFault::Twice) };
        rules.extend(read.map_err(|fault| NotARule { name: rule.name, fault })?);
    }
    rules.extend(ours);
    Ok(rules)
}

fn read(rule: &CustomRule) -> Result<Vec<Rule>, RuleFault> {
    let is_of_names = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    if !(1..=LONGEST_NAME).contains(&rule.name.len()) || !rule.name.bytes().all(is_of_names) {
        return Err(RuleFault::Name);
    }
    let is_plain = rule.paths.is_empty() && rule.changes.is_empty();
    match &rule.severity {
        None if !rule.uploads.is_empty() && is_plain => uploads(rule),
        Some(word) if rule.uploads.is_empty() => judgement(rule, word).map(|rule| vec![rule]),
        _ => Err(RuleFault::Kind),
    }
}

fn judgement(rule: &CustomRule, word: &str) -> Result<Rule, RuleFault> {
    let severity = match word {
        IGNORE if rule.paths.is_empty() => return Err(RuleFault::IgnoresAll),
        IGNORE => None,
        word => Some(word.parse().map_err(|_| RuleFault::Severity)?),
    };
    let change = |word: &String| word.parse().map_err(|_| RuleFault::Change(word.clone()));
    let changes = rule.changes.iter().map(change).collect::<Result<_, _>>()?;
    made(rule, severity, &rule.paths, changes, None)
}

/// Two rules in one name: what can be run, and the rest.
fn uploads(rule: &CustomRule) -> Result<Vec<Rule>, RuleFault> {
    let changes = || vec![Change::Added, Change::Modified];
    Ok(vec![
        made(rule, Some(Severity::Critical), &rule.uploads, changes(), Some(is_live))?,
        made(rule, None, &rule.uploads, changes(), Some(is_harmless))?,
    ])
}

fn made(
    rule: &CustomRule,
    severity: Option<Severity>,
    paths: &[String],
    changes: Vec<Change>,
    when: Option<fn(&Facts<'_>) -> bool>,
) -> Result<Rule, RuleFault> {
    let not = |fault: globset::Error| RuleFault::Pattern(fault.to_string());
    let read = || globs(paths.iter().map(String::as_str), Case::Differs).map_err(not);
    let paths = if paths.is_empty() { None } else { Some(read()?) };
    Ok(Rule { name: rule.name.clone(), severity, paths, changes, when })
}
