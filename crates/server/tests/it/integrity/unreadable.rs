//! Files that the program may not read, whoever it runs as: by the real program and the real store.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::commands::{PROGRAM, Site};

const NOBODY: u32 = 65_534;

/// A site that is nobody's, and a program that he may run, if whoever runs the tests may hand things on.
struct Given {
    site: Site,
    is_handed_on: bool,
}

impl Given {
    fn new() -> Self {
        let site = Site::new();
        let program = site.at("portcullis");
        if fs::hard_link(PROGRAM, &program).is_err() {
            fs::copy(PROGRAM, &program).unwrap();
        }
        let is_handed_on = [".", "c.toml", "app"]
            .iter()
            .all(|path| chown(site.at(path), Some(NOBODY), Some(NOBODY)).is_ok());
        Self { site, is_handed_on }
    }

    #[track_caller]
    fn ran(&self, line: &str, code: i32) -> Vec<Value> {
        let mut command = Command::new(self.site.at("portcullis"));
        command.env_clear().current_dir(self.site.at(".")).arg("integrity");
        command.args(line.split_whitespace()).args(["--config", "c.toml", "--json"]);
        if self.is_handed_on {
            command.uid(NOBODY).gid(NOBODY);
        }
        let ran = command.output().unwrap();
        let (out, err) =
            (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert_eq!(ran.status.code(), Some(code), "{line}: {err} {out}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// It may be read by nobody, and yet be run as whoever it belongs to. Ignoring it ignores what was there.
#[test]
fn a_set_id_file_that_cannot_be_read_is_critical_and_known_by_what_it_is() {
    let given = Given::new();
    given.ran("scan", 0);
    given.site.put("app/tool", "good");
    given.site.put("app/note", "note");
    set_mode(&given.site.at("app/tool"), 0o4311);
    set_mode(&given.site.at("app/note"), 0o000);
    given.ran("scan", 3);
    let found = |status: &str| -> Vec<[String; 4]> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let alerts = given.ran(&format!("alerts --status {status}"), 0);
        let told = alerts
            .iter()
            .map(|alert| ["path", "severity", "rule", "is"].map(|key| text(&alert[key])));
        told.collect()
    };
    let [tool, note] = &found("new")[..] else { panic!("{:?}", found("new")) };
    assert_eq!(tool[..3], ["tool", "critical", "set_id"]);
    assert!(tool[3].starts_with("denied file 4311 "), "{tool:?}");
    assert_eq!(note[..3], ["note", "medium", "unverifiable_code"], "control");

    let alerts = given.ran("alerts", 0);
    let id = &alerts.iter().find(|alert| alert["path"] == "tool").unwrap()["id"];
    given.ran(&format!("ignore {id} --days 3 --note known"), 0);
    given.ran("scan", 3);
    assert_eq!(found("new").len(), 1, "control: what was ignored is still there");
    set_mode(&given.site.at("app/tool"), 0o700);
    given.site.put("app/tool", "evil");
    set_mode(&given.site.at("app/tool"), 0o4311);
    given.ran("scan", 3);
    let paths: Vec<String> = found("new").into_iter().map(|[path, ..]| path).collect();
    assert_eq!(paths, ["tool", "note"], "another content under the same word is another one");
}
