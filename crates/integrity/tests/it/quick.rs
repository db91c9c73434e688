//! Files that are not read because nothing of them changed: what that spares, what it misses and for how
//! long, and everything that has them read all the same.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use portcullis_integrity::manifest::Manifest;
use portcullis_integrity::{
    Comparison, Coverage, FileSystems, Plan, Progress, Quick, Unused, WITHIN, path, scan_quickly,
};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use tempfile::{TempDir, tempdir};

use super::{baseline, plan, put, set_mode, told};

const KEY: [u8; 32] = [7; 32];
const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

/// A tree that is scanned again and again.
struct Watched {
    root: TempDir,
    baseline: Vec<u8>,
    known: Vec<u8>,
    key: [u8; 32],
    now: i64,
    era: &'static str,
    always: fn(&[u8], u16) -> bool,
    within: Duration,
    file_systems: FileSystems,
}

/// What a scan came to.
struct Came {
    told: Vec<String>,
    findings: Vec<portcullis_integrity::Finding>,
    coverage: Coverage<Vec<u8>>,
}

impl Watched {
    /// Files of a few bytes, which were read once, when they had long been as they are.
    fn new(files: &[&str]) -> Self {
        let root = tempdir().unwrap();
        for file in files {
            put(root.path(), file, format!("this is {file}"));
        }
        let baseline = baseline(&plan(root.path()));
        let mut watched = Self {
            now: newest(root.path()) + 10_000,
            root,
            baseline,
            known: Vec::new(),
            key: KEY,
            era: "boot 1",
            always: |_, _| false,
            within: WITHIN,
            file_systems: FileSystems::Any,
        };
        let first = watched.scan();
        assert_eq!(first.coverage.unused, Some(Unused::Nothing));
        assert_eq!(first.coverage.spared, 0);
        watched
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.root.path().join(name)
    }

    fn plan(&self) -> Plan {
        plan(self.root.path())
    }

    /// Scans quickly; what it keeps is known to the next.
    fn scan(&mut self) -> Came {
        let quick = Quick {
            known: &self.known[..],
            keep: Vec::new(),
            key: &self.key,
            now: self.now,
            era: self.era,
            always: &self.always,
            within: self.within,
            file_systems: self.file_systems,
        };
        let lines = Manifest::open(&self.baseline[..]).unwrap().lines;
        let mut comparison = Comparison::begin(lines, self.root.path());
        let mut coverage = scan_quickly(&self.plan(), quick, &Progress::default(), |seen| {
            comparison.seen(seen).unwrap();
        })
        .unwrap();
        let kept = std::mem::replace(&mut coverage.kept, Ok(Vec::new()));
        self.known = kept.unwrap();
        let findings = comparison.finish().unwrap().findings;
        let word = |finding: &portcullis_integrity::Finding| {
            format!("{} {}", finding.change().as_str(), path::show(finding.path()))
        };
        Came { told: findings.iter().map(word).collect(), findings, coverage }
    }

    /// How many files were read, and how many were not.
    fn counts(&mut self) -> (u64, u64) {
        let Coverage { hashed, spared, .. } = self.scan().coverage;
        (hashed, spared)
    }
}

/// The last change below a root, in milliseconds.
fn newest(root: &Path) -> i64 {
    let changed = |about: fs::Metadata| about.ctime() * 1000 + about.ctime_nsec() / 1_000_000;
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    entries.map(changed).max().unwrap_or(0)
}

/// Puts other bytes into a file, as many, and its times as they were.
fn forge(file: &Path, bytes: &str) {
    let old = fs::metadata(file).unwrap();
    fs::write(file, bytes).unwrap();
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps {
        last_access: time(old.atime(), old.atime_nsec()),
        last_modification: time(old.mtime(), old.mtime_nsec()),
    };
    utimensat(CWD, file, &times, AtFlags::empty()).unwrap();
    let new = fs::metadata(file).unwrap();
    assert_eq!((new.size(), new.mtime_nsec()), (old.size(), old.mtime_nsec()));
}

#[test]
fn what_nobody_touched_is_not_read_again() {
    let mut tree = Watched::new(&["a", "b/c", "b/d"]);
    assert_eq!(tree.counts(), (0, 3));
    let came = tree.scan();
    assert_eq!((came.told, came.coverage.unused), (vec![], None));
    assert_eq!(came.coverage.oldest, Some(tree.now));
}

