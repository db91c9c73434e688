//! A scan that takes no more than it may: bytes, names and time; files that are mostly holes.
#![expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]

use std::fs::{self, File, OpenOptions};
use std::num::NonZero;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use portcullis_integrity::{Content, Digest, Limits, Plan, Progress, Seen, Why, scan};
use tempfile::tempdir;

use super::{baseline, plan, put, seen, told};

fn limited(root: &Path, limits: Limits) -> Plan {
    Plan { limits, ..plan(root) }
}

/// Scans, and looks on: at no moment has more been done than the limit allows until then.
/// `step` is what a thread does before it asks.
fn check(plan: &Plan, most: u64, step: u64, done: fn(&Progress) -> u64) {
    let (progress, started) = (Progress::default(), Instant::now());
    // What may be used at once, and what each thread has begun.
    let ahead = most / 10 + 3 * step;
    let allowed = || {
        let spent = u64::try_from(started.elapsed().as_millis()).unwrap();
        most * spent / 1000 + ahead
    };
    let total = thread::scope(|scope| {
        let scanning = scope.spawn(|| {
            scan(plan, &progress, |_| {}).unwrap();
            done(&progress)
        });
        while !scanning.is_finished() {
            let so_far = done(&progress);
            assert!(so_far <= allowed(), "{so_far} after {:?}", started.elapsed());
            thread::sleep(Duration::from_millis(5));
        }
        scanning.join().unwrap()
    });
    let least = Duration::from_millis(total.saturating_sub(ahead) * 1000 / most);
    assert!(started.elapsed() >= least, "{:?} for {total}", started.elapsed());
    assert!(least > Duration::from_millis(200), "it was too little to be held up: {total}");
}

#[test]
fn a_100k_file_tree_under_a_rate_limit_stays_under_budget() {
    let root = tempdir().unwrap();
    // A name is made faster than a file, and there may be some 65,000 of one.
    for number in 0..100 {
        let (file, folder) = (format!("file {}", number / 50), number.to_string());
        put(root.path(), &file, "");
        fs::create_dir(root.path().join(&folder)).unwrap();
        for name in 0..1000 {
            let name = root.path().join(format!("{folder}/{name}"));
            fs::hard_link(root.path().join(&file), name).unwrap();
        }
    }
    let names = NonZero::new(60_000);
    check(&limited(root.path(), Limits { names, ..Limits::default() }), 60_000, 1, Progress::names);
}

#[test]
fn bytes_are_read_no_faster_than_allowed() {
    let root = tempdir().unwrap();
    for number in 0..40 {
        put(root.path(), &number.to_string(), vec![7; 100_000]);
    }
    let bytes = NonZero::new(4_000_000);
    let plan = limited(root.path(), Limits { bytes, ..Limits::default() });
    check(&plan, 4_000_000, 128 * 1024, Progress::bytes);
}

