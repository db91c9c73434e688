//! Files with names that nobody watches: outside of the root, or in what is passed over. Whoever writes
//! through such a name is heard by nobody before the next check. Each is told of; where there are many, as
//! with package managers that keep all files as hard links of a store, one tells of the rest. Pure.

use aws_lc_rs::digest::{Context, SHA256};
use portcullis_integrity::path::show;
use portcullis_integrity::{Linked, NamedElsewhere, Rules, Verdict};

/// So many are told of one by one.
const MOST: usize = 20;
/// So many of the rest are named.
const NAMED: usize = 5;

/// What an alert says of one, or of the rest of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Below the root; empty where it is of many.
    pub(super) path: Vec<u8>,
    /// Another one whenever names came or went.
    pub(super) found: String,
    /// A sentence for people.
    pub(super) says: String,
}

/// What there is to tell, and how bad it is. Those of which nobody is to be told are not among the rest.
pub(super) fn links(rules: &Rules, elsewhere: NamedElsewhere) -> Vec<(Link, Verdict<'_>)> {
    let NamedElsewhere { files, unknown } = elsewhere;
    let judged = files.into_iter().map(|file| {
        let verdict = rules.judge_linked(&file.path);
        (file, verdict)
    });
    let mut judged: Vec<(Linked, Verdict<'_>)> =
        judged.filter(|(_, verdict)| verdict.severity.is_some()).collect();
    let rest = judged.split_off(MOST.min(judged.len()));
    let mut links: Vec<(Link, Verdict<'_>)> =
        judged.into_iter().map(|(file, verdict)| (one(file), verdict)).collect();
    let worst = rest.iter().map(|(_, verdict)| *verdict).max_by_key(|verdict| verdict.severity);
    // Of what was not counted no rule can be asked by its path.
    let worst = worst.or_else(|| (unknown > 0).then(|| rules.judge_linked(b"")));
    links.extend(worst.map(|worst| (many(&rest, unknown), worst)));
    links
}

fn one(file: Linked) -> Link {
    let Linked { path, names, seen } = file;
    let others = names.saturating_sub(seen);
    let says = format!(
        "It has {names} names (hard links), of which {others} are outside of the folder or in what is \
         passed over: whoever writes through one of them is not heard."
    );
    Link { path, found: format!("names {names} {seen}"), says }
}

fn many(rest: &[(Linked, Verdict<'_>)], unknown: u64) -> Link {
    let mut hash = Context::new(&SHA256);
    for (Linked { path, names, seen }, _) in rest {
        hash.update(&u64::try_from(path.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(path);
        hash.update(&names.to_be_bytes());
        hash.update(&seen.to_be_bytes());
    }
    let digest = hex::encode(hash.finish());
    let named: Vec<String> = rest.iter().take(NAMED).map(|(file, _)| show(&file.path)).collect();
    let mut says = format!(
        "{} more files have names (hard links) outside of the folder or in what is passed over",
        rest.len()
    );
    if !named.is_empty() {
        says.extend([", such as ", &named.join(", ")]);
    }
    says.push('.');
    if unknown > 0 {
        says.push_str(" There are more files with several names than are counted.");
    }
    let is_all = if unknown > 0 { "more" } else { "all" };
    Link { path: Vec::new(), found: format!("names {} {is_all} {digest}", rest.len()), says }
}

#[cfg(test)]
mod tests {
    use portcullis_integrity::CustomRule;

    use super::*;

    fn elsewhere(count: usize, unknown: u64) -> NamedElsewhere {
        let file = |number: usize| Linked {
            path: format!("store/{number:04}").into_bytes(),
            names: 2,
            seen: 1,
        };
        NamedElsewhere { files: (0..count).map(file).collect(), unknown }
    }

    #[test]
    fn few_are_told_one_by_one_and_the_rest_together() {
        let rules = Rules::default();
        let check = |count, unknown, expected: (usize, usize)| {
            let all = links(&rules, elsewhere(count, unknown));
            let together = all.iter().filter(|(link, _)| link.path.is_empty()).count();
            assert_eq!((all.len() - together, together), expected, "{count} {unknown}");
            assert!(all.iter().all(|(_, verdict)| verdict.rule == "linked"));
        };
        check(0, 0, (0, 0));
        check(1, 0, (1, 0));
        check(MOST, 0, (MOST, 0));
        check(MOST + 1, 0, (MOST, 1));
        check(30_000, 0, (MOST, 1));
        check(0, 7, (0, 1));
        check(1, 7, (1, 1));
    }

    #[test]
    fn one_more_among_many_is_another_alert() {
        let rules = Rules::default();
        let found = |count| links(&rules, elsewhere(count, 0)).pop().map(|(link, _)| link.found);
        assert_eq!(found(100), found(100), "control");
        assert_ne!(found(100), found(101));
    }

    #[test]
    fn those_of_which_nobody_is_to_be_told_are_not_counted() {
        let store = CustomRule {
            name: "store".to_owned(),
            severity: Some("ignore".to_owned()),
            paths: vec!["store/**".to_owned()],
            changes: vec!["linked".to_owned()],
            ..CustomRule::default()
        };
        let rules = Rules::with([store]).unwrap();
        let mut files = elsewhere(30_000, 0);
        files.files.push(Linked { path: b"index.php".to_vec(), names: 3, seen: 1 });
        let all = links(&rules, files);
        let paths: Vec<&[u8]> = all.iter().map(|(link, _)| &link.path[..]).collect();
        assert_eq!(paths, [b"index.php"]);
    }
}
