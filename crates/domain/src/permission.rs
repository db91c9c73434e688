//! Permission keys in dot-notation, wildcards over them, and sets of both.
//!
//! Not roles: who holds which set, and who may give it, is decided in [`crate::role`].

use std::fmt;

/// Why a key was refused. The `Display` text says what is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "A permission key is one to eight segments of letters, digits and underscores joined by dots, \
     such as api.jobs.manage.manage, at most 120 characters; a grant may also be * or end in .*"
)]
pub struct KeyFault;

/// One permission in its canonical spelling: lower case, `_` for `-`, and `activity_log.view` read
/// as `activity_log.manage` (the documents spell both).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<str>);

impl Key {
    const MAX: usize = 120;
    const MAX_SEGMENTS: usize = 8;

    /// Folds the spelling and checks the form.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        if text.len() > Self::MAX || text.split('.').count() > Self::MAX_SEGMENTS {
            return Err(KeyFault);
        }
        let folded = text.to_ascii_lowercase().replace('-', "_");
        if !folded.split('.').all(is_segment) {
            return Err(KeyFault);
        }
        Ok(Self(unaliased(folded).into_boxed_str()))
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `other` lies at least one whole segment below this key.
    fn is_above(&self, other: &Self) -> bool {
        other.0.strip_prefix(&*self.0).is_some_and(|rest| rest.starts_with('.'))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What a role can be given: a key, everything below a key, or everything.
///
/// The order of the variants is relied on: in a sorted list the wildcards come first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// `*`.
    All,
    /// `api.security.*`: every key below `api.security`, not that key itself and no sibling.
    Below(Key),
    /// `api.security.sessions.manage`.
    Key(Key),
}

impl Grant {
    /// Reads `*`, `prefix.*` or a key; a star anywhere else is refused.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.strip_suffix(".*") {
            Some(prefix) => Key::parse(prefix).map(Self::Below),
            None => Key::parse(text).map(Self::Key),
        }
    }

    /// Whether holding this grant is enough for all that `other` gives.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Below(mine), Self::Below(theirs)) => mine == theirs || mine.is_above(theirs),
            (Self::Below(mine), Self::Key(theirs)) => mine.is_above(theirs),
            (Self::Key(mine), Self::Key(theirs)) => mine == theirs,
            (Self::Below(_) | Self::Key(_), Self::All) | (Self::Key(_), Self::Below(_)) => false,
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => out.write_str("*"),
            Self::Below(prefix) => write!(out, "{prefix}.*"),
            Self::Key(key) => key.fmt(out),
        }
    }
}

/// A set of grants, made for asking: sorted, without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

impl Grants {
    /// Every permission.
    pub fn all() -> Self {
        Self(vec![Grant::All])
    }

    /// Whether the holder may do what `key` stands for. Allocates nothing.
    pub fn allows(&self, key: &Key) -> bool {
        self.wildcards().any(|wildcard| match wildcard {
            Grant::All => true,
            Grant::Below(prefix) => prefix.is_above(key),
            Grant::Key(_) => false,
        }) || self.holds_key(key)
    }

    /// Whether one grant of this set is enough for all that `grant` gives.
    pub fn covers(&self, grant: &Grant) -> bool {
        match grant {
            Grant::Key(key) => self.allows(key),
            Grant::All | Grant::Below(_) => self.wildcards().any(|mine| mine.covers(grant)),
        }
    }

    /// Whether this very grant is in the set, wildcards not spelled out.
    pub fn contains(&self, grant: &Grant) -> bool {
        self.0.binary_search(grant).is_ok()
    }

    /// The grants: `*` first, then wildcards, then keys, each in alphabetical order.
    pub fn iter(&self) -> std::slice::Iter<'_, Grant> {
        self.0.iter()
    }

    /// How many grants there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn wildcards(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter().take_while(|grant| !matches!(grant, Grant::Key(_)))
    }

    fn holds_key(&self, key: &Key) -> bool {
        self.0
            .binary_search_by(|grant| match grant {
                Grant::All | Grant::Below(_) => std::cmp::Ordering::Less,
                Grant::Key(mine) => mine.cmp(key),
            })
            .is_ok()
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        let mut grants: Vec<Grant> = grants.into_iter().collect();
        grants.sort_unstable();
        grants.dedup();
        Self(grants)
    }
}

impl<'a> IntoIterator for &'a Grants {
    type Item = &'a Grant;
    type IntoIter = std::slice::Iter<'a, Grant>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn is_segment(segment: &str) -> bool {
    let accepted = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    !segment.is_empty() && segment.bytes().all(accepted)
}

