//! Builds that were interrupted.

use std::fs;
use std::path::Path;

use portcullis_breach::build::{NotBuilt, Options, build};
use portcullis_breach::{Progress, Sha1};

use crate::support::{Place, some};

/// Interrupts a build in its last third, wherever it wrote down how far it was.
fn interrupted(options: &Options, spoil: impl Fn(&Path)) -> Result<u64, NotBuilt> {
    let progress = Progress::default();
    let stopped = std::thread::scope(|scope| {
        let built = scope.spawn(|| build(options, &progress));
        while progress.thousandths() < 10 && !built.is_finished() {
            std::thread::yield_now();
        }
        progress.stop();
        built.join().unwrap()
    });
    assert!(matches!(stopped, Err(NotBuilt::Stopped)), "too fast to be stopped");
    spoil(&options.to);
    let built = build(options, &Progress::default())?;
    let before = built.lines_before;
    assert_eq!(built.lines, 300_000);
    built.publish(None)?;
    Ok(before)
}

fn check(folder: bool, spoil: impl Fn(&Path), goes_on: bool) {
    let passwords: Vec<(Sha1, u64)> = some(300_000);
    let place = Place::new();
    let from = if folder { place.folder(&passwords) } else { place.text(&passwords) };
    let options = Options { keep_every: 10_000, ..place.options(&from) };
    build(&options, &Progress::default()).unwrap().publish(None).unwrap();
    let whole = fs::read(&options.to).unwrap();
    fs::remove_file(&options.to).unwrap();
    let before = interrupted(&options, spoil).unwrap();
    assert_eq!(before > 0, goes_on, "{before}");
    assert!(whole == fs::read(&options.to).unwrap());
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 2, "something was left behind");
}

fn beside(to: &Path, name: &str) -> std::path::PathBuf {
    to.with_file_name(format!("index{name}"))
}

#[test]
fn a_build_goes_on_where_it_was() {
    check(false, |_| {}, true);
}

#[test]
fn what_was_written_behind_the_mark_is_written_anew() {
    let spoil = |to: &Path| {
        let path = beside(to, ".building");
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend([0xFF; 5_000]);
        fs::write(path, bytes).unwrap();
    };
    check(false, spoil, true);
}

#[test]
fn it_begins_anew_where_the_mark_or_the_file_is_lost() {
    check(false, |to| fs::write(beside(to, ".building-state"), "nothing").unwrap(), false);
    check(false, |to| fs::write(beside(to, ".building"), "nothing").unwrap(), false);
}

#[test]
fn it_begins_anew_where_the_source_or_the_question_is_another() {
    let place = Place::new();
    let from = place.text(&some(300_000));
    let options = Options { keep_every: 10_000, ..place.options(&from) };
    let other = Options { min_count: 2, ..options.clone() };
    let rewrite = |_: &Path| {
        let time = std::time::UNIX_EPOCH;
        fs::File::options().write(true).open(&from).unwrap().set_modified(time).unwrap();
    };
    assert_eq!(interrupted(&options, rewrite).unwrap(), 0);
    let stopped = Progress::default();
    stopped.stop();
    assert!(matches!(build(&options, &stopped), Err(NotBuilt::Stopped)));
    assert_eq!(build(&other, &Progress::default()).unwrap().lines_before, 0);
}

#[test]
fn a_folder_goes_on_too() {
    let passwords: Vec<_> = some(2_000);
    let place = Place::new();
    let options = Options { keep_every: 10, ..place.options(&place.folder(&passwords)) };
    build(&options, &Progress::default()).unwrap().publish(None).unwrap();
    let whole = fs::read(&options.to).unwrap();
    let progress = Progress::default();
    progress.stop();
    assert!(matches!(build(&options, &progress), Err(NotBuilt::Stopped)));
    build(&options, &Progress::default()).unwrap().publish(None).unwrap();
    assert!(whole == fs::read(&options.to).unwrap());
}

#[test]
fn two_builds_do_not_write_to_one_place() {
    let place = Place::new();
    let options = place.options(&place.text(&some(10)));
    let first = build(&options, &Progress::default()).unwrap();
    assert!(matches!(build(&options, &Progress::default()), Err(NotBuilt::Busy)));
    first.publish(None).unwrap();
    assert!(build(&options, &Progress::default()).is_ok());
}
