//! A deployment as a script makes it: a manifest is built and signed, begun, the files are copied, and it is
//! ended. The real program, without a server.

use std::fs;

use super::commands::Site;

/// A site whose deployments `ci` signs, with a signed manifest `m` of the next release in `next`.
fn site() -> Site {
    let site = Site::new();
    site.ran_plainly("manifest key ci --to ci", 0);
    site.ran_plainly("manifest key other --to other", 0);
    let key = fs::read_to_string(site.at("ci.pub")).unwrap();
    let (key, root) = (key.trim(), site.at("app"));
    site.configure(&format!(
        "[integrity]\ndeploy_keys = [\"{key}\"]\n[[integrity.root]]\nname = \"app\"\npath = \"{}\"\n",
        root.display()
    ));
    site.put("next/index.php", "<?php\necho 2;\n");
    site.put("next/style.css", "a { }\n");
    site.put("next/more.php", "<?php\n");
    site.ran_plainly("manifest build next --root app --to m", 0);
    site.ran_plainly("manifest build next --root other --to of-other", 0);
    site.ran_plainly("manifest sign m --key other --to not-ours", 0);
    site.ran_plainly("manifest sign of-other --key ci", 0);
    site.ran_plainly("manifest sign m --key ci", 0);
    site
}

fn copy(site: &Site, name: &str) {
    fs::copy(site.at(&format!("next/{name}")), site.at(&format!("app/{name}"))).unwrap();
}

#[test]
fn a_scripted_deployment_is_silent() {
    let site = site();
    site.ran("scan", 0);
    let id = site.ran("deploy begin --root app --manifest m --reason release", 0).out();
    assert!(id.starts_with("dep_"), "{id}");
    copy(&site, "index.php");
    site.ran("scan", 0);
    copy(&site, "more.php");
    let ended = site.ran("deploy end --root app --json", 0).lines();
    assert_eq!((&ended[0]["state"], &ended[0]["id"]), (&"complete".into(), &id.trim().into()));
    assert_eq!(site.alerts("--status all").len(), 0);
    site.ran("scan", 0);
    let listed = &site.ran("deploy list --json", 0).lines()[0][0];
    assert_eq!((&listed["state"], &listed["reason"]), (&"complete".into(), &"release".into()));
    assert!(site.ran("deploy list", 0).out().contains("complete"));
}

#[test]
fn one_more_byte_is_not_silent() {
    let site = site();
    site.ran("scan", 0);
    let id = site.ran("deploy begin --root app --manifest m", 0).out();
    copy(&site, "index.php");
    site.put("app/more.php", "<?php\n ");
    let ended = site.ran(&format!("deploy end {}", id.trim()), 1).out();
    assert!(ended.contains("more.php") && ended.contains("Incomplete"), "{ended}");
    let alerts = site.alerts("");
    assert_eq!((alerts.len(), &alerts[0]["path"]), (1, &"more.php".into()), "{alerts:?}");
    site.ran("scan", 1);
}

#[test]
fn what_is_no_deployment_is_refused() {
    let site = site();
    let check = |line: &str, exit: i32, code: &str| {
        let told = site.ran(&format!("deploy {line} --json"), exit);
        assert_eq!((told.code(), told.out()), (code.to_owned(), String::new()), "{line}");
    };
    check("begin --root app --manifest m", 1, "no_baseline");
    site.ran("scan", 0);
    check("begin --root no --manifest m", 1, "root_unknown");
    check("begin --root app --manifest of-other", 1, "other_root");
    check("begin --root app --manifest not-ours", 4, "bad_signature");
    check("begin --root app --manifest ci.pub", 4, "bad_manifest");
    let whole = fs::read_to_string(site.at("m")).unwrap();
    site.put("cut", &whole[..whole.len() - 10]);
    check("begin --root app --manifest cut", 4, "bad_manifest");
    check("end --root app", 1, "deployment_unknown");
    check("cancel dep_0123456789abcdef01234567", 1, "deployment_unknown");
    site.ran("deploy begin --root app --manifest nowhere", 3);
    for line in ["begin --root app --manifest m --minutes 0", "end", "end odd", "cancel"] {
        site.ran(&format!("deploy {line}"), 2);
    }
    // The control.
    site.ran("deploy begin --root app --manifest m", 0);
    check("begin --root app --manifest m", 1, "deployment_open");
    site.ran("deploy cancel --root app", 0);
    check("end --root app", 1, "deployment_unknown");
    site.configure(&format!(
        "[[integrity.root]]\nname = \"app\"\npath = \"{}\"\n",
        site.at("app").display()
    ));
    check("begin --root app --manifest m", 1, "no_deploy_keys");
}
