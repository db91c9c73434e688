//! How many alerts come of what was found: the worst of it has alerts of its own, and of the rest one alert
//! tells how much it is. What is not bad takes no room from what is, and what somebody made none from what
//! ought to be there and is not as it ought to be. Pure.

use portcullis_domain::integrity::alert::{Kind, Severity, Status};

use super::found::{Found, of_root};
use super::settle::{ByFingerprint, Settling};

/// So many alerts one look makes or opens again, in each tier.
const MOST: usize = 1000;
/// So many of a root are new at a time, in each: whoever makes and removes files all day fills no store.
const MOST_NEW: usize = 10_000;

/// What has room of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tier {
    is_bad: bool,
    /// The baseline has it, so that there is only so much of it.
    is_known: bool,
}

impl Tier {
    const ALL: [Self; 4] = [
        Self { is_bad: true, is_known: true },
        Self { is_bad: true, is_known: false },
        Self { is_bad: false, is_known: true },
        Self { is_bad: false, is_known: false },
    ];

    fn of(severity: Severity, is_known: bool) -> Self {
        Self { is_bad: severity.is_bad(), is_known }
    }
}

/// The worst of what is new or open again, and one alert for the rest. What is open is counted in any case.
pub(super) fn at_most<'r>(
    of: &Settling<'_>,
    found: Vec<Found<'r>>,
    known: &ByFingerprint,
) -> Vec<Found<'r>> {
    let is_counted = |found: &Found<'_>| {
        let known = known.get(&found.fingerprint[..]);
        known.is_some_and(|known| known.standing.status != Status::Resolved)
    };
    let (mut told, mut new): (Vec<Found<'r>>, Vec<Found<'r>>) =
        found.into_iter().partition(is_counted);
    let mut rest = Rest { count: of.unkept, worst: Severity::High };
    for tier in Tier::ALL {
        let open = known.values().filter(|known| known.standing.status == Status::New);
        let open =
            open.filter(|known| Tier::of(known.severity, known.has_baseline) == tier).count();
        let is_of_it =
            |found: &mut Found<'_>| Tier::of(found.severity, found.has_baseline()) == tier;
        let mut of_it: Vec<Found<'r>> = new.extract_if(.., is_of_it).collect();
        of_it.sort_by_key(|found| found.severity);
        let most = MOST.min(MOST_NEW.saturating_sub(open)).min(of_it.len());
        rest.add(&of_it.split_off(most));
        told.extend(of_it);
    }
    told.extend(rest.found(of));
    told
}

/// What has no alert of its own.
struct Rest {
    count: u64,
    worst: Severity,
}

