//! The cheap rules of the house, checked on the text of every source file: headings, sizes, walls
//! between crates, where SQL and HTTP may be named. Not a linter: what Clippy can see is in
//! `clippy.toml`, what cargo-deny can see is in `deny.toml`.

use std::fs;
use std::path::{Path, PathBuf};

const MOST_LINES_OF_A_FILE: usize = 500;
const MOST_LINES_OF_A_FUNCTION: usize = 80;

/// Which of our own crates each crate may depend on. A new crate needs a row.
const WALLS: [(&str, &[&str]); 8] = [
    ("crates/domain", &[]),
    ("crates/breach", &[]),
    ("crates/integrity", &[]),
    // Itself for its own tests, with its feature `scratch`.
    ("crates/store", &["portcullis-domain", "portcullis-store"]),
    (
        "crates/server",
        &[
            "portcullis-breach",
            "portcullis-domain",
            "portcullis-integrity",
            "portcullis-store",
            "sample-upstream",
        ],
    ),
    ("examples/upstream", &[]),
    ("examples/auditor", &[]),
    (
        "bench",
        &["portcullis-breach", "portcullis-domain", "portcullis-integrity", "portcullis-store"],
    ),
];

/// What a crate must never reach, whoever wrote it.
const NEVER: [(&str, &[&str]); 5] = [
    ("crates/domain", &["tokio", "axum", "http", "hyper", "sqlx", "rand"]),
    ("crates/breach", &["tokio", "axum", "http", "hyper", "sqlx"]),
    ("crates/integrity", &["tokio", "axum", "http", "hyper", "sqlx"]),
    ("crates/store", &["axum", "http", "hyper"]),
    ("crates/server", &["sqlx"]),
];

/// The only places where the two databases may be told apart (files, or folders of that name).
const FORKS: [&str; 4] = ["driver", "migrate", "jobs", "notify"];

/// Crates that must not come in by any way; the reasons are in `deny.toml`.
const BANNED: [&str; 3] = ["openssl", "openssl-sys", "native-tls"];

#[test]
fn every_file_opens_by_saying_what_it_is() {
    check(|source| match source.text.lines().next() {
        Some(first) if first.starts_with("//! ") => Vec::new(),
        _ => vec![(1, "open with `//!`: what it is, what it is not".to_owned())],
    });
}

#[test]
fn files_and_functions_are_short() {
    check(|source| {
        let mut faults = Vec::new();
        let lines: Vec<&str> = source.text.lines().collect();
        if lines.len() > MOST_LINES_OF_A_FILE {
            faults.push((1, format!("{} lines; {MOST_LINES_OF_A_FILE} at most", lines.len())));
        }
        for (start, length) in functions(&lines) {
            if length > MOST_LINES_OF_A_FUNCTION {
                let fault = format!("{length} lines; {MOST_LINES_OF_A_FUNCTION} at most");
                faults.push((start + 1, fault));
            }
        }
        faults
    });
}

#[test]
fn tests_are_neither_ignored_nor_expected_to_panic() {
    check(|source| source.naming(&["#[ignore", "#[should_panic", "todo!(", "unimplemented!("]));
}

#[test]
fn databases_are_told_apart_in_the_driver_only() {
    check(|source| {
        let Some(place) = source.path.strip_prefix("crates/store/src/") else {
            let elsewhere = source.path.contains("/src/");
            return if elsewhere { source.naming(&VARIANTS) } else { Vec::new() };
        };
        let noun = place.split(['/', '.']).next().unwrap_or_default();
        if FORKS.contains(&noun) { Vec::new() } else { source.naming(&VARIANTS) }
    });
}

const VARIANTS: [&str; 6] =
    ["Db::Sqlite", "Db::Postgres", "Tx::Sqlite", "Tx::Postgres", "Row::Sqlite", "Row::Postgres"];

#[test]
fn sql_is_in_the_store_only() {
    let words = [
        "sqlx::",
        "\"SELECT ",
        "\"UPDATE ",
        "\"WITH ",
        "INSERT INTO ",
        "DELETE FROM ",
        "CREATE TABLE ",
    ];
    check(|source| {
        if source.path.starts_with("crates/store/") { Vec::new() } else { source.naming(&words) }
    });
}

#[test]
fn flows_know_no_http() {
    check(|source| {
        let flow = source.path.starts_with("crates/server/src/flows");
        if flow { source.naming(&["axum", "http::", "hyper"]) } else { Vec::new() }
    });
}

#[test]
fn the_route_table_is_the_only_router() {
    check(|source| {
        let bound = source.path.starts_with("crates/server/src/")
            && !source.path.starts_with("crates/server/src/web/routes");
        if bound { source.naming(&[".route(", ".route_service("]) } else { Vec::new() }
    });
}

