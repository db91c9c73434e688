//! Somebody works against the scanner: links, pipes, races, forged times, folders that cannot be read.
#![expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_integrity::manifest::{Body, write};
use portcullis_integrity::{NotScanned, Plan, Progress, Seen, Why, scan};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, mkdirat, mkfifoat, open, openat, utimensat,
};
use tempfile::tempdir;

use super::{as_nobody, baseline, entries, plan, put, seen, set_mode, told, try_findings};

#[test]
fn utime_restore_is_found() {
    let root = tempdir().unwrap();
    put(root.path(), "a", "good");
    let before = baseline(&plan(root.path()));
    let file = root.path().join("a");
    let old = fs::metadata(&file).unwrap();
    put(root.path(), "a", "evil");
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps {
        last_access: time(old.atime(), old.atime_nsec()),
        last_modification: time(old.mtime(), old.mtime_nsec()),
    };
    utimensat(CWD, &file, &times, AtFlags::empty()).unwrap();
    let new = fs::metadata(&file).unwrap();
    assert_eq!((new.size(), new.mtime_nsec()), (old.size(), old.mtime_nsec()));
    assert_eq!(told(&plan(root.path()), &before), ["modified a"]);
}

#[test]
fn rename_swap_is_found() {
    let root = tempdir().unwrap();
    put(root.path(), "a", "good");
    put(root.path(), "b", "evil");
    let before = baseline(&plan(root.path()));
    for (from, to) in [("a", "c"), ("b", "a"), ("c", "b")] {
        fs::rename(root.path().join(from), root.path().join(to)).unwrap();
    }
    assert_eq!(told(&plan(root.path()), &before), ["modified a", "modified b"]);
}

/// A store through a shared mapping leaves size and times as they were for a while.
#[test]
fn mmap_store_into_a_dirty_page_is_found() {
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
    let root = tempdir().unwrap();
    put(root.path(), "a", vec![b'g'; 4096]);
    let before = baseline(&plan(root.path()));
    let file = OpenOptions::new().read(true).write(true).open(root.path().join("a")).unwrap();
    let (read_write, shared) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    #[expect(unsafe_code, reason = "there is no other way to store through a mapping")]
    // SAFETY: the mapping is of a page that exists, and is unmapped after the store.
    unsafe {
        let page = mmap(std::ptr::null_mut(), 4096, read_write, shared, &file, 0).unwrap();
        page.cast::<u8>().write_volatile(b'e');
        munmap(page, 4096).unwrap();
    }
    assert_eq!(told(&plan(root.path()), &before), ["modified a"]);
}

#[test]
fn pipes_sockets_and_devices_are_seen_and_not_opened() {
    let root = tempdir().unwrap();
    let (done, root) = (AtomicBool::new(false), root.path().to_owned());
    mkfifoat(CWD, root.join("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    symlink("/dev/zero", root.join("zero")).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let started = Instant::now();
            while !done.load(Ordering::Relaxed) {
                assert!(started.elapsed() < Duration::from_secs(20), "it hangs");
                thread::sleep(Duration::from_millis(5));
            }
        });
        let words: Vec<_> = seen(&plan(&root))
            .into_iter()
            .map(|seen| match seen {
                Seen::Is(entry, ..) => entry.content.word(),
                other @ (Seen::Unverifiable { .. } | Seen::Closed { .. }) => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(words, ["pipe", "socket", "link"]);
        done.store(true, Ordering::Relaxed);
    });
}

/// A folder becomes a link to a place outside and back, again and again.
#[test]
fn a_parent_that_is_swapped_for_a_link_never_leads_out_of_the_root() {
    let (root, outside) = (tempdir().unwrap(), tempdir().unwrap());
    for number in 0..50 {
        put(root.path(), &format!("folder/{number}"), "inside");
        put(outside.path(), &number.to_string(), "outside!");
    }
    let folder = root.path().join("folder");
    let aside = root.path().join("aside");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&folder, &aside).unwrap();
                symlink(outside.path(), &folder).unwrap();
                fs::remove_file(&folder).unwrap();
                fs::rename(&aside, &folder).unwrap();
            }
        });
        let (mut links, mut files) = (0, 0);
        let started = Instant::now();
        while (links == 0 || files == 0) && started.elapsed() < Duration::from_secs(30) {
            for seen in seen(&plan(root.path())) {
                let Seen::Is(entry, inode, _) = seen else { continue };
                links += u32::from(entry.content.word() == "link");
                if entry.content.word() == "file" {
                    files += 1;
                    assert_eq!(inode.size, 6, "read outside: {entry:?}");
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(links > 0 && files > 0, "the race was never lost: {links} {files}");
    });
}

