//! Keeps the handbook true where that is cheap: the reference of keys, the examples of
//! configuration, the list of reason codes, the chapters. Not a check of its prose.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis_server::config::{self, Config};

#[test]
fn the_configuration_reference_is_the_one_of_this_program() {
    let page = read("docs/src/configuration.md");
    let (head, reference) = page.split_once("\n## ").unwrap();
    let reference = format!("## {reference}");
    if reference != config::reference() {
        let right = Path::new(env!("CARGO_TARGET_TMPDIR")).join("configuration.md");
        fs::write(&right, format!("{head}\n{}", config::reference())).unwrap();
        panic!("docs/src/configuration.md is out of date: copy {} there", right.display());
    }
}

#[test]
fn every_example_of_a_configuration_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("portcullis.toml");
    let mut seen = 0;
    for page in pages() {
        for example in blocks(&read(&page), "toml") {
            fs::write(&file, &example).unwrap();
            let loaded = Config::load(Some(&file), std::iter::empty());
            assert!(loaded.is_ok(), "{page}:\n{}\n{example}", loaded.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen > 4, "only {seen} examples found");
}

#[test]
fn no_page_has_what_a_merge_left_behind() {
    let is_left = |line: &str| {
        ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| line.starts_with(mark)) || line == "======="
    };
    for page in pages() {
        assert!(!read(&page).lines().any(is_left), "{page}");
    }
}

#[test]
fn every_reason_code_is_listed_and_no_other() {
    let listed = listed_codes(&read("docs/src/reason-codes.md"));
    let mut used = BTreeSet::new();
    for file in sources() {
        used.extend(codes(&file));
    }
    let missing: Vec<_> = used.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/src/reason-codes.md lacks {missing:?}");
    let gone: Vec<_> = listed.difference(&used).collect();
    assert!(gone.is_empty(), "docs/src/reason-codes.md lists what nothing says: {gone:?}");
}

#[test]
fn every_event_is_listed_and_no_other() {
    let page = read("docs/src/running.md");
    let table = page.split_once("| name | when |\n").unwrap().1;
    // A row that stands outside the table is not one.
    let listed = listed_codes(table.split_once("\n\n").unwrap().0);
    let written = words_after(&read("crates/domain/src/event/class.rs"), "=> (\"");
    assert!(written.len() > 40, "only {} events found", written.len());
    assert_eq!(listed, written, "docs/src/running.md against event/class.rs");
}

#[test]
fn every_chapter_is_in_the_summary_and_every_link_leads_somewhere() {
    let summary = read("docs/src/SUMMARY.md");
    for entry in fs::read_dir(root().join("docs/src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("]({name})")), "{name}");
    }
    for page in pages() {
        let folder = root().join(&page).parent().unwrap().to_path_buf();
        for target in links(&read(&page)) {
            // Written by `make bench`, which a fresh clone has not run.
            let is_there = folder.join(&target).exists() || target.ends_with("benchmarks.md");
            assert!(is_there, "{page} links to {target}");
        }
    }
}

/// The checks above are only worth something if they see what they look for.
#[test]
fn codes_are_found_however_they_are_written() {
    let source = "Error::SignIn(\"a_b\")\n  return Err(\n    \"c\",\n)\nFault { code: \"d_e\" }\n\
                  pub fn code(self) -> &'static str {\n  Self::X => \"f\",\n    }\n\
                  Self::Y => \"no\",\nErr(\"Not a code.\")\n#[cfg(test)]\nmod tests {\nErr(\"hidden\")\n";
    assert_eq!(codes_in(source), ["a_b", "c", "d_e", "f"].map(str::to_owned).into());
    assert_eq!(blocks("a\n```toml\nx = 1\n```\n```\ny\n```\n", "toml"), ["x = 1\n"]);
    assert_eq!(links("[a](b.md#c) [d](https://e) [f](#g)"), ["b.md"]);
}

/// What stands right before a code where one is returned.
const OPENINGS: [&str; 15] = [
    "SignIn(\"",
    "Malformed(\"",
    "Unusable(\"",
    "Upstream(\"",
    "Conflict(\"",
    "conflict(\"",
    "Other(\"",
    "denied(\"",
    "not_ready(\"",
    "refuse(\"",
    "unreachable(\"",
    "misused(\"",
    "forged(\"",
    "Err(\"",
    "code: \"",
];

fn codes(file: &Path) -> BTreeSet<String> {
    codes_in(&fs::read_to_string(file).unwrap())
}

fn codes_in(text: &str) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let joined = without_space_after_brackets(text);
    let mut found: BTreeSet<String> =
        OPENINGS.iter().flat_map(|opening| words_after(&joined, opening)).collect();
    for body in text.split("fn code(").skip(1) {
        let body = body.split("\n    }\n").next().unwrap_or_default();
        found.extend(words_after(body, "=> \""));
    }
    found
}

fn without_space_after_brackets(text: &str) -> String {
    let mut parts = text.split('(');
    let mut joined = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        joined.push('(');
        joined.push_str(part.trim_start());
    }
    joined
}

fn words_after(text: &str, opening: &str) -> BTreeSet<String> {
    let rests = text.split(opening).skip(1);
    let words = rests.filter_map(|rest| rest.split_once('"')).map(|(word, _)| word);
    words.filter(|word| is_code(word)).map(str::to_owned).collect()
}

fn is_code(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
}

/// The words in the first column of every table.
fn listed_codes(page: &str) -> BTreeSet<String> {
    let first_cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let words = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

/// Where codes are given out: the server, and the parts of the domain that name them.
fn sources() -> Vec<PathBuf> {
    let domain = [
        "csrf/mod.rs",
        "session.rs",
        "rule.rs",
        "password/policy.rs",
        "one_time_link.rs",
        "report/period.rs",
    ];
    let mut files: Vec<_> =
        domain.iter().map(|file| root().join("crates/domain/src").join(file)).collect();
    for folder in ["web", "gate", "cli", "flows", "verify"] {
        collect(&root().join("crates/server/src").join(folder), "rs", &mut files);
    }
    files.retain(|file| !file.ends_with("tests.rs"));
    files
}

/// The handbook and the papers beside the code, as paths from the root.
fn pages() -> Vec<String> {
    let mut files = Vec::new();
    collect(&root().join("docs"), "md", &mut files);
    let name = |file: &PathBuf| file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let papers = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
    files.iter().map(name).chain(papers.map(str::to_owned)).collect()
}

fn collect(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, files);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
}

/// The fenced blocks of a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let rests = page.split(&opening).skip(1);
    rests.filter_map(|rest| rest.split_once("```")).map(|(block, _)| block.to_owned()).collect()
}

/// The targets of links to files of ours, without fragments.
fn links(page: &str) -> Vec<String> {
    let rests = page.split("](").skip(1);
    let targets = rests.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let files = targets.filter_map(|target| target.split('#').next());
    let ours = |target: &&str| !target.is_empty() && !target.contains("://");
    files.filter(ours).map(str::to_owned).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