#[test]
fn the_walls_between_crates_stand() {
    let manifests = [members("crates"), members("examples"), vec!["bench".to_owned()]].concat();
    for folder in &manifests {
        let found = dependencies(&read(&format!("{folder}/Cargo.toml")));
        let row = WALLS.iter().find(|(name, _)| name == folder);
        let (_, allowed) = row.unwrap_or_else(|| panic!("{folder} has no row in WALLS"));
        let never = NEVER.iter().find(|(name, _)| name == folder).map_or(&[][..], |(_, not)| not);
        for name in &found {
            let ours = name.starts_with("portcullis-") || name == "sample-upstream";
            assert!(!ours || allowed.contains(&name.as_str()), "{folder} must not import {name}");
            assert!(!never.contains(&name.as_str()), "{folder} must not import {name}");
        }
    }
    assert_eq!(manifests.len(), WALLS.len(), "WALLS has rows without a crate");
}

#[test]
fn dependencies_come_from_crates_io() {
    for line in read("Cargo.lock").lines() {
        let (key, value) = line.split_once(" = ").unwrap_or_default();
        let value = value.trim_matches('"');
        match key {
            "source" => {
                assert_eq!(value, "registry+https://github.com/rust-lang/crates.io-index");
            }
            "name" => assert!(!BANNED.contains(&value), "{value} is banned; see deny.toml"),
            _ => {}
        }
    }
}

/// The rules above are only worth something if they can fail.
#[test]
fn the_checks_see_what_they_look_for() {
    let text = "//! A.\n\nfn short() {}\n\n    async fn long(\n        a: u8,\n    ) {\n        a;\n    }\n\
                trait T {\n    fn none(&self);\n}\n";
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(functions(&lines), [(2, 1), (4, 5)]);

    let source = Source { path: "x.rs".to_owned(), text: "a\n// axum\n  axum::b\n".to_owned() };
    assert_eq!(source.naming(&["axum"]), [(3, "names `axum`".to_owned())]);

    let manifest = "[package]\nname = \"a\"\n[dependencies]\nb = \"1\"\nc.workspace = true\n\
                    [dev-dependencies]\nd = { path = \"e\" }\n[lints]\nworkspace = true\n";
    assert_eq!(dependencies(manifest), ["b", "c", "d"]);
}

struct Source {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
}

/// A line number from 1, and what is wrong there.
type Fault = (usize, String);

impl Source {
    /// The lines of code, not of comment, that hold one of the words.
    fn naming(&self, words: &[&str]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (index, line) in self.text.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            if let Some(word) = words.iter().find(|word| !comment && line.contains(**word)) {
                faults.push((index + 1, format!("names `{word}`")));
            }
        }
        faults
    }
}

/// Judges every source file of ours but this one, which has to name what it forbids.
fn check(judge: impl Fn(&Source) -> Vec<Fault>) {
    let mut faults = Vec::new();
    let mut seen = 0;
    for source in sources() {
        seen += 1;
        if source.path.ends_with("tests/it/tidy.rs") {
            continue;
        }
        for (line, fault) in judge(&source) {
            faults.push(format!("{}:{line}: {fault}", source.path));
        }
    }
    assert!(seen > 10, "only {seen} source files found");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in ["crates", "examples", "bench"] {
        collect(&root().join(folder), &mut files);
    }
    files.sort();
    let read = |path: PathBuf| Source {
        path: path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/"),
        text: fs::read_to_string(&path).unwrap(),
    };
    files.into_iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Where functions begin (index of the line) and how many lines they have. Trusts rustfmt: a body
/// ends at the first `}` that stands as far in as its `fn`.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        if !begins_function(line.trim_start()) {
            continue;
        }
        let opening = lines[start..].iter().position(|line| line.ends_with(['{', '}', ';']));
        let Some(opening) = opening.map(|offset| start + offset) else { continue };
        if lines[opening].ends_with(';') {
            continue;
        }
        let close = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let end = if lines[opening].ends_with('}') {
            Some(opening)
        } else {
            lines[opening..].iter().position(|line| *line == close).map(|offset| opening + offset)
        };
        found.extend(end.map(|end| (start, end - start + 1)));
    }
    found
}

fn begins_function(line: &str) -> bool {
    let mut words = line.split(' ').skip_while(|word| {
        word.starts_with("pub") || ["const", "async", "unsafe", "extern", "\"C\""].contains(word)
    });
    words.next() == Some("fn")
}

/// The crates in a folder; the examples in other languages are none.
fn members(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let paths = names.map(|name| format!("{folder}/{name}"));
    paths.filter(|path| root().join(path).join("Cargo.toml").exists()).collect()
}

/// The names under every `[…dependencies]` of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && line.contains('=') && !line.starts_with('#') {
            names.extend(line.split([' ', '.', '=']).next().map(str::to_owned));
        }
    }
    names
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