#[test]
fn a_file_that_never_rests_is_unstable() {
    let root = tempdir().unwrap();
    put(root.path(), "busy", vec![0; 200_000]);
    put(root.path(), "calm", "calm");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = OpenOptions::new().write(true).open(root.path().join("busy")).unwrap();
            while !stop.load(Ordering::Relaxed) {
                file.seek(SeekFrom::Start(0)).unwrap();
                file.write_all(&[1; 64]).unwrap();
            }
        });
        let started = Instant::now();
        let is_unstable = || {
            seen(&plan(root.path())).iter().any(|seen| {
                matches!(seen, Seen::Unverifiable { path, why: Why::Unstable, .. } if path == b"busy")
            })
        };
        let mut found = false;
        while !found && started.elapsed() < Duration::from_secs(30) {
            found = is_unstable();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(found);
    });
    assert!(seen(&plan(root.path())).iter().all(|seen| matches!(seen, Seen::Is(..))), "control");
}

#[test]
fn ten_gibibytes_of_nothing_take_no_time() {
    let root = tempdir().unwrap();
    put(root.path(), "small", "small");
    let before = baseline(&plan(root.path()));
    File::create(root.path().join("sparse")).unwrap().set_len(10 << 30).unwrap();
    let started = Instant::now();
    assert_eq!(told(&plan(root.path()), &before), ["unverifiable sparse (too_large)"]);
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn what_cannot_be_read_is_unverifiable_and_not_deleted() {
    let root = tempdir().unwrap();
    set_mode(root.path(), "", 0o755);
    for name in ["closed/a", "closed/b", "secret", "open"] {
        put(root.path(), name, name);
    }
    let before = baseline(&plan(root.path()));
    set_mode(root.path(), "closed", 0o000);
    set_mode(root.path(), "secret", 0o000);
    let found = as_nobody(|| told(&plan(root.path()), &before));
    set_mode(root.path(), "closed", 0o755);
    let expected = [
        "unverifiable closed (denied)",
        "unverifiable closed/a (denied)",
        "unverifiable closed/b (denied)",
        "unverifiable secret (denied)",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_root_that_is_not_there_says_nothing_of_what_is_in_it() {
    let root = tempdir().unwrap();
    put(root.path(), "app/a", "a");
    let plan = plan(&root.path().join("app"));
    let before = baseline(&plan);
    fs::remove_dir_all(root.path().join("app")).unwrap();
    let found = try_findings(&plan, &before);
    assert_eq!(found, Err(NotScanned::Root(Why::Unreadable)));
}

#[test]
fn folders_in_folders_without_end_are_cut_off() {
    let root = tempdir().unwrap();
    let deep = vec!["d"; 250].join("/");
    fs::create_dir_all(root.path().join(deep)).unwrap();
    let found = seen(&plan(root.path()));
    let closed = |seen: &Seen| matches!(seen, Seen::Closed { why: Why::TooDeep, .. });
    assert_eq!(found.iter().filter(|seen| closed(seen)).count(), 1);
    let progress = Progress::default();
    scan(&Plan { max_bytes: 0, ..plan(root.path()) }, &progress, |_| {}).unwrap();
    assert_eq!(progress.unverifiable(), 1);
}

/// Folders of names that are no text in each other, so many that no path leads to the last of them.
fn nest(root: &Path, count: usize) {
    let name = OsStr::from_bytes(&[0xe9; 255]);
    let mut folder = open(root, OFlags::PATH, Mode::empty()).unwrap();
    for _ in 0..count {
        mkdirat(&folder, name, Mode::RWXU).unwrap();
        folder = openat(&folder, name, OFlags::PATH, Mode::empty()).unwrap();
    }
    let write = OFlags::CREATE | OFlags::WRONLY;
    openat(&folder, "file", write, Mode::RUSR | Mode::WUSR).unwrap();
}

/// Whoever reaches such a path name by name has no manifest made that nobody can read again.
#[test]
fn paths_that_are_too_long_are_closed_and_what_is_written_is_read_again() {
    let check = |count: usize, expected: &[&str]| {
        let root = tempdir().unwrap();
        nest(root.path(), count);
        put(root.path(), "index.html", "good");
        let mut body = Body::new(Vec::new());
        let (mut written, mut not) = (0, Vec::new());
        for seen in seen(&plan(root.path())) {
            match seen {
                Seen::Is(entry, ..) => {
                    body.push(&entry).unwrap();
                    written += 1;
                }
                Seen::Closed { path, why } => not.push(format!("{} {}", path.len(), why.as_str())),
                other @ Seen::Unverifiable { .. } => panic!("{other:?}"),
            }
        }
        assert_eq!(not, expected, "{count} folders");
        let (lines, head) = body.finish("app", 1, None);
        let mut manifest = Vec::new();
        write(&mut manifest, &head, &mut &lines[..]).unwrap();
        assert_eq!(entries(&manifest).len(), written, "{count} folders");
        put(root.path(), "index.html", "evil");
        let told = told(&plan(root.path()), &manifest);
        assert!(told.contains(&"modified index.html".to_owned()), "{count} folders");
        assert_eq!(told.len(), 1 + expected.len());
    };
    check(15, &[]);
    check(16, &["4100 too_deep"]);
    check(17, &["4351 too_deep"]);
    check(70, &["4351 too_deep"]);
}