impl Rest {
    fn add(&mut self, found: &[Found<'_>]) {
        self.count += u64::try_from(found.len()).unwrap_or(u64::MAX);
        // The worst is the least.
        self.worst = found.iter().map(|found| found.severity).fold(self.worst, Severity::min);
    }

    /// The alert for it. It says another thing, and is told of again, when the worst of it is worse or
    /// there is twice as much, and not with every file.
    fn found(&self, of: &Settling<'_>) -> Option<Found<'static>> {
        let most = self.count.checked_ilog2()?;
        let says = format!(
            "At least {} more differences have no alert of their own, the worst of them {}.",
            1_u64 << most,
            self.worst.as_str()
        );
        Some(of_root(of.root, Kind::MassChange, self.worst, says))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use portcullis_domain::integrity::alert::Standing;
    use portcullis_domain::time::Time;
    use portcullis_integrity::{Beginning, Content, Entry, Finding, Is, Rules};
    use portcullis_store::integrity::alerts::Known;

    use super::super::found::of_findings;
    use super::*;
    use crate::config::WatchedRoot;

    fn root() -> WatchedRoot {
        let (name, path) = ("app".to_owned(), PathBuf::from("/srv/app"));
        WatchedRoot { name, path, exclude: Vec::new() }
    }

    /// A new one of a root, which no scan has found.
    fn open(number: usize, severity: Severity) -> (Vec<u8>, Known) {
        let fingerprint = number.to_be_bytes().to_vec();
        let known = Known {
            id: 1,
            fingerprint: fingerprint.clone(),
            kind: Kind::Added,
            severity,
            has_baseline: false,
            standing: Standing {
                status: Status::New,
                resolution: None,
                ignored_until: None,
                judged_at: None,
                told_at: Time(0),
            },
            last_seen_at: Time(0),
        };
        (fingerprint, known)
    }

    /// The same path, which the baseline has as something else.
    fn changed(path: &str) -> Finding {
        let was = Entry {
            path: path.as_bytes().to_vec(),
            content: Content::Socket,
            mode: 0o644,
            owner: None,
            attributes: None,
        };
        Finding { was: Some(was), ..added(path) }
    }

    fn added(path: &str) -> Finding {
        let path = path.as_bytes().to_vec();
        let entry =
            Entry { path, content: Content::Pipe, mode: 0o644, owner: None, attributes: None };
        Finding { was: None, is: Is::There(entry), moved: None, begins: Beginning::default() }
    }

    /// What is told of these by their names, with what the alert for the rest says.
    fn told(names: &[String], unkept: u64, known: &ByFingerprint) -> (Vec<String>, String) {
        let (root, rules) = (root(), Rules::default());
        let of = Settling { unkept, ..Settling::new(&root, Time(0), None) };
        let finding = |name: &String| match name.strip_prefix('=') {
            Some(name) => changed(name),
            None => added(name),
        };
        let findings = names.iter().map(finding).collect();
        let found = at_most(&of, of_findings(&root, &rules, findings), known);
        let (mut named, mut rest) = (Vec::new(), String::new());
        for found in found {
            let about = found.about(&root);
            if found.kind() == Kind::MassChange {
                rest = format!("{} {}", about.severity.as_str(), about.details);
            } else {
                named.push(String::from_utf8(about.path).unwrap());
            }
        }
        (named, rest)
    }

    fn names(count: usize, end: &str) -> Vec<String> {
        (0..count).map(|number| format!("{number}{end}")).collect()
    }

    #[test]
    fn what_is_not_bad_takes_no_room_from_what_is() {
        let full = |severity| (0..MOST_NEW).map(|number| open(number, severity)).collect();
        let both = ["a.md".to_owned(), "a.env".to_owned()];
        let check = |known: &ByFingerprint, expected: &[&str], rest: &str| {
            let (named, says) = told(&both, 0, known);
            assert_eq!(named, expected);
            assert!(says.starts_with(rest), "{says}");
        };
        check(&ByFingerprint::new(), &["a.env", "a.md"], "");
        check(&full(Severity::Low), &["a.env"], "high At least 1 more");
        check(&full(Severity::Critical), &["a.md"], "high At least 1 more");
    }

    #[test]
    fn nobody_hides_what_he_changed_behind_what_he_made() {
        for (flood, changed) in [(".env", "=z.env"), (".md", "=z.md")] {
            let mut all = names(MOST + 1, flood);
            all.push(changed.to_owned());
            let (named, says) = told(&all, 0, &ByFingerprint::new());
            assert_eq!(named.len(), MOST + 1);
            assert!(named.iter().any(|name| name.starts_with('z')), "{flood}");
            assert!(says.contains("At least 1 more"), "{says}");
        }
    }

    #[test]
    fn what_comes_back_takes_room_as_what_is_new_does() {
        let root = root();
        let (rules, all) = (Rules::default(), names(MOST + 3, ".md"));
        let findings = all.iter().map(|name| added(name)).collect();
        let found = of_findings(&root, &rules, findings);
        let resolved = found.iter().map(|found| {
            let (_, mut known) = open(0, Severity::Low);
            known.standing.status = Status::Resolved;
            known.fingerprint = found.fingerprint.to_vec();
            (known.fingerprint.clone(), known)
        });
        let resolved: ByFingerprint = resolved.collect();
        let (named, says) = told(&all, 0, &resolved);
        assert_eq!(named.len(), MOST);
        assert!(says.contains("At least 2 more"), "{says}");
    }

    #[test]
    fn the_rest_is_told_of_again_when_there_is_twice_as_much() {
        let check = |documents: usize, unkept: u64, expected: &str| {
            let (named, says) = told(&names(documents, ".md"), unkept, &ByFingerprint::new());
            assert_eq!(named.len(), documents.min(MOST));
            assert_eq!(says.split(" more").next().unwrap(), expected);
        };
        check(MOST, 0, "");
        check(MOST + 5, 0, "high At least 4");
        check(MOST + 7, 0, "high At least 4");
        check(MOST + 7, 1, "high At least 8");
        check(0, 3, "high At least 2");
    }
}
