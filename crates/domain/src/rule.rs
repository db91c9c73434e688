//! The gate's table: which rule a request falls under, and whether the caller may pass.
//!
//! Not the door to our own endpoints: each of those says in the server's route table who may pass.
//! No regular expressions, and no bypass by pattern.

use std::cmp::Reverse;
use std::fmt;

use crate::account::AccountType;
use crate::permission::{Grants, Key};
use crate::request_path::RequestPath;
use crate::text::Host;

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Names the rule in refusals and events; unique in the table.
    pub id: String,
    /// `None` for any host.
    pub host: Option<Host>,
    /// Covers this path and all below it, by whole segments.
    pub path: RequestPath,
    pub methods: Methods,
    /// Where requests go; `None` for the gate's own upstream.
    pub upstream: Option<String>,
    pub csrf: CsrfMode,
    pub allow: Allow,
}

/// The request methods that a rule names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Methods {
    #[default]
    All,
    /// Upper case; GET stands for HEAD too.
    Named(Vec<String>),
}

impl Methods {
    /// Reads method names in any case; `None` if there are none or one is not a word of letters,
    /// digits and hyphens. HEAD is read as GET, because a rule cannot tell them apart.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut methods = Vec::new();
        for name in names {
            let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if name.is_empty() || !is_word {
                return None;
            }
            methods.push(head_as_get(&name.to_ascii_uppercase()).to_owned());
        }
        methods.sort_unstable();
        methods.dedup();
        if methods.is_empty() { None } else { Some(Self::Named(methods)) }
    }

    fn cover(&self, method: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(methods) => methods.iter().any(|named| named == method),
        }
    }

    /// Whether a method exists for which these and `other` are equally specific.
    fn tie_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, Self::All) => true,
            (Self::Named(mine), Self::Named(_)) => mine.iter().any(|method| other.cover(method)),
            (Self::All, Self::Named(_)) | (Self::Named(_), Self::All) => false,
        }
    }
}

/// What protects a rule's unsafe methods from other sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrfMode {
    /// The origin wall and a token of ours.
    Token,
    /// The origin wall alone, for applications that have tokens of their own.
    Origin,
    /// Nothing.
    Off,
}

impl CsrfMode {
    /// The mode of a rule that names none: a token, except where anyone may pass anyway.
    pub fn default_for(allow: &Allow) -> Self {
        match allow {
            Allow::Anyone => Self::Off,
            Allow::SignedIn | Allow::Permission(_) | Allow::AccountType(_) => Self::Token,
        }
    }

    /// Reads `token`, `origin` or `off`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "token" => Some(Self::Token),
            "origin" => Some(Self::Origin),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// Who may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allow {
    Anyone,
    SignedIn,
    Permission(Key),
    AccountType(AccountType),
}

/// What happens to a request that no rule covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DefaultRule {
    #[default]
    Deny,
    SignedIn,
}

/// A fault of the table as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    #[error("two rules have the id {0:?}")]
    DuplicateId(String),
    #[error("the rules {first:?} and {second:?} are equally specific for the same requests")]
    Tie { first: String, second: String },
}

/// All rules, the most specific first, so that the first that matches decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleTable(Vec<Rule>);

impl RuleTable {
    /// Sorts the rules: a named host beats any, then the longer path wins, then named methods beat
    /// all. All faults are returned at once.
    pub fn new(mut rules: Vec<Rule>) -> Result<Self, Vec<RuleFault>> {
        let faults = faults(&rules);
        if !faults.is_empty() {
            return Err(faults);
        }
        rules.sort_by_key(|rule| {
            (rule.host.is_none(), Reverse(rule.path.depth()), rule.methods == Methods::All)
        });
        Ok(Self(rules))
    }

    /// The rule for a request. `method` is as in the request line; HEAD counts as GET. Allocates
    /// nothing.
    pub fn choose(&self, host: &Host, path: &RequestPath, method: &str) -> Option<&Rule> {
        let method = head_as_get(method);
        self.0.iter().find(|rule| {
            rule.path.covers(path)
                && rule.host.as_ref().is_none_or(|named| named == host)
                && rule.methods.cover(method)
        })
    }

    /// The rules in the order in which they are tried.
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }
}

/// What the decision needs to know of a signed-in caller.
#[derive(Clone, Copy, Debug)]
pub struct CallerFacts<'a> {
    pub account_type: AccountType,
    pub grants: &'a Grants,
    pub scope: KeyScope,
}

/// Whether what the caller came with may be used for a request with this method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyScope {
    /// An API key whose scopes cover it, or no API key.
    Covers,
    /// An API key with other scopes.
    FallsShort,
}

/// Whether the request may pass; otherwise why not, with the id of the rule that says so (`None`
/// where no rule covers the request).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    Allow,
    /// Nobody is signed in, and somebody would have to be.
    SignIn {
        rule: Option<&'a str>,
    },
    Deny {
        reason: DenyReason,
        rule: Option<&'a str>,
    },
}

/// Why a caller may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DenyReason {
    NoRule,
    PermissionMissing,
    AccountType,
    ScopeMissing,
}

impl DenyReason {
    /// The stable word for clients and events.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoRule => "no_rule",
            Self::PermissionMissing => "permission_missing",
            Self::AccountType => "account_type",
            Self::ScopeMissing => "scope_missing",
        }
    }
}

impl fmt::Display for DenyReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

/// Decides on a request by the rule that covers it. Pure, and allocates nothing.
pub fn decide<'a>(
    rule: Option<&'a Rule>,
    default: DefaultRule,
    caller: Option<CallerFacts<'_>>,
) -> Decision<'a> {
    let id = rule.map(|rule| rule.id.as_str());
    let deny = |reason| Decision::Deny { reason, rule: id };
    let allow = match (rule, default) {
        (Some(rule), _) => &rule.allow,
        (None, DefaultRule::SignedIn) => &Allow::SignedIn,
        (None, DefaultRule::Deny) => return deny(DenyReason::NoRule),
    };
    match (allow, caller) {
        (Allow::Anyone, _) => Decision::Allow,
        (_, None) => Decision::SignIn { rule: id },
        (_, Some(caller)) if caller.scope == KeyScope::FallsShort => deny(DenyReason::ScopeMissing),
        (Allow::SignedIn, Some(_)) => Decision::Allow,
        (Allow::Permission(key), Some(caller)) if caller.grants.allows(key) => Decision::Allow,
        (Allow::Permission(_), Some(_)) => deny(DenyReason::PermissionMissing),
        (Allow::AccountType(kind), Some(caller)) if caller.account_type == *kind => Decision::Allow,
        (Allow::AccountType(_), Some(_)) => deny(DenyReason::AccountType),
    }
}

fn faults(rules: &[Rule]) -> Vec<RuleFault> {
    let mut faults = Vec::new();
    for (index, second) in rules.iter().enumerate() {
        for first in rules.iter().take(index) {
            if first.id == second.id {
                faults.push(RuleFault::DuplicateId(first.id.clone()));
            }
            let same_path = first.path.covers(&second.path) && second.path.covers(&first.path);
            let same_place = first.host == second.host && same_path;
            if same_place && first.methods.tie_with(&second.methods) {
                let (first, second) = (first.id.clone(), second.id.clone());
                faults.push(RuleFault::Tie { first, second });
            }
        }
    }
    faults
}

fn head_as_get(method: &str) -> &str {
    if method == "HEAD" { "GET" } else { method }
}

#[cfg(test)]
mod tests;
