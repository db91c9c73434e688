//! Which rule judges what, and how: every row of the table of severities, each with a control beside it.

use std::path::Path;

use portcullis_integrity::{
    Beginning, Change, CustomRule, Entry, Finding, Is, Outline, Owner, RuleFault, Rules, Severity,
    Type, Why,
};

/// The facts of a case: as it was, as it is (`-`: not there; `?`: cannot be checked, with what is known).
struct Case<'c> {
    was: &'c str,
    is: &'c str,
    begins: &'c [u8],
}

/// `TYPE MODE UID CONTENT PATH`; the content of a file is a digit, of which its digest is made; a `+`
/// behind the mode: with attributes.
fn entry(text: &str) -> Option<Entry> {
    let words: Vec<_> = text.split(' ').collect();
    let [word, mode, uid, content, path] = words[..] else { return None };
    let digest = |digit: &str| digit.repeat(64);
    let content =
        if word == "file" { format!("9:{}", digest(content)) } else { content.to_owned() };
    let (mode, attributes) = match mode.strip_suffix('+') {
        Some(mode) => (mode, digest("a")),
        None => (mode, "-".to_owned()),
    };
    let line = format!("{word} {mode} {uid} {uid} {attributes} {content} {path}");
    Some(Entry::parse(&line).unwrap_or_else(|_| panic!("{line}")))
}

fn finding(was: &str, is: &str) -> Finding {
    let was = entry(was);
    let is = match is.split_once("? ") {
        Some((_, known)) => unverifiable(known),
        None => entry(is).map_or(Is::Gone, Is::There),
    };
    Finding { was, is, moved: None, begins: Beginning::default() }
}

/// `PATH`, or `TYPE MODE UID PATH` if so much is known.
fn unverifiable(known: &str) -> Is {
    let words: Vec<_> = known.split(' ').collect();
    let (path, outline) = match words[..] {
        [word, mode, uid, path] => {
            let kind = if word == "folder" { Type::Folder } else { Type::File };
            let (mode, uid) = (u16::from_str_radix(mode, 8).unwrap(), uid.parse().unwrap());
            let owner = Owner { uid, gid: uid };
            (path, Some(Outline { kind, mode, owner, number: 7, state: None }))
        }
        _ => (known, None),
    };
    Is::Unverifiable { path: path.into(), why: Why::Denied, outline }
}

fn said(rules: &Rules, case: &Case<'_>) -> String {
    let begins = Beginning::of(case.begins);
    let finding = Finding { begins, ..finding(case.was, case.is) };
    let verdict = rules.judge(&finding, Path::new("/srv/app"));
    let severity = verdict.severity.map_or("quiet", Severity::as_str);
    format!("{severity} {}", verdict.rule)
}

fn check(rules: &Rules, was: &str, is: &str, expected: &str) {
    let case = Case { was, is, begins: b"" };
    assert_eq!(said(rules, &case), expected, "{was} => {is}");
}

#[test]
fn what_is_run() {
    let rules = Rules::default();
    let check = |was: &str, is: &str, expected: &str| check(&rules, was, is, expected);
    check("-", "file 0644 1 1 x.php", "critical executable");
    check("-", "file 0644 1 1 a/b/X.PhP", "critical executable");
    check("-", "file 0644 1 1 cat.php.jpg", "critical executable");
    check("-", "file 0644 1 1 cat.jpg", "low document");
    check("-", "file 0644 1 1 notes.pyx", "medium other");
    check("file 0644 1 1 app.py", "file 0644 1 2 app.py", "critical executable");
    check("file 0755 1 1 tool", "file 0755 1 2 tool", "critical executable");
    check("file 0644 1 1 tool", "file 0644 1 2 tool", "medium other");
    check("-", "file 0755 1 1 cat.jpg", "critical executable");
    check("file 0644 1 1 tool", "file 0755 1 1 tool", "critical made_executable");
    check("-", "link 0777 1 data.txt x.php", "critical executable");
    check("-", "link 0777 1 data.txt x", "medium other");
    check("file 0755 1 1 tool", "-", "high executable_deleted");
    check("file 0644 1 1 tool", "-", "medium other");
    check("file 0644 1 1 public/a.js", "file 0644 1 2 public/a.js", "high browser_script");
    check("file 0755 1 1 public/a.js", "file 0755 1 2 public/a.js", "critical executable");
    check("file 0644 1 1 server/a.js", "file 0644 1 2 server/a.js", "critical executable");
}

