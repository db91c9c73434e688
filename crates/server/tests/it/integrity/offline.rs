//! `integrity manifest` and `integrity verify` as a pipeline and a rescue disk use them: the real program,
//! without a server, a database or a configuration.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portcullis");

/// A release in `app`, a key `ci` with its public half, and a signed manifest `m`.
struct Release(TempDir);

impl Release {
    fn new() -> Self {
        let release = Self(tempfile::tempdir().unwrap());
        release.put("app/bin/run", "#!/bin/sh\n");
        release.put("app/static/style.css", "body {}\n");
        release.put("app/log/today", "started\n");
        symlink("bin/run", release.at("app/run")).unwrap();
        fs::write(release.at("app").join(OsStr::from_bytes(b"caf\xe9\n")), "odd").unwrap();
        release.ran("manifest key ci --to ci").assert(0);
        release.ran("manifest build app --exclude log/** --to m").assert(0);
        release.ran("manifest sign m --key ci").assert(0);
        release
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    /// Runs `portcullis integrity` with words apart by spaces, in the folder of the release.
    fn ran(&self, line: &str) -> Ran {
        Ran(line.to_owned(), self.command(line).output().unwrap())
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env_clear().current_dir(self.0.path()).arg("integrity");
        command.args(line.split_whitespace());
        command
    }

    /// Verifies `root`; `more` are more arguments.
    fn verify(&self, root: &str, more: &str) -> Ran {
        self.ran(&format!("verify --manifest m --key ci.pub --root {root} {more}"))
    }

    fn manifest(&self) -> String {
        fs::read_to_string(self.at("m")).unwrap()
    }

    /// A copy of the tree elsewhere, as `cp` makes it.
    fn copy(&self) {
        let mut command = Command::new("cp");
        command.args(["-a", "app", "copy"]).current_dir(self.0.path());
        assert!(command.status().unwrap().success());
    }
}

struct Ran(String, Output);

impl Ran {
    #[track_caller]
    fn assert(&self, code: i32) -> &Self {
        let Self(line, output) = self;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {told} {}", self.out());
        assert!(!told.contains("panicked"), "{line}: {told}");
        self
    }

    fn out(&self) -> String {
        String::from_utf8(self.1.stdout.clone()).unwrap()
    }

    fn err(&self) -> String {
        String::from_utf8(self.1.stderr.clone()).unwrap()
    }