#[test]
fn utime_restore_is_found_by_a_quick_scan() {
    let mut tree = Watched::new(&["a", "b"]);
    forge(&tree.path("a"), "evil is a");
    let came = tree.scan();
    assert_eq!(came.told, ["modified a"]);
    assert_eq!((came.coverage.hashed, came.coverage.spared), (1, 1));
}

/// What is known of a file that differs is the same, whether it is read again or not.
#[test]
fn how_a_file_begins_is_known_without_reading_it_again() {
    let mut tree = Watched::new(&["a", "b"]);
    put(tree.root.path(), "a", "#!/bin/sh");
    tree.now = newest(tree.root.path()) + 10_000;
    for (hashed, spared) in [(1, 1), (0, 2)] {
        let came = tree.scan();
        assert_eq!((came.coverage.hashed, came.coverage.spared), (hashed, spared));
        assert_eq!(came.findings[0].begins.bytes(), b"#!/bin/sh");
    }
}

#[test]
fn rename_swap_is_found_by_a_quick_scan() {
    let mut tree = Watched::new(&["a", "b", "c"]);
    for (from, to) in [("a", "x"), ("b", "a"), ("x", "b")] {
        fs::rename(tree.path(from), tree.path(to)).unwrap();
    }
    assert_eq!(tree.scan().told, ["modified a", "modified b"]);
}

#[test]
fn rights_are_seen_without_reading() {
    let mut tree = Watched::new(&["a"]);
    set_mode(tree.root.path(), "a", 0o4755);
    assert_eq!(tree.scan().told, ["attributes a"]);
}

/// What this cannot see, and for how long it cannot.
#[test]
fn mmap_store_into_dirty_page_found_by_full_hash_missed_by_quick_found_within_n_days() {
    let mut tree = Watched::new(&["calm"]);
    let file = tree.path("mapped");
    fs::write(&file, vec![b'g'; 4096]).unwrap();
    let opened = OpenOptions::new().read(true).write(true).open(&file).unwrap();
    let store = store_through_mapping(&opened);
    // The page is dirty from now on, and its file has the time of the first store.
    store(b'g');
    tree.baseline = baseline(&tree.plan());
    tree.now += 10_000;
    assert_eq!(tree.scan().told, [""; 0]);
    assert_eq!(tree.counts(), (0, 2), "control");
    let before = fs::metadata(&file).unwrap();
    store(b'e');
    let after = fs::metadata(&file).unwrap();
    let is_traceless = (before.ctime(), before.ctime_nsec()) == (after.ctime(), after.ctime_nsec());
    assert_eq!(told(&tree.plan(), &tree.baseline), ["modified mapped"]);
    if is_traceless {
        assert_eq!(tree.scan().told, [""; 0], "missed");
    }
    tree.now += 7 * DAY;
    assert_eq!(tree.scan().told, ["modified mapped"]);
}

/// Stores a byte into the first page of a file, through a mapping that stays.
fn store_through_mapping(file: &File) -> impl Fn(u8) {
    use rustix::mm::{MapFlags, ProtFlags, mmap};
    let (read_write, shared) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    #[expect(unsafe_code, reason = "there is no other way to store through a mapping")]
    // SAFETY: the mapping is of a page that exists, and lasts as long as the process.
    let page = unsafe { mmap(std::ptr::null_mut(), 4096, read_write, shared, file, 0).unwrap() };
    move |byte| {
        #[expect(unsafe_code, reason = "there is no other way to store through a mapping")]
        // SAFETY: the page is mapped, writable and never unmapped.
        unsafe {
            page.cast::<u8>().write_volatile(byte);
        }
    }
}

