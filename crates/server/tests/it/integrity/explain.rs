//! `integrity status` and `integrity explain`: the real program, without a server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::commands::Site;

/// A site with patterns and rules, whose first check has been made.
fn site() -> Site {
    let site = Site::new();
    let root = site.at("app");
    let root = root.display();
    site.configure(&format!(
        "[[integrity.root]]\nname = \"app\"\npath = \"{root}\"\nexclude = [\"tmp/**\", \"*.pid\"]\n\
         [[integrity.rule]]\nname = \"logs\"\nseverity = \"ignore\"\npaths = [\"*.log\"]\n"
    ));
    site.put("app/sub/page.html", "<p>\n");
    site.put("app/a.log", "1\n");
    site.ran("scan", 0);
    site
}

#[test]
fn a_path_is_explained() {
    let site = site();
    site.put("app/index.php", "<?php\nevil();\n");
    site.put("app/new.php", "<?php\n");
    site.put("app/a.log", "2\n");
    site.put("app/tmp/x", "x");
    site.put("app/x.pid", "1");
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(site.at("app"), open).unwrap();
    for (path, code, pointers) in [
        ("app/style.css", 0, json!({"/result": "clean", "/rule/change": "modified"})),
        ("app/./sub/../style.css", 0, json!({"/result": "clean", "/path": "style.css"})),
        ("app/none.php", 0, json!({"/result": "clean", "/was": null, "/rule/change": "added"})),
        ("app/sub", 0, json!({"/result": "clean", "/rule/change": "attributes"})),
        (
            "app/index.php",
            1,
            json!({"/result": "differences", "/change": "modified", "/rule/severity": "critical"}),
        ),
        ("app/new.php", 1, json!({"/change": "added", "/was": null, "/baseline/number": 1})),
        (
            "app/a.log",
            1,
            json!({"/change": "modified", "/rule": {
                "name": "logs", "severity": null, "change": "modified"
            }}),
        ),
        (
            "app/tmp/x",
            0,
            json!({"/result": "passed_over", "/excluded": {
                "pattern": "tmp/**", "by": "configuration"
            }}),
        ),
        ("app/x.pid", 0, json!({"/result": "passed_over", "/excluded/pattern": "*.pid"})),
        ("app", 1, json!({"/result": "differences", "/path": "", "/below": 4, "/rule": null})),
    ] {
        let said = site.ran(&format!("explain {path} --json"), code).lines().remove(0);
        for (pointer, expected) in pointers.as_object().unwrap() {
            assert_eq!(said.pointer(pointer), Some(expected), "{path} {pointer}: {said}");
        }
        assert_eq!(said["root"], "app");
    }
    assert_eq!(site.ran("explain c.toml --json", 1).code(), "path_unwatched");
    assert_eq!(site.ran("explain app/../c.toml --json", 1).code(), "path_unwatched");
}

#[test]
fn people_are_told_which_rule_and_which_alert() {
    let site = site();
    site.put("app/index.php", "<?php\nevil();\n");
    let text = site.ran("explain app/index.php", 1).out();
    for part in [
        "Root app: index.php",
        "Baseline 1 (observed, not attested): a file of 14 bytes",
        "Now: modified. The content is another one",
        "The difference is critical by the rule executable.",
        "last read as a whole at ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Alert "), "{text}");
    site.ran("scan", 1);
    let text = site.ran("explain app/index.php", 1).out();
    assert!(text.contains("Alert 1: critical, modified, new."), "{text}");
    let text = site.ran("explain app/style.css", 0).out();
    assert!(text.contains("Now: as it ought to be.\nIf modified, it is medium by"), "{text}");
}

/// What cannot be held against anything is not said to be good.
#[test]
fn what_is_not_known_is_said() {
    let site = Site::new();
    let said = site.ran("explain app/index.php --json", 3).lines().remove(0);
    assert_eq!((&said["result"], &said["baseline"]), (&json!("no_baseline"), &Value::Null));
    site.ran("scan", 0);
    site.ran("explain app/index.php", 0);
    fs::rename(site.at("app"), site.at("elsewhere")).unwrap();
    let said = site.ran("explain app/index.php --json", 3).lines().remove(0);
    assert_eq!(said["result"], "unverifiable", "{said}");
    let bare = Site::bare();
    assert_eq!(bare.ran("explain x --json", 1).code(), "no_roots");
    assert_eq!(bare.ran("status --json", 1).code(), "no_roots");
}

/// The way to a root may lead through a link.
#[test]
fn a_path_through_a_link_is_found() {
    let site = site();
    std::os::unix::fs::symlink(site.at("app"), site.at("current")).unwrap();
    let said = site.ran("explain current/sub/page.html --json", 0).lines().remove(0);
    assert_eq!((&said["root"], &said["path"]), (&json!("app"), &json!("sub/page.html")));
    assert_eq!(site.ran("explain current/../c.toml --json", 1).code(), "path_unwatched");
}

#[test]
fn how_it_stands_is_told() {
    let site = Site::new();
    let before = site.ran("status --json", 0).lines().remove(0);
    assert_eq!(before["roots"][0]["baseline"], Value::Null, "{before}");
    assert_eq!((&before["running"], &before["open_alerts"]), (&Value::Null, &json!({})));
    assert!(site.ran("status", 0).out().contains("never"));
    site.ran("scan", 0);
    site.put("app/index.php", "<?php\nevil();\n");
    site.put("app/style.css", "b { }\n");
    site.ran("scan", 1);
    let said = site.ran("status --json", 0).lines().remove(0);
    assert_eq!(said["open_alerts"], json!({"critical": 1, "medium": 1}));
    let root = &said["roots"][0];
    assert_eq!((&root["is_attested"], &root["deployment"]), (&json!(false), &Value::Null));
    assert_eq!(
        (&root["baseline"]["origin"], &root["baseline"]["entries"]),
        (&json!("observed"), &json!(3))
    );
    assert!(root["looked_at"].is_string() && root["baseline"]["reason"].is_string(), "{root}");
    let text = site.ran("status", 0).out();
    for part in
        ["1 of 3 entries", "observed ", "is not attested", "New alerts: 1 critical, 1 medium."]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}