    fn json(&self) -> Vec<Value> {
        self.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn a_copied_tree_is_verified_by_the_manifest_alone() {
    let release = Release::new();
    release.copy();
    let clean = release.verify("copy", "");
    let said = "app 1: 8 as the manifest says.\nPassed over by the manifest: log/**\n";
    assert_eq!(clean.assert(0).out(), said);
    assert_eq!(release.verify("copy", "--json").assert(0).json()[0]["result"], "clean");

    release.put("copy/log/today", "what is passed over may change\n");
    release.verify("copy", "").assert(0);
    let mut style =
        OpenOptions::new().append(true).open(release.at("copy/static/style.css")).unwrap();
    style.write_all(b"\n").unwrap();
    fs::rename(release.at("copy/bin/run"), release.at("copy/bin/ran")).unwrap();
    fs::set_permissions(release.at("copy/static"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::remove_file(release.at("copy/run")).unwrap();
    release.put("copy/run", "a file");
    release.put("copy/\u{202e}gpj.sh", "added");
    let differs = release.verify("copy", "");
    let said = [
        "added        bin/ran (was bin/run)",
        "deleted      bin/run (now bin/ran)",
        "modified     run (file instead of link)",
        "attributes   static (0777 instead of 0755)",
        "modified     static/style.css",
        "added        \\u{202e}gpj.sh",
        "app 1: 4 as the manifest says, 2 added, 1 deleted, 2 modified, 1 attributes.",
        "Passed over by the manifest: log/**",
    ];
    assert_eq!(differs.assert(1).out().lines().collect::<Vec<_>>(), said);
}

#[test]
fn machines_get_a_line_for_each_finding_and_one_for_the_whole() {
    let release = Release::new();
    fs::remove_file(release.at("app").join(OsStr::from_bytes(b"caf\xe9\n"))).unwrap();
    let found = release.verify("app", "--json").assert(1).json();
    let [finding, total] = &found[..] else { panic!("{found:?}") };
    assert_eq!(finding["change"], "deleted");
    assert_eq!(finding["path"], "caf\\xe9\\u{a}");
    assert_eq!(finding["path_b64"], "Y2Fm6Qo=");
    assert!(finding["was"].as_str().unwrap().ends_with(" caf\\xe9\\x0a"), "{finding}");
    assert_eq!(finding["is"], Value::Null);
    assert_eq!((&total["result"], &total["deleted"]), (&"differences".into(), &1.into()));
    assert_eq!(total["exclude"], serde_json::json!(["log/**"]));
}

#[test]
fn what_is_not_what_the_key_has_signed_is_not_believed() {
    let release = Release::new();
    release.ran("manifest key other --to other").assert(0);
    let good = release.manifest();
    release.verify("app", "").assert(0);
    let check = |text: &str, why: &str| {
        fs::write(release.at("m"), text).unwrap();
        let refused = release.verify("app", "--json");
        refused.assert(4);
        let told: Value = serde_json::from_str(&refused.err()).unwrap();
        assert_eq!(told["code"], "bad_signature", "{why}");
        assert_eq!(refused.out(), "", "{why}");
    };
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    let signature = lines.iter().position(|line| line.starts_with('\u{2014}')).unwrap();
    let without = |gone: &[usize]| -> String {
        let stays = |(at, line): (usize, &&str)| (!gone.contains(&at)).then(|| line.to_string());
        lines.iter().enumerate().filter_map(stays).collect()
    };
    let mut swapped = lines.clone();
    swapped.swap(lines.len() - 1, lines.len() - 2);
    check(&without(&[signature, signature + 1]), "unsigned");
    check(&good.replacen("number 1", "number 2", 1), "the head was changed");
    check(&good.replacen("exclude log/**", "exclude bin/**", 1), "other files are passed over");
    check(&good.replacen("exclude log/**\n", "", 1), "nothing is passed over");
    check(&good.replacen("file 0644", "file 0666", 1), "a line was changed");
    check(&without(&[lines.len() - 1]), "the last line is gone");
    check(good.trim_end(), "the end is gone");
    check(&good[..good.len() / 2], "half of it is gone");
    check(&swapped.concat(), "other order");
    check(&format!("{good}{}", lines[lines.len() - 1]), "a line twice");
    check("", "nothing at all");
    check("no manifest\n", "something else");
    fs::write(release.at("m"), &good).unwrap();
    release.ran("verify --manifest m --key other.pub --root app").assert(4);
    // The control, with both keys.
    release.ran("manifest sign m --key other").assert(0);
    release.ran("verify --manifest m --key other.pub --root app").assert(0);
    release.verify("app", "").assert(0);
    assert_eq!(release.manifest().matches('\u{2014}').count(), 2);
    release.ran("manifest sign m --key ci --to again").assert(0);
    let again = fs::read_to_string(release.at("again")).unwrap();
    assert_eq!(again.matches('\u{2014}').count(), 2, "its own is replaced: {again}");
    release.ran("verify --manifest again --key other.pub --root app").assert(0);
}

#[test]
fn what_cannot_be_meant_is_wrong_usage_and_what_cannot_be_reached_is_said() {
    let release = Release::new();
    let check = |line: &str, code: i32| {
        let refused = release.ran(line);
        refused.assert(code);
        assert!(!refused.err().is_empty() && refused.out().is_empty(), "{line}");
    };
    check("verify --manifest m --key ci --root app", 2); // The private half.
    check("verify --manifest m --key nowhere --root app", 2);
    check("verify --manifest m --key ci.pub --root app --exclude [", 2);
    check("verify --manifest nowhere --key ci.pub --root app", 3);
    check("verify --manifest app --key ci.pub --root app", 3);
    check("verify --manifest /dev/zero --key ci.pub --root app", 3);
    check("verify --manifest m --key ci.pub --root nowhere", 3);
    check("verify --manifest m --key ci.pub --root m", 3);
    check("manifest build app --exclude [ --to x", 2);
    check("manifest build app --root No --to x", 2);
    check("manifest build app --json", 2);
    check("manifest build app --previous m --number 3 --to x", 2);
    check("manifest build app --previous ci --to x", 3);
    check("manifest build nowhere --root app --to x", 3);
    check("manifest build app --to nowhere/x", 3);
    check("manifest sign m --key ci.pub", 2);
    check("manifest sign m --key nowhere", 3);
    check("manifest sign ci.pub --key ci", 1);
    check("manifest key a+b --to y", 2);
    check("manifest key ci --to ci", 1);
    fs::remove_file(release.at("ci")).unwrap();
    check("manifest key ci --to ci", 1); // Its public half is there.
    assert!(["x", "y", "ci"].iter().all(|name| !release.at(name).exists()));
    release.verify("app", "").assert(0);
}

/// The folder itself is told of as `.`, unless it is passed over.
#[test]
fn the_folder_itself_is_verified() {
    let release = Release::new();
    let set_mode = |mode| {
        fs::set_permissions(release.at("app"), fs::Permissions::from_mode(mode)).unwrap();
    };
    let first = fs::metadata(release.at("app")).unwrap().permissions().mode() & 0o7777;
    release.verify("app", "").assert(0);
    set_mode(0o777);
    let said =
        format!("attributes   . (0777 instead of {first:04o})\napp 1: 7 as the manifest says");
    let found = release.verify("app", "");
    assert!(found.assert(1).out().starts_with(&said), "{}", found.out());
    assert_eq!(release.verify("app", "--json").assert(1).json()[0]["path"], ".");
    let mine = "manifest build app --exclude log/** --exclude . --to n";
    release.ran(mine).assert(0);
    release.ran("manifest sign n --key ci").assert(0);
    set_mode(first);
    let verify = "verify --manifest n --key ci.pub --root app";
    assert!(release.ran(verify).assert(0).out().starts_with("app 1: 7 as the manifest says"));
}

#[test]
fn keys_are_for_their_owner_alone() {
    let release = Release::new();
    let mode = |name| fs::metadata(release.at(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ci"), mode("ci.pub") & 0o022), (0o600, 0));
    let made = release.ran("manifest key two --to two --json");
    let public = fs::read_to_string(release.at("two.pub")).unwrap();
    assert_eq!(made.assert(0).json()[0]["public"], public.trim_end());
    let private = fs::read_to_string(release.at("two")).unwrap();
    assert!(private.starts_with("PRIVATE+KEY+two+") && !made.out().contains("PRIVATE"));
    let key = public.trim_end();
    release.ran("manifest sign m --key two").assert(0);
    release.ran(&format!("verify --manifest m --key {key} --root app")).assert(0);
}

#[test]
fn a_damaged_manifest_is_not_signed() {
    let release = Release::new();
    let good = release.manifest();
    for bad in
        [good.replacen("file 0644", "file 0666", 1), good.replacen("entries 8", "entries 9", 1)]
    {
        fs::write(release.at("m"), &bad).unwrap();
        release.ran("manifest sign m --key ci").assert(1);
        assert_eq!(release.manifest(), bad, "it stays as it is");
    }
    let left: Vec<OsString> =
        fs::read_dir(release.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "nothing is left beside it: {left:?}");
}

#[test]
fn a_manifest_counts_on_from_the_one_before() {
    let release = Release::new();
    let built = release.ran("manifest build app --previous m --owners");
    let text = built.assert(0).out();
    assert!(text.contains("root app\nnumber 2\nprevious "), "{text}");
    assert!(!text.contains("previous -") && !text.contains(" - - - "), "{text}");
    let plain = release.ran("manifest build app --root shop.web --number 7").assert(0).out();
    assert!(plain.contains("root shop.web\nnumber 7\nprevious -\nentries 9\n"), "{plain}");
    let mut lines = plain.lines().skip_while(|line| !line.is_empty()).skip(1);
    assert!(lines.all(|line| line.split(' ').nth(2) == Some("-")), "{plain}");
}

#[test]
fn a_manifest_does_not_stand_among_its_own_files() {
    let release = Release::new();
    release.ran("manifest build app --to app/m").assert(2);
    release.ran("manifest build app --to app/../app/bin/m").assert(2);
    let printed = fs::File::create(release.at("app/printed")).unwrap();
    let mut command = release.command("manifest build app");
    assert_eq!(command.stdout(printed).status().unwrap().code(), Some(2));
    fs::remove_file(release.at("app/printed")).unwrap();
    release.ran("manifest build app --to app/log/m --exclude log/**").assert(0);
    release.verify("app", "").assert(0);
}

#[test]
fn what_cannot_be_verified_is_named_and_nothing_is_written() {
    let release = Release::new();
    release.put("app/closed/a", "a");
    release.ran("manifest build app --exclude log/** --to m").assert(0);
    release.ran("manifest sign m --key ci").assert(0);
    // Whoever runs the tests may be allowed to read everything, and nobody may not reach the program.
    fs::set_permissions(release.0.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = release.at("portcullis");
    if fs::hard_link(PROGRAM, &program).is_err() {
        fs::copy(PROGRAM, &program).unwrap();
    }
    let close = |mode| {
        fs::set_permissions(release.at("app/closed"), fs::Permissions::from_mode(mode)).unwrap();
    };
    let by_nobody = |line: &str| {
        let mut command = Command::new(&program);
        command.env_clear().current_dir(release.0.path()).arg("integrity");
        command.args(line.split_whitespace());
        if fs::read_dir(release.at("app/closed")).is_ok() {
            command.uid(65_534).gid(65_534);
        }
        Ran(line.to_owned(), command.output().unwrap())
    };
    close(0o000);
    let verify = "verify --manifest m --key ci.pub --root app";
    let built = by_nobody("manifest build app --exclude log/** --to n");
    assert!(built.assert(3).err().contains("\nclosed (denied)"), "{}", built.err());
    assert!(!release.at("n").exists());
    let unverified = by_nobody(verify);
    // Its rights are not those that it had; what is in it cannot be known.
    let said = "unverifiable closed (denied)\nunverifiable closed/a (denied)\napp 1: 8 as";
    assert!(unverified.assert(3).out().starts_with(said), "{}", unverified.out());
    release.put("app/static/style.css", "a difference is sure\n");
    by_nobody(verify).assert(1);
    close(0o755);
    release.put("app/static/style.css", "body {}\n");
    by_nobody(verify).assert(0);
    // Passed over as asked for, and yet told of by the manifest.
    let passed = release.verify("app", "--exclude bin/**");
    assert!(passed.assert(3).out().contains("unverifiable bin/run (unseen)"), "{}", passed.out());
}

#[test]
fn whoever_has_read_enough_stops_it_without_noise() {
    let release = Release::new();
    for number in 0..3_000 {
        release.put(&format!("app/many/{number:0>100}"), "");
    }
    for line in ["manifest build app", "verify --manifest m --key ci.pub --root app"] {
        let mut child =
            release.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        Ran(line.to_owned(), child.wait_with_output().unwrap())
            .assert(i32::from(line.starts_with("verify")));
    }
}

#[test]
fn what_is_built_is_the_same_each_time() {
    let release = Release::new();
    release.copy();
    let build = |folder: &Path| {
        release.ran(&format!("manifest build {} --root app", folder.display())).assert(0).out()
    };
    assert_eq!(build(&release.at("app")), build(&release.at("copy")));
}