#[test]
fn a_scan_that_waits_for_its_limit_is_stopped_at_once() {
    let root = tempdir().unwrap();
    put(root.path(), "large", vec![7; 1_000_000]);
    let plan = limited(root.path(), Limits { bytes: NonZero::new(1000), ..Limits::default() });
    let (progress, started) = (Progress::default(), Instant::now());
    thread::scope(|scope| {
        let scanning = scope.spawn(|| scan(&plan, &progress, |_| {}));
        thread::sleep(Duration::from_millis(50));
        progress.stop();
        assert!(scanning.join().unwrap().is_err());
    });
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_file_that_takes_too_long_is_unverifiable() {
    let root = tempdir().unwrap();
    put(root.path(), "a", vec![7; 500_000]);
    let before = baseline(&plan(root.path()));
    let within = |file| limited(root.path(), Limits { file: Some(file), ..Limits::default() });
    assert_eq!(told(&within(Duration::ZERO), &before), ["unverifiable a (slow)"]);
    assert_eq!(told(&within(Duration::from_mins(1)), &before), [""; 0], "control");
    // What is waited for the limits is not the file's time.
    let both =
        Limits { bytes: NonZero::new(1_000_000), ..within(Duration::from_millis(300)).limits };
    let started = Instant::now();
    assert_eq!(told(&limited(root.path(), both), &before), [""; 0]);
    assert!(started.elapsed() > Duration::from_millis(300), "{:?}", started.elapsed());
}

#[test]
fn ten_gibibytes_of_holes_take_no_time_even_if_they_may_be_read() {
    let root = tempdir().unwrap();
    put(root.path(), "small", "small");
    let plan = Plan { max_bytes: u64::MAX, ..plan(root.path()) };
    let before = baseline(&plan);
    File::create(root.path().join("sparse")).unwrap().set_len(10 << 30).unwrap();
    let started = Instant::now();
    assert_eq!(told(&plan, &before), ["unverifiable sparse (holes)"]);
    assert!(started.elapsed() < Duration::from_secs(1));
    let why = seen(&plan).into_iter().find_map(|seen| match seen {
        Seen::Unverifiable { why, .. } => Some(why),
        Seen::Is(..) | Seen::Closed { .. } => None,
    });
    assert_eq!(why, Some(Why::Holes));
}

/// The digest is that of all bytes, those of the holes too, which are not read.
#[test]
fn holes_are_hashed_and_not_read() {
    let root = tempdir().unwrap();
    let file = root.path().join("sparse");
    put(root.path(), "sparse", "");
    let sparse = OpenOptions::new().write(true).open(&file).unwrap();
    sparse.set_len(40 << 20).unwrap();
    for at in [0, 3 << 20, (40 << 20) - 3] {
        sparse.write_all_at(b"end", at).unwrap();
    }
    let plan = Plan { max_bytes: 1 << 30, ..plan(root.path()) };
    let (progress, mut found) = (Progress::default(), Vec::new());
    scan(&plan, &progress, |seen| found.push(seen)).unwrap();
    let Seen::Is(entry, ..) = &found[0] else { panic!("{found:?}") };
    let digest = Digest::of_file(&file).unwrap();
    assert_eq!(entry.content, Content::File { size: 40 << 20, digest });
    assert!(progress.bytes() < 1 << 20, "{}", progress.bytes());
}

fn holes(root: &Path, name: &str, mebibytes: u64) {
    File::create(root.join(name)).unwrap().set_len(mebibytes << 20).unwrap();
}

/// Holes cost nothing to make, and a second to hash, so there is a bound on those of all files together.
#[test]
fn holes_of_many_files_take_no_more_time_than_those_of_one() {
    let check = |files: &[u64], expected: usize| {
        let root = tempdir().unwrap();
        for (number, size) in files.iter().enumerate() {
            holes(root.path(), &number.to_string(), *size);
        }
        let plan = Plan { max_bytes: 1 << 30, ..plan(root.path()) };
        let not = |seen: &Seen| matches!(seen, Seen::Unverifiable { why: Why::Holes, .. });
        assert_eq!(seen(&plan).iter().filter(|seen| not(seen)).count(), expected, "{files:?}");
    };
    check(&[600], 0);
    check(&[600, 600], 1);
    check(&[10, 10, 10], 0);
}

/// One file made of holes, wherever it stands, does not keep those from being read that have a few.
#[test]
fn large_holes_leave_room_for_small_ones() {
    let root = tempdir().unwrap();
    holes(root.path(), "few", 1);
    holes(root.path(), "many", 600);
    put(root.path(), "data", vec![1; 200_000]);
    let sparse = OpenOptions::new().write(true).open(root.path().join("data")).unwrap();
    sparse.write_all_at(b"end", 700_000).unwrap();
    let plan = Plan { max_bytes: 4 << 30, ..plan(root.path()) };
    let before = baseline(&plan);
    assert_eq!(told(&plan, &before), [""; 0], "control");
    // The first leaves no room for other large ones.
    for (name, size) in [("0s", 1024), ("1s", 400), ("a", 1000)] {
        holes(root.path(), name, size);
    }
    let plan = Plan { threads: NonZero::new(1).unwrap(), ..plan };
    let expected = ["added 0s", "unverifiable 1s (holes)", "unverifiable a (holes)"];
    assert_eq!(told(&plan, &before), [&expected[..], &["unverifiable many (holes)"]].concat());
    sparse.write_all_at(b"changed", 0).unwrap();
    fs::write(root.path().join("few"), "changed").unwrap();
    let found = told(&plan, &before);
    assert!(["modified data", "modified few"].iter().all(|one| found.contains(&(*one).into())));
}

#[test]
fn holes_are_held_to_the_limits_too() {
    let root = tempdir().unwrap();
    holes(root.path(), "sparse", 8);
    let within = |limits| Plan { max_bytes: 1 << 30, limits, ..plan(root.path()) };
    let before = baseline(&within(Limits::default()));
    let check = |limits: Limits, expected: &[&str]| {
        let started = Instant::now();
        assert_eq!(told(&within(limits), &before), expected, "{limits:?}");
        started.elapsed()
    };
    let bytes = NonZero::new(16 << 20);
    let took = check(Limits { bytes, ..Limits::default() }, &[]);
    assert!(took > Duration::from_millis(300), "{took:?}");
    let file = Some(Duration::ZERO);
    check(Limits { file, ..Limits::default() }, &["unverifiable sparse (slow)"]);
    // What is waited for the limits is not the file's time.
    check(Limits { bytes, file: Some(Duration::from_millis(300)), ..Limits::default() }, &[]);
}

/// What a scan does not come to in its time is never taken to be as it was.
#[test]
fn a_scan_that_takes_too_long_says_what_it_has_not_come_to() {
    let root = tempdir().unwrap();
    for name in ["a", "folder/b", "gone"] {
        put(root.path(), name, name);
    }
    let before = baseline(&plan(root.path()));
    let check = |scan, expected: &[&str]| {
        let limits = Limits { scan: Some(scan), ..Limits::default() };
        assert_eq!(told(&limited(root.path(), limits), &before), expected, "{scan:?}");
    };
    check(Duration::from_mins(1), &[]);
    put(root.path(), "folder/new", "new");
    fs::remove_file(root.path().join("gone")).unwrap();
    check(Duration::from_mins(1), &["added folder/new", "deleted gone"]);
    let slow = |name| format!("unverifiable {name} (slow)");
    let all = ["a", "folder", "folder/b", "folder/new"].map(slow);
    let [a, folder, b, new] = &all;
    check(Duration::ZERO, &[a, folder, b, new, "deleted gone"]);
}