#[test]
fn every_file_is_read_within_its_time_and_not_all_at_once() {
    let names: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let mut tree = Watched::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let start = tree.now;
    let mut by_day = Vec::new();
    for day in 1..=7 {
        tree.now = start + day * DAY;
        let came = tree.scan();
        by_day.push(came.coverage.hashed);
        assert!(came.coverage.oldest.unwrap() > tree.now - 7 * DAY, "{day}");
        assert_eq!(came.told, [""; 0]);
    }
    assert!(by_day.iter().all(|hashed| (5..120).contains(hashed)), "{by_day:?}");
    // The order follows from the key: whoever does not have it cannot tell.
    let order = |key| {
        let mut tree = Watched::new(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        (tree.key, tree.known) = (key, Vec::new());
        tree.scan();
        let mut days = Vec::new();
        for hour in 0..24 * 7 {
            tree.now += HOUR;
            days.extend(std::iter::repeat_n(hour, usize::try_from(tree.counts().0).unwrap()));
        }
        days
    };
    assert_ne!(order([1; 32]), order([2; 32]));
}

/// One circumstance after the other under which nothing that was known is used.
#[test]
fn nothing_is_used_after_a_reboot_a_clock_that_went_back_or_with_another_key() {
    let check = |change: fn(&mut Watched), unused| {
        let mut tree = Watched::new(&["a", "b"]);
        assert_eq!(tree.counts(), (0, 2), "control");
        change(&mut tree);
        let came = tree.scan();
        assert_eq!((came.coverage.unused, came.coverage.spared), (Some(unused), 0));
        assert_eq!(came.told, [""; 0]);
    };
    check(|tree| tree.era = "boot 2", Unused::Era);
    check(|tree| tree.now -= 1, Unused::Clock);
    check(|tree| tree.key = [8; 32], Unused::Forged);
    check(|tree| tree.known.clear(), Unused::Nothing);
}

#[test]
fn nothing_is_used_on_a_file_system_whose_times_are_not_reliable() {
    let Ok(root) = tempfile::tempdir_in("/dev/shm") else {
        panic!("there is no /dev/shm to try this on");
    };
    let mut tree = Watched::new(&["a"]);
    put(root.path(), "a", "this is a");
    tree.root = root;
    tree.baseline = baseline(&tree.plan());
    tree.now = newest(tree.root.path()) + 10_000;
    tree.scan();
    assert_eq!(tree.counts(), (0, 1), "control");
    tree.file_systems = FileSystems::Reliable;
    let came = tree.scan();
    assert_eq!((came.coverage.unused, came.coverage.spared), (Some(Unused::FileSystem), 0));
}

/// A change at the moment when it was read may have left no trace in times that are coarse.
#[test]
fn what_changed_right_before_it_was_read_is_read_again() {
    let mut tree = Watched::new(&["a"]);
    put(tree.root.path(), "a", "this is a");
    tree.now = newest(tree.root.path()) + 1500;
    assert_eq!(tree.counts(), (1, 0));
    tree.now += 10_000;
    assert_eq!(tree.counts(), (1, 0), "it was not settled when it was read");
    assert_eq!(tree.counts(), (0, 1));
}

#[test]
fn some_files_are_always_read() {
    let mut tree = Watched::new(&["page.php", "run", "text"]);
    set_mode(tree.root.path(), "run", 0o755);
    tree.now += 20_000;
    tree.always = |path, mode| path.ends_with(b".php") || mode & 0o111 != 0;
    tree.scan();
    assert_eq!(tree.counts(), (2, 1));
}

#[test]
fn cache_mac_fail_has_everything_read() {
    let names: Vec<String> = (0..2000).map(|number| format!("{number:04}")).collect();
    let mut tree = Watched::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let good = tree.known.clone();
    assert_eq!(tree.counts(), (0, 2000), "control");
    // Somebody lies about the digest of a file in one of the blocks.
    let mut check = |known: Vec<u8>, unused: Option<Unused>, least: u64| {
        tree.known = known;
        let came = tree.scan();
        assert_eq!((came.coverage.unused, came.told.len()), (unused, 0));
        assert!(came.coverage.hashed >= least, "{}", came.coverage.hashed);
        came.coverage.hashed
    };
    for at in [5, good.len() / 2, good.len() - 40, good.len() - 1] {
        let mut forged = good.clone();
        forged[at] ^= 1;
        check(forged, Some(Unused::Forged), 1);
    }
    let mut lost = good.clone();
    lost.drain(40..90);
    assert_eq!(check(lost, Some(Unused::Forged), 1), 2000);
    // Cut off in a block, and between two.
    check(good[..good.len() - 1].to_vec(), Some(Unused::Forged), 1);
    let first = 4 + usize::try_from(u32::from_le_bytes(*good.first_chunk().unwrap())).unwrap() + 32;
    assert_eq!(check(good[..first].to_vec(), None, 1), 2000);
    // A block twice.
    let twice = [&good[..], &good[first..]].concat();
    assert_eq!(check(twice, None, 0), 0, "what comes after the last path is not asked for");
}

#[test]
fn what_cannot_be_kept_is_told() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let tree = Watched::new(&["a"]);
    let quick = Quick {
        known: &tree.known[..],
        keep: Full,
        key: &tree.key,
        now: tree.now,
        era: tree.era,
        always: &tree.always,
        within: tree.within,
        file_systems: tree.file_systems,
    };
    let coverage = scan_quickly(&tree.plan(), quick, &Progress::default(), |_| {}).unwrap();
    assert_eq!(coverage.kept.err().unwrap().kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(coverage.spared, 1);
}