#[test]
fn what_gives_power() {
    let rules = Rules::default();
    let check = |was: &str, is: &str, expected: &str| check(&rules, was, is, expected);
    check("file 0755 1 1 a", "file 4755 1 1 a", "critical set_id");
    check("file 0755 1 1 a", "file 2755 1 1 a", "critical set_id");
    check("file 4755 1 1 a", "file 0755 1 1 a", "medium rights");
    check("file 4755 1 1 a", "file 4750 1 1 a", "medium rights");
    check("folder 0777 1 - a", "folder 0773 1 - a", "medium rights");
    check("folder 0755 1 - a", "folder 2755 1 - a", "medium rights");
    check("file 0755 1 1 a", "file 0755+ 1 1 a", "critical capabilities");
    check("file 0755+ 1 1 a", "file 0755 1 1 a", "medium rights");
    check("file 0755 1 1 a", "file 0757 1 1 a", "critical executable_writable");
    check("file 0644 1 1 a.py", "file 0646 1 1 a.py", "critical executable_writable");
    check("file 0644 1 1 a", "file 0646 1 1 a", "high writable");
    check("folder 0755 1 - a", "folder 0777 1 - a", "high writable");
    check("file 0646 1 1 a", "file 0644 1 1 a", "medium rights");
    check("file 0644 1 1 a", "file 0600 1 1 a", "medium rights");
    check("-", "char 0600 0 1:3 null", "critical device");
    check("file 0600 0 1 disk", "block 0600 0 8:0 disk", "critical device");
    check("char 0600 0 1:3 null", "-", "medium other");
    check("-", "pipe 0600 0 - p", "medium other");
    check("file 0644 1 1 a", "file 0644 0 1 a", "high owner");
    check("file 0644 1 1 a", "file 0644 0 2 a", "high owner");
    check("file 0644 - 1 a", "file 0644 0 2 a", "medium other");
    check("file 0644 1 1 a", "link 0777 1 b a", "high type");
}

#[test]
fn where_links_lead() {
    let rules = Rules::default();
    let check = |target: &str, path: &str, expected: &str| {
        check(&rules, "-", &format!("link 0777 1 {target} {path}"), expected);
    };
    for (target, path) in [
        ("/etc/passwd", "a"),
        ("..", "a"),
        ("../x", "a"),
        ("../../x", "d/a"),
        ("/srv/app/../x", "a"),
        ("/srv/application", "a"),
        ("../../../../..", "d/a"),
        // Where a folder behind a name leads cannot be told.
        ("b/../c", "a"),
    ] {
        check(target, path, "high link_escapes");
    }
    for (target, path) in [
        ("b", "a"),
        ("./b/c", "a"),
        ("../b", "d/a"),
        ("../../app/b", "d/a"),
        ("/srv/app/b", "a"),
        ("/srv/app", "d/a"),
    ] {
        check(target, path, "medium other");
    }
}

#[test]
fn what_a_path_is_for() {
    let rules = Rules::default();
    let changed = |path: &str, expected: &str| {
        check(&rules, &format!("file 0644 1 1 {path}"), &format!("file 0644 1 2 {path}"), expected);
    };
    for path in [".env", ".env.production", "a/b/.ENV", "tls/site.pem", "jwt.key", "id_ed25519"] {
        changed(path, "high secret");
    }
    for path in [".htaccess", "web.config", "a.toml", "b/c.yml", "nginx.conf", "php.ini"] {
        changed(path, "high settings");
    }
    for path in ["crontab", "etc/cron.d/job", "units/app.service", "units/app.timer"] {
        changed(path, "high scheduled");
    }
    for path in ["templates/base.html", "views/mail/welcome.txt", "page.j2", "a.twig"] {
        changed(path, "high template");
    }
    for path in ["Cargo.lock", "composer.json", "a/package-lock.json", "requirements-dev.txt"] {
        changed(path, "high dependencies");
    }
    for path in ["README.md", "docs/a.txt", "logo.png", "font.woff2", "LICENSE"] {
        changed(path, "low document");
    }
    for path in ["index.html", "site.css", "logo.svg"] {
        changed(path, "medium asset");
    }
    changed("portcullis.toml", "critical own_files");
    changed("env", "medium other");
    changed("keys", "medium other");
    check(&rules, "file 0600 1 1 a.key", "file 0644 1 1 a.key", "high secret");
    check(&rules, "file 0644 1 1 a.conf", "file 0600 1 1 a.conf", "medium rights");
    check(&rules, "-", "folder 0755 1 - new", "low folder");
}