/// Reads the one key that the documents spell with two verbs.
fn unaliased(key: String) -> String {
    match key.strip_suffix("activity_log.view") {
        Some(area) if area.is_empty() || area.ends_with('.') => {
            format!("{area}activity_log.manage")
        }
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    fn grant(text: &str) -> Grant {
        Grant::parse(text).unwrap()
    }

    fn grants(list: &[&str]) -> Grants {
        list.iter().map(|text| grant(text)).collect()
    }

    #[test]
    fn keys_are_folded() {
        let check = |text: &str, canonical: &str| assert_eq!(key(text).as_str(), canonical);
        check("api.jobs.manage.manage", "api.jobs.manage.manage");
        check("API.Security.Mobile-Auth.Use", "api.security.mobile_auth.use");
        check("api.admin.activity-log.manage", "api.admin.activity_log.manage");
        check("api.admin.activity_log.view", "api.admin.activity_log.manage");
        check("api.admin.activity-log.VIEW", "api.admin.activity_log.manage");
        check("activity_log.view", "activity_log.manage");
        check("api.user_activity_log.view", "api.user_activity_log.view");
        check("api.activity_log.view.all", "api.activity_log.view.all");
        check("x", "x");
        check("1.2.3.4.5.6.7.8", "1.2.3.4.5.6.7.8");
    }

    #[test]
    fn other_forms_are_refused() {
        let check = |text: &str| assert_eq!(Grant::parse(text), Err(KeyFault), "{text:?}");
        check("");
        check(".");
        check("api.");
        check(".api");
        check("api..jobs");
        check("api jobs");
        check("api.jöbs");
        check("api.*.manage");
        check("*.manage");
        check(".*");
        check("**");
        check("api.jobs*");
        check("1.2.3.4.5.6.7.8.9");
        check(&"x".repeat(121));
        assert!(Key::parse("*").is_err());
        assert!(Key::parse("api.*").is_err());
    }

    #[test]
    fn a_set_allows_what_it_names() {
        let check = |list: &[&str], asked: &str, expected: bool| {
            assert_eq!(grants(list).allows(&key(asked)), expected, "{list:?} {asked}");
        };
        check(&[], "api.jobs.read", false);
        check(&["*"], "api.jobs.read", true);
        check(&["api.jobs.read"], "api.jobs.read", true);
        check(&["api.jobs.read"], "API.JOBS.READ", true);
        check(&["api.jobs.read"], "api.jobs.write", false);
        check(&["api.jobs.read"], "api.jobs", false);
        check(&["api.jobs"], "api.jobs.read", false);
        check(&["api.jobs.*"], "api.jobs.read", true);
        check(&["api.jobs.*"], "api.jobs.a.b.c", true);
        check(&["api.jobs.*"], "api.jobs", false);
        check(&["api.jobs.*"], "api.jobs_old.read", false);
        check(&["api.jobs.*"], "api.jobsx", false);
        check(&["a.b", "z.*", "c.d"], "c.d", true);
        check(&["a.b", "z.*", "c.d"], "z.d", true);
        check(&["a.b", "z.*", "c.d"], "y.d", false);
    }

    #[test]
    fn a_set_covers_what_it_could_give() {
        let check = |list: &[&str], asked: &str, expected: bool| {
            assert_eq!(grants(list).covers(&grant(asked)), expected, "{list:?} {asked}");
        };
        check(&["*"], "*", true);
        check(&["*"], "api.*", true);
        check(&["api.*"], "*", false);
        check(&["api.*"], "api.*", true);
        check(&["api.*"], "api.jobs.*", true);
        check(&["api.jobs.*"], "api.*", false);
        check(&["api.jobs.*"], "api.jobs_old.*", false);
        check(&["api.jobs"], "api.jobs.*", false);
        check(&["api.jobs.*"], "api.jobs.read", true);
    }

    #[test]
    fn sets_are_sorted_and_read_back() {
        let set = grants(&["b", "a.*", "*", "a", "b"]);
        let shown: Vec<String> = set.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["*", "a.*", "a", "b"]);
        assert_eq!(set.len(), 4);
        assert!(set.contains(&grant("a.*")) && !set.contains(&grant("a.b")));
        assert!(grants(&[]).is_empty() && !Grants::all().is_empty());
    }

    fn any_key() -> impl Strategy<Value = String> {
        proptest::collection::vec("[ab]{1,2}", 1..4).prop_map(|parts| parts.join("."))
    }

    fn any_grant() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => any_key(),
            4 => any_key().prop_map(|key| format!("{key}.*")),
            1 => Just("*".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent_and_ignores_spelling(text in "[a-zA-Z0-9_.-]{0,30}") {
            if let Ok(once) = Key::parse(&text) {
                prop_assert_eq!(&Key::parse(once.as_str()).unwrap(), &once);
                prop_assert_eq!(&Key::parse(&text.to_uppercase()).unwrap(), &once);
                prop_assert_eq!(Key::parse(&text.replace('_', "-")).unwrap(), once);
            }
        }

        #[test]
        fn a_sibling_never_matches(prefix in any_key(), tail in "[a-z0-9_]{1,4}", rest in any_key()) {
            let set = grants(&[&format!("{prefix}.*")]);
            let check = |asked: String, expected: bool| {
                assert_eq!(set.allows(&key(&asked)), expected, "{asked}");
            };
            check(format!("{prefix}.{rest}"), true);
            check(format!("{prefix}{tail}.{rest}"), false);
            check(format!("{prefix}{tail}"), false);
        }

        #[test]
        fn what_is_covered_is_allowed(
            mine in proptest::collection::vec(any_grant(), 0..5), asked in any_grant(), probe in any_key(),
        ) {
            let mine: Grants = mine.iter().map(|text| grant(text)).collect();
            let asked = grant(&asked);
            // A set that covers a grant allows every key that the grant allows.
            let only: Grants = [asked.clone()].into_iter().collect();
            let probe = key(&probe);
            if mine.covers(&asked) && only.allows(&probe) {
                prop_assert!(mine.allows(&probe));
            }
            // The quick answer equals asking each grant in turn.
            let naive = mine.iter().any(|grant| grant.covers(&asked));
            prop_assert_eq!(mine.covers(&asked), naive);
            let naive = mine.iter().any(|grant| grant.covers(&Grant::Key(probe.clone())));
            prop_assert_eq!(mine.allows(&probe), naive);
        }
    }
}
