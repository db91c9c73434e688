//! The watch over files, as it is remembered.

use portcullis_domain::id::{CheckId, SightingId};
use portcullis_domain::integrity::alert::{Kind, Resolution, Severity, Status};
use portcullis_domain::integrity::{Cause, CheckState, Origin};
use portcullis_domain::time::Time;
use portcullis_store::Tx;
use portcullis_store::integrity::alerts::{About, Filter, Judgement, Order};
use portcullis_store::integrity::baselines::NewBaseline;
use portcullis_store::integrity::sightings::Sighting;
use portcullis_store::integrity::{self, alerts, baselines, checks, diffs, sightings};

use crate::harness::{NOW, each};

async fn propose(tx: &mut Tx, number: i64, parts: &[&str]) {
    let (digest, note, reason) = (&b"d"[..], "note", "why");
    let (root, origin, entries, by) = ("app", Origin::Observed, 1, None);
    let new = NewBaseline { root, number, origin, note, digest, entries, reason, by };
    assert!(baselines::insert(tx, &new, NOW).await.unwrap());
    for (position, part) in (0..).zip(parts) {
        let part = (part.as_bytes(), part.as_bytes());
        baselines::put_part(tx, ("app", number), position, part).await.unwrap();
    }
}

async fn lines(tx: &mut Tx, number: i64) -> Vec<Vec<u8>> {
    baselines::parts(tx, "app", number, 0, 9).await.unwrap()
}