#[test]
fn what_could_not_be_checked() {
    let rules = Rules::default();
    let check = |was: &str, is: &str, expected: &str| check(&rules, was, is, expected);
    check("file 0755 1 1 a", "? a", "medium unverifiable_code");
    check("file 0644 1 1 a.php", "? a.php", "medium unverifiable_code");
    check("folder 0755 1 - a", "? a", "medium unverifiable_code");
    check("-", "? a", "medium unverifiable_code");
    check("file 0644 1 1 .env", "? .env", "medium unverifiable_settings");
    check("file 0644 1 1 a.png", "? a.png", "low unverifiable");
    check("file 0644 1 1 portcullis.toml", "? portcullis.toml", "medium unverifiable_settings");
    check("-", "? x.php", "high unverifiable_executable");
}

/// Who may do what with it is known without reading it.
#[test]
fn what_could_not_be_checked_and_is_known_all_the_same() {
    let rules = Rules::default();
    let check = |was: &str, is: &str, expected: &str| check(&rules, was, is, expected);
    check("-", "? file 4711 1 a", "critical set_id");
    check("-", "? file 2711 1 a", "critical set_id");
    check("file 0711 1 1 a", "? file 4711 1 a", "critical set_id");
    check("file 4711 1 1 a", "? file 4711 1 a", "medium unverifiable_code");
    check("-", "? folder 2700 1 a", "medium unverifiable_code");
    check("-", "? file 0711 1 a", "high unverifiable_executable");
    check("-", "? file 0600 1 x.php", "high unverifiable_executable");
    check("-", "? file 0600 1 a", "medium unverifiable_code");
    check("file 0711 1 1 a", "? file 0711 1 a", "medium unverifiable_code");
    check("file 0711 1 1 a", "? file 0000 1 a", "medium unverifiable_code");
    check("file 0600 1 1 a", "? file 0711 1 a", "critical made_executable");
    check("file 0600 1 1 a", "? file 0602 1 a", "high writable");
    check("file 0711 1 1 a", "? file 0713 1 a", "critical executable_writable");
    check("-", "? folder 0772 1 a", "high writable");
    check("file 0600 1 1 a", "? file 0600 2 a", "high owner");
    check("file 0600 - 1 a", "? file 0600 2 a", "low unverifiable");
    check("file 0600 1 1 a", "? folder 0700 1 a", "high type");
    check("file 0600 1 1 a", "? file 0600 1 a", "low unverifiable");
}

#[test]
fn what_the_path_does_not_say() {
    let rules = Rules::default();
    let (was, is) = ("file 0644 1 1 a.png", "file 0644 1 2 a.png");
    let check = |begins: &[u8], expected: &str| {
        let case = Case { was, is, begins };
        assert_eq!(said(&rules, &case), expected, "{begins:?}");
    };
    for code in [
        &b"\x7fELF\x02"[..],
        b"#!/bin/sh",
        b"MZ\x90",
        b"<?php echo 1;",
        b"<?PHP echo 1;",
        b"<?= 1 ?>",
        b"\xef\xbb\xbf<?= 1 ?>",
        b"\r\n <?= 1 ?>",
        b"GIF89a;<?php ev",
        b"\x89PNG\r\n\x1a\n<?php",
    ] {
        check(code, "critical executable");
    }
    for other in [&b"\x89PNG\r\n\x1a\n"[..], b"", b"#", b"# a", b"<?xml", b" #!/bin/sh", b"a <?= 1"]
    {
        check(other, "low document");
    }
}

/// That a file has a name that nobody watches is judged by path, and by no rule that asks for more.
#[test]
fn what_is_linked_from_elsewhere() {
    let check = |rules: &Rules, path: &str, expected: &str| {
        let verdict = rules.judge_linked(path.as_bytes());
        let severity = verdict.severity.map_or("quiet", Severity::as_str);
        assert_eq!(format!("{severity} {}", verdict.rule), expected, "{path}");
    };
    for path in ["index.html", "README.md", "app.php", ".env", "portcullis.toml", "media/a"] {
        check(&Rules::default(), path, "high linked");
    }
    let rules = Rules::with([
        uploads("uploads", &["media/**"]),
        judgement("store", "ignore", &["node_modules/**"], &["linked"]),
        judgement("others", "low", &["log/**"], &["modified"]),
    ])
    .unwrap();
    check(&rules, "node_modules/a/index.js", "quiet store");
    check(&rules, "log/a", "high linked");
    check(&rules, "media/a.php", "high linked");
}

fn judgement(name: &str, severity: &str, paths: &[&str], changes: &[&str]) -> CustomRule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    CustomRule {
        name: name.to_owned(),
        severity: Some(severity.to_owned()),
        paths: owned(paths),
        changes: owned(changes),
        uploads: Vec::new(),
    }
}

fn uploads(name: &str, patterns: &[&str]) -> CustomRule {
    let uploads = patterns.iter().map(|word| (*word).to_owned()).collect();
    CustomRule { name: name.to_owned(), uploads, ..CustomRule::default() }
}

