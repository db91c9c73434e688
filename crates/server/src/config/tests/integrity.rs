//! `[integrity]` and its tables.

use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

use portcullis_domain::integrity::alert::Severity;

use super::{accepted, check};

const ROOT: &str = "[[integrity.root]]\nname = \"app\"\npath = \"/srv/app\"\n";

#[test]
fn folders_are_watched_as_they_are_named() {
    let config = accepted(&format!("{ROOT}exclude = [\"log/**\", \"*.pid\"]\n"), &[]).integrity;
    assert_eq!(config.roots.len(), 1);
    let root = config.root("app").unwrap();
    assert_eq!((&*root.path, root.exclude.len()), (Path::new("/srv/app"), 2));
    assert!(config.root("web").is_none());
    assert_eq!(config.schedule, Some(Duration::from_hours(1)));
    assert_eq!((config.mail, config.watch), (Some(Severity::High), true));
    assert_eq!((config.max_hash_bytes, config.copies), (1 << 30, Some(256 << 20)));
    let off = accepted("[integrity]\nschedule = \"off\"\nmail = \"off\"\ncopies = \"off\"\n", &[]);
    let off = off.integrity;
    assert_eq!((off.schedule, off.mail, off.copies), (None, None, None));
    let slow = accepted("[integrity]\nread_per_second = \"5MiB\"\nfiles_per_second = \"9\"\n", &[]);
    let limits = slow.integrity.limits;
    assert_eq!(limits.bytes.map(NonZero::get), Some(5 << 20));
    assert_eq!(limits.names.map(NonZero::get), Some(9));
}

#[test]
fn folders_and_rules_that_cannot_be_meant_are_faults() {
    let fault = |text: &str, expected: &str| check(text, &[], &[expected]);
    fault(
        &format!("{ROOT}{ROOT}"),
        "5: integrity.root.name: \"app\" is the name of another root; accepted: a name of its own for each",
    );
    fault(
        "[[integrity.root]]\nname = \"app\"\npath = \"srv\"\n",
        "3: integrity.root.path: \"srv\" is not accepted; accepted: an absolute path",
    );
    fault(
        "[[integrity.root]]\nname = \"app\"\npath = \"/\"\n",
        "3: integrity.root.path: \"/\" is the whole machine; accepted: a folder of an application",
    );
    fault(
        "[[integrity.rule]]\nname = \"all\"\nseverity = \"ignore\"\n",
        "2: integrity.rule.name: rule \"all\": ignore needs paths, [\"**\"] if all are meant; \
         accepted: another rule",
    );
    fault(
        "[integrity]\nschedule = \"5s\"\n",
        "2: integrity.schedule: \"5s\" is not accepted; accepted: a duration such as 30s, 15m, 2h or \
         30d, or off",
    );
}