#[tokio::test]
async fn baselines_share_parts_and_one_is_in_force() {
    each(async |test| {
        let mut tx = test.write().await;
        let root = integrity::ensure(&mut tx, "app", "all").await.unwrap();
        assert_eq!((root.baseline, root.looked_at), (None, None));
        assert_eq!(baselines::next_number(&mut tx, "app").await.unwrap(), 1);
        propose(&mut tx, 1, &["a", "b"]).await;
        propose(&mut tx, 2, &["a", "c"]).await;
        assert!(baselines::activate(&mut tx, "app", 1, None, NOW).await.unwrap());
        assert!(!baselines::activate(&mut tx, "app", 2, None, NOW).await.unwrap(), "overtaken");
        assert!(baselines::activate(&mut tx, "app", 2, Some(1), NOW).await.unwrap());
        assert!(!baselines::reject(&mut tx, "app", 2).await.unwrap(), "it is in force");
        assert_eq!(baselines::active(&mut tx, "app").await.unwrap().unwrap().number, 2);
        assert_eq!(lines(&mut tx, 1).await, [b"a", b"b"]);

        assert_eq!(baselines::forget_lines(&mut tx, NOW).await.unwrap(), 0, "control");
        let later = Time(NOW.0 + 1);
        assert_eq!(baselines::forget_lines(&mut tx, later).await.unwrap(), 1);
        assert_eq!(baselines::forget_lines(&mut tx, later).await.unwrap(), 0);
        assert_eq!(lines(&mut tx, 1).await, Vec::<Vec<u8>>::new());
        assert_eq!(lines(&mut tx, 2).await, [b"a", b"c"], "what is shared stays");
        assert_eq!(baselines::list(&mut tx, 9).await.unwrap().len(), 2);

        assert!(integrity::looked(&mut tx, "app", later).await.unwrap());
        assert!(!integrity::looked(&mut tx, "app", NOW).await.unwrap(), "a later one did");
        assert!(!integrity::set_coverage(&mut tx, "app", "less", "x").await.unwrap());
        assert!(integrity::set_coverage(&mut tx, "app", "all", "less").await.unwrap());
        assert_eq!(integrity::by_name(&mut tx, "app").await.unwrap().unwrap().coverage, "less");
        assert!(!integrity::hold(&mut tx, "web").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn one_check_goes_on_at_a_time() {
    each(async |test| {
        let mut tx = test.write().await;
        let ids: Vec<CheckId> = (0..3).map(|n| CheckId::from_random([n; 12])).collect();
        let begin = async |tx: &mut Tx, id, at| {
            checks::begin(tx, id, Cause::Request, None, Time(NOW.0 + at)).await.unwrap()
        };
        assert!(begin(&mut tx, ids[0], 0).await);
        assert!(!begin(&mut tx, ids[1], 1).await, "one goes on");
        assert_eq!(checks::running(&mut tx).await.unwrap().unwrap().id, ids[0]);
        let silent = checks::interrupt_silent(&mut tx, NOW, NOW).await.unwrap();
        assert_eq!(silent, None, "control: it was heard of");
        let later = Time(NOW.0 + 9);
        assert_eq!(checks::interrupt_silent(&mut tx, later, later).await.unwrap(), Some(ids[0]));
        let counts = checks::Counts { scanned: 7, ..checks::Counts::default() };
        let beat = checks::beat(&mut tx, ids[0], ("scan", "app"), &counts, later).await.unwrap();
        assert!(!beat, "it was given up");
        assert!(begin(&mut tx, ids[1], 10).await);
        assert!(checks::beat(&mut tx, ids[1], ("scan", "app"), &counts, later).await.unwrap());
        assert!(checks::finish(&mut tx, ids[1], CheckState::Complete, "", later).await.unwrap());
        assert!(!checks::finish(&mut tx, ids[1], CheckState::Failed, "", later).await.unwrap());
        let known = checks::by_id(&mut tx, ids[1]).await.unwrap().unwrap();
        assert_eq!((known.state, known.counts.scanned), (CheckState::Complete, 7));
        assert_eq!(checks::sweep(&mut tx, Time(NOW.0 + 99), 9).await.unwrap(), 1, "not the last");
        assert_eq!(checks::list(&mut tx, 9).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_alert_is_changed_by_whoever_says_from_what() {
    each(async |test| {
        let mut tx = test.write().await;
        let id = SightingId::from_random([1; 12]);
        let (root, at) = ("app".to_owned(), NOW);
        let sighting = Sighting { id, root, check: None, deployment: None, since: None, at };
        sightings::insert(&mut tx, &sighting).await.unwrap();
        let about = About {
            root: "app".to_owned(),
            path: b"a\xe9".to_vec(),
            file_path: "/srv/a\\xe9".to_owned(),
            kind: Kind::Added,
            severity: Severity::High,
            rule: "r".to_owned(),
            details: "d".to_owned(),
            was: String::new(),
            found: "f".to_owned(),
            moved: None,
        };
        let alert = alerts::insert(&mut tx, b"print", &about, None, id, NOW).await.unwrap();
        let said = Judgement { by: None, note: "n", now: NOW };
        let resolved = Some(Resolution::Reverted);
        assert!(alerts::resolve(&mut tx, alert, resolved, said).await.unwrap());
        assert!(!alerts::resolve(&mut tx, alert, resolved, said).await.unwrap());
        assert!(!alerts::ignore(&mut tx, alert, NOW, said).await.unwrap(), "it is resolved");
        assert!(!alerts::auto_revert(&mut tx, alert, NOW).await.unwrap());
        assert!(alerts::reopen(&mut tx, alert, id, NOW).await.unwrap());
        assert!(!alerts::reopen(&mut tx, alert, id, NOW).await.unwrap());
        let one = ("app".to_owned(), Severity::High, 1);
        assert_eq!(alerts::open_by_root(&mut tx).await.unwrap(), [one]);
        assert!(alerts::ignore(&mut tx, alert, NOW, said).await.unwrap());
        assert!(alerts::seen_again(&mut tx, alert, NOW).await.unwrap());
        let known = alerts::by_id(&mut tx, alert).await.unwrap().unwrap();
        assert_eq!((&known.about, known.status), (&about, Status::Ignored));
        assert_eq!((known.occurrences, known.reopened), (3, 1));
        let filter = Filter { severity: Some(Severity::High), ..Filter::default() };
        let all = [Order::Newest, Order::Oldest, Order::Worst];
        for order in all {
            assert_eq!(alerts::list(&mut tx, &filter, order, 9, 0).await.unwrap().len(), 1);
        }
        let other = Filter { root: Some("web".to_owned()), ..Filter::default() };
        assert_eq!(alerts::count(&mut tx, &other).await.unwrap(), 0);
        assert_eq!(alerts::open_by_severity(&mut tx).await.unwrap(), []);
        assert_eq!(alerts::open_by_root(&mut tx).await.unwrap(), []);
        let of_path = alerts::of_path(&mut tx, "app", b"a\xe9", 9).await.unwrap();
        assert_eq!(of_path.len(), 1);
        let kept = diffs::Kept {
            sealed: Some(vec![1, 2, 3]),
            added: 1,
            removed: 0,
            reason: String::new(),
            taken_at: NOW,
        };
        assert!(diffs::put(&mut tx, alert, &kept).await.unwrap());
        assert!(!diffs::put(&mut tx, alert, &kept).await.unwrap());
        assert_eq!(diffs::of(&mut tx, alert).await.unwrap(), Some(kept));
        assert_eq!(diffs::bytes(&mut tx).await.unwrap(), 3);
        assert_eq!(sightings::sweep(&mut tx, 9).await.unwrap(), 0, "control: it has an alert");
        let later = Time(NOW.0 + 1);
        assert_eq!(
            alerts::sweep(&mut tx, later, 9).await.unwrap(),
            0,
            "control: it is not resolved"
        );
        assert!(alerts::resolve(&mut tx, alert, None, said).await.unwrap());
        assert_eq!(alerts::sweep(&mut tx, NOW, 9).await.unwrap(), 0, "control: it was seen then");
        assert!(alerts::delete(&mut tx, alert).await.unwrap());
        assert!(!alerts::delete(&mut tx, alert).await.unwrap());
        assert_eq!(diffs::bytes(&mut tx).await.unwrap(), 0);
        assert_eq!(sightings::sweep(&mut tx, 9).await.unwrap(), 1);
        assert_eq!(sightings::by_id(&mut tx, id).await.unwrap(), None);
        sightings::insert(&mut tx, &sighting).await.unwrap();
        let again = alerts::insert(&mut tx, b"print", &about, None, id, NOW).await.unwrap();
        assert!(alerts::resolve(&mut tx, again, None, said).await.unwrap());
        assert_eq!(alerts::sweep(&mut tx, later, 9).await.unwrap(), 1);
        assert_eq!(alerts::by_id(&mut tx, again).await.unwrap(), None);
    })
    .await;
}