#[test]
fn the_first_rule_of_the_operator_that_fits_decides() {
    let rules = Rules::with([
        judgement("logs", "ignore", &["log/**"], &["added", "modified"]),
        judgement("pictures", "high", &["*.png"], &[]),
        judgement("late", "low", &["log/**", "*.png", "a.php"], &[]),
    ])
    .unwrap();
    let check = |was: &str, is: &str, expected: &str| check(&rules, was, is, expected);
    check("-", "file 0644 1 1 log/today.log", "quiet logs");
    check("file 0644 1 1 log/today.log", "-", "low late");
    check("-", "file 0644 1 1 a.png", "high pictures");
    check("-", "file 0644 1 1 b/a.png", "low document");
    check("-", "file 0644 1 1 a.php", "low late");
    check("-", "file 0644 1 1 b.php", "critical executable");
}

#[test]
fn uploads_are_quiet_until_somebody_can_run_them() {
    let rules = Rules::with([uploads("uploads", &["media/**"])]).unwrap();
    let check = |was: &str, is: &str, expected: &str| check(&rules, was, is, expected);
    check("-", "file 0644 1 1 media/cat.jpg", "quiet uploads");
    check("-", "file 0644 1 1 media/a/data", "quiet uploads");
    check("-", "folder 0755 1 - media/a", "quiet uploads");
    check("file 0644 1 1 media/a.html", "file 0644 1 2 media/a.html", "quiet uploads");
    check("-", "file 0644 1 1 media/cat.php", "critical uploads");
    check("-", "file 0644 1 1 media/cat.php.jpg", "critical uploads");
    check("-", "file 0755 1 1 media/cat.jpg", "critical uploads");
    check("-", "file 0644 1 1 media/.htaccess", "critical uploads");
    check("file 0644 1 1 media/a", "file 0755 1 1 media/a", "critical made_executable");
    check("-", "file 4644 1 1 media/a", "critical set_id");
    check("-", "link 0777 1 /etc/passwd media/a", "high link_escapes");
    check("-", "char 0600 1 1:3 media/a", "critical device");
    check("-", "file 0644 1 1 other/cat.jpg", "low document");
    let case = |begins| Case { was: "-", is: "file 0644 1 1 media/a", begins };
    assert_eq!(said(&rules, &case(b"<?php")), "critical uploads");
    assert_eq!(said(&rules, &case(b"GIF89a")), "quiet uploads");
}

#[test]
fn a_rule_that_cannot_be_read_is_named() {
    let check = |rule: CustomRule, fault: RuleFault| {
        let control = judgement("good", "low", &["a"], &["added"]);
        let not = Rules::with([control.clone(), rule.clone()]).unwrap_err();
        assert_eq!((not.name, not.fault), (rule.name, fault));
        assert!(Rules::with([control]).is_ok());
    };
    check(judgement("", "low", &[], &[]), RuleFault::Name);
    check(judgement("a b", "low", &[], &[]), RuleFault::Name);
    check(judgement(&"a".repeat(65), "low", &[], &[]), RuleFault::Name);
    check(judgement("good", "low", &[], &[]), RuleFault::Twice);
    check(judgement("executable", "low", &[], &[]), RuleFault::Twice);
    check(judgement("a", "Low", &[], &[]), RuleFault::Severity);
    check(judgement("a", "quiet", &["a"], &[]), RuleFault::Severity);
    check(judgement("a", "ignore", &[], &["added"]), RuleFault::IgnoresAll);
    check(judgement("a", "low", &[], &["moved"]), RuleFault::Change("moved".into()));
    check(CustomRule { name: "a".into(), ..CustomRule::default() }, RuleFault::Kind);
    let both = CustomRule { severity: Some("low".into()), ..uploads("a", &["b"]) };
    check(both, RuleFault::Kind);
    let pattern = Rules::with([judgement("a", "low", &["a["], &[])]).unwrap_err();
    assert!(pattern.to_string().starts_with("rule \"a\": "), "{pattern}");
}

#[test]
fn words_come_back() {
    for word in ["low", "medium", "high", "critical"] {
        assert_eq!(word.parse::<Severity>().unwrap().as_str(), word);
    }
    assert!("ignore".parse::<Severity>().is_err());
    assert!(Severity::Low < Severity::Medium && Severity::High < Severity::Critical);
    for word in ["added", "deleted", "modified", "attributes", "unverifiable", "linked"] {
        assert_eq!(word.parse::<Change>().unwrap().as_str(), word);
    }
    assert!("moved".parse::<Change>().is_err());
}
