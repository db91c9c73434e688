//! What is told of which numbers, and how much it matters.

use super::*;

fn severity(now: &Standing, check: &str) -> Concern {
    posture(now).iter().find(|line| line.check == check).unwrap().severity
}

fn good() -> Standing {
    let node = Some(Node::default());
    let audit = Audit { checkpoint_age: Some(Duration::ZERO), node, ..Audit::default() };
    Standing { owners: 2, audit, ..Standing::default() }
}

#[test]
fn where_nothing_is_counted_all_is_well() {
    let lines = posture(&good());
    assert!(lines.iter().all(|line| line.severity == Concern::Ok), "{lines:?}");
    let mut names: Vec<_> = lines.iter().map(|line| line.check).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), lines.len(), "a check has a name of its own");
    assert!(lines.iter().all(|line| line.page.is_some() != line.command.is_some()));
}

#[test]
fn too_few_owners_and_too_many_are_told() {
    let check = |owners, expected| {
        let now = Standing { owners, ..good() };
        assert_eq!(severity(&now, "owners"), expected, "{owners}");
    };
    check(0, Concern::Critical);
    check(1, Concern::Note);
    check(2, Concern::Ok);
    check(5, Concern::Ok);
    check(6, Concern::Warning);
}

#[test]
fn new_alerts_of_files_matter_as_much_as_they_are_bad() {
    let check = |file_alerts, expected: [Concern; 4]| {
        let now = Standing { file_alerts, ..good() };
        let checks = ["files_critical", "files_high", "files_medium", "files_low"];
        assert_eq!(checks.map(|check| severity(&now, check)), expected, "{file_alerts:?}");
    };
    check([0, 0, 0, 0], [Concern::Ok; 4]);
    check([1, 2, 3, 4], [Concern::Critical, Concern::Warning, Concern::Warning, Concern::Note]);
}

#[test]
fn entries_without_a_checkpoint_matter_once_it_is_late() {
    let hours = |hours| Some(Duration::from_hours(hours));
    let check = |checkpoint_age, unsigned, expected| {
        let audit = Audit { checkpoint_age, unsigned, ..Audit::default() };
        assert_eq!(severity(&Standing { audit, ..good() }, "log_unsigned"), expected);
    };
    check(hours(0), 100, Concern::Ok);
    check(hours(4), 1, Concern::Critical);
    check(hours(4), 0, Concern::Ok);
    check(None, 1, Concern::Critical);
}

#[test]
fn a_log_that_nobody_verifies_or_that_is_not_in_order_is_told() {
    let check = |verified, size, expected: (Concern, Concern)| {
        let now = Standing { audit: Audit { size, verified, ..Audit::default() }, ..good() };
        let found = ["log_unverified", "log_faults"].map(|check| severity(&now, check));
        assert_eq!((found[0], found[1]), expected);
    };
    let days = |days: u64| Duration::from_hours(days * 24);
    check(None, 9, (Concern::Warning, Concern::Ok));
    check(None, 0, (Concern::Ok, Concern::Ok));
    check(Some((days(3), 0)), 9, (Concern::Ok, Concern::Ok));
    check(Some((days(4), 0)), 9, (Concern::Warning, Concern::Ok));
    check(Some((days(0), 2)), 9, (Concern::Ok, Concern::Critical));
}

#[test]
fn what_only_a_server_knows_is_told_by_a_server() {
    let told = |node| {
        let lines = posture(&Standing { audit: Audit { node, ..Audit::default() }, ..good() });
        let line = lines.iter().find(|line| line.check == "log_discontinued");
        line.map(|line| (line.severity, line.count))
    };
    assert_eq!(told(None), None);
    assert_eq!(told(Some(Node::default())), Some((Concern::Ok, 0)));
    let discontinued = Node { is_discontinued: true, ..Node::default() };
    assert_eq!(told(Some(discontinued)), Some((Concern::Critical, 1)));
}

#[test]
fn what_matters_most_comes_first() {
    let now = Standing { owners: 0, disabled: 4.into(), locked_out: 2.into(), ..good() };
    let first: Vec<_> =
        posture(&now).into_iter().take(4).map(|line| (line.check, line.severity)).collect();
    let expected = [
        ("owners", Concern::Critical),
        ("locked_out", Concern::Warning),
        ("accounts_disabled", Concern::Note),
    ];
    assert_eq!(first[..3], expected);
    assert_eq!(first[3].1, Concern::Ok);
}

#[test]
fn owners_without_a_second_factor_matter_more_than_staff_and_those_with_one_not_at_all() {
    let check = |standing: Standing, expected: [Concern; 3]| {
        let checks = ["owners_without", "staff_without", "people_with"];
        let found = checks.map(|check| severity(&standing, &format!("{check}_second_factor")));
        assert_eq!(found, expected);
    };
    let (warning, note, ok) = (Concern::Warning, Concern::Note, Concern::Ok);
    check(good(), [ok, ok, ok]);
    check(Standing { owners_without_factor: 1, ..good() }, [warning, ok, ok]);
    check(Standing { staff_without_factor: 3.into(), ..good() }, [ok, note, ok]);
    check(Standing { with_factor: 3.into(), ..good() }, [ok, ok, ok]);
}
