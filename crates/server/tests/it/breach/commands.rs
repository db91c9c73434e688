//! `breach` as an operator uses it: the real program, without a server, a database or a configuration.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use portcullis_breach::Sha1;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Passwords with how often they were found. One of them is not in its normal form.
const PASSWORDS: [(&str, u64); 5] = [
    ("P@ssw0rd", 3_200),
    ("password", 52_256_179),
    ("correct horse battery staple", 7),
    ("cafe\u{301} au lait", 2),
    ("hunter2", 1),
];

/// A folder with the text file `from`.
struct Place(TempDir);

struct Ran {
    line: String,
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        let mut lines = PASSWORDS.map(|(password, count)| {
            let hash = Sha1::of(password.as_bytes());
            format!("{}{}:{count}\r\n", hash.prefix().digits(), hash.suffix())
        });
        lines.sort();
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.at("from"), lines.concat()).unwrap();
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `portcullis breach` with words apart by spaces, and this at its standard input.
    fn ran(&self, line: &str, input: &str) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .env_clear()
            .current_dir(self.0.path())
            .args(line.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may have ended without reading.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran {
            line: line.to_owned(),
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    fn built(self) -> Self {
        self.ran("breach build --from from --to index --date 2025-11-20", "").ends(0);
        self
    }
}

impl Ran {
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}{}", self.line, self.out, self.err);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}: {}", self.line, self.out))
    }
}

#[test]
fn an_index_is_built_verified_and_described() {
    let place = Place::new();
    let line = "breach build --from from --to index --date 2025-11-20 --json";
    let built = place.ran(line, "").ends(0).json();
    let digest = built["sha256"].as_str().unwrap();
    let head = json!({
        "file": "index", "date": "2025-11-20", "min_count": 1, "entries": 5, "sha256": digest,
    });
    assert_eq!(place.ran("breach verify index --json", "").ends(0).json(), head);
    let stats = place.ran("breach stats index --json", "").ends(0).json();
    let size = fs::metadata(place.at("index")).unwrap().len();
    assert_eq!(stats["bytes"], json!(size));
    assert_eq!(stats["largest_range"], json!(1));
    let at_least = |count: u64| {
        let rows = stats["counts"].as_array().unwrap().iter();
        let row = rows.clone().find(|row| row["found_at_least"] == count);
        row.unwrap_or_else(|| panic!("{stats}"))["entries"].clone()
    };
    assert_eq!([1, 2, 3, 5, 10].map(at_least), [5, 4, 3, 3, 2].map(|count| json!(count)));

    let built = place.ran("breach build --from from --to small --min-count 3", "").ends(0);
    assert!(built.out.contains("3 passwords of "), "{}", built.out);
    assert!(built.out.contains("each found at least 3 times"), "{}", built.out);
    assert!(built.err.contains("the source is not whole"), "{}", built.err);
    let stats = place.ran("breach stats small", "").ends(0);
    assert!(stats.out.contains("PASSWORDS"), "{}", stats.out);
}

#[test]
fn a_password_is_looked_up_and_nowhere_repeated() {
    let place = Place::new().built();
    let check = |password: &str, code: i32, count: u64, sentence: &str| {
        let input = format!("{password}\n");
        let ran = place.ran("breach lookup index --json", &input).ends(code);
        let expected = json!({
            "breached": code == 1, "count": count, "source": "offline", "date": "2025-11-20",
        });
        assert_eq!(ran.json(), expected, "{password}");
        let told = place.ran("breach lookup index", &input).ends(code);
        assert!(told.out.ends_with(sentence), "{}", told.out);
        for said in [ran.out, ran.err, told.out, told.err] {
            assert!(!said.contains(password), "{said}");
        }
    };
    check("P@ssw0rd", 1, 3_072, "2025-11-20; it was found 3,072 times or more.\n");
    check("hunter2", 1, 1, "it was found once.\n");
    check("correct horse battery staple", 1, 7, "7 times or more.\n");
    // As it was breached, and as people type it.
    check("cafe\u{301} au lait", 1, 2, "2 times or more.\n");
    check("caf\u{e9} au lait", 0, 0, "is not among those of 2025-11-20.\n");
    check("p@ssw0rd", 0, 0, "is not among those of 2025-11-20.\n");
    place.ran("breach lookup index", "").ends(2);
    place.ran("breach lookup index P@ssw0rd", "").ends(2);
}

#[test]
fn a_signature_stands_against_whoever_means_to_deceive() {
    let place = Place::new();
    for name in ["ours", "other"] {
        place.ran(&format!("integrity manifest key {name} --to {name}"), "").ends(0);
    }
    place.ran("breach build --from from --to index --key ours", "").ends(0);
    let told = place.ran("breach verify index --key ours.pub", "").ends(0);
    assert!(told.out.ends_with("signed by ours. Every byte is right.\n"), "{}", told.out);
    place.ran("breach verify index", "").ends(0);
    let told = place.ran("breach verify index --key other.pub", "").ends(4);
    assert!(told.err.contains("index is not signed by the key other+"), "{}", told.err);
    place.ran("breach verify index --key nothing", "").ends(2);
    place.ran("breach build --from from --to index --key ours.pub", "").ends(2);

    // A password is taken out, and all is made to fit but the signature.
    let lines = fs::read_to_string(place.at("from")).unwrap();
    fs::write(place.at("less"), lines.split_inclusive('\n').skip(1).collect::<String>()).unwrap();
    place.ran("breach build --from less --to unsigned", "").ends(0);
    place.ran("breach verify unsigned", "").ends(0);
    place.ran("breach verify unsigned --key ours.pub", "").ends(4);
    let (signed, mut spoilt) =
        (fs::read(place.at("index")).unwrap(), fs::read(place.at("unsigned")).unwrap());
    spoilt[..4096].copy_from_slice(&signed[..4096]);
    fs::write(place.at("spoilt"), spoilt).unwrap();
    place.ran("breach verify spoilt --key ours.pub", "").ends(1);
    let mut spoilt = signed;
    spoilt[5_000] ^= 1;
    fs::write(place.at("spoilt"), spoilt).unwrap();
    place.ran("breach verify spoilt --key ours.pub", "").ends(4);
    place.ran("breach verify spoilt", "").ends(1);
}

#[test]
fn what_cannot_be_used_is_refused_with_a_sentence() {
    let place = Place::new().built();
    let check = |line: &str, code: i32, sentence: &str| {
        let ran = place.ran(line, "password\n").ends(code);
        assert!(ran.err.contains(sentence), "{line}: {}", ran.err);
    };
    fs::write(place.at("foreign"), "password\n").unwrap();
    let mut bytes = fs::read(place.at("index")).unwrap();
    bytes.pop();
    fs::write(place.at("short"), bytes).unwrap();
    for command in ["verify", "lookup", "stats"] {
        check(&format!("breach {command} missing"), 3, "missing cannot be read");
        check(&format!("breach {command} foreign"), 1, "foreign is no index");
        check(&format!("breach {command} short"), 1, "short is not whole");
    }
    check("breach build --from missing --to new", 3, "missing: the source cannot be read");
    check("breach build --from from --to no/new", 3, "no/new: the index cannot be written");
    check("breach build --from foreign --to new", 1, "foreign: line 1 is not a hash");
    check("breach build --from from --to new --min-count 0", 2, "--min-count");
    check("breach build --from from --to new --min-count 60000000", 1, "no password in it");
    check("breach build --from from --to new --date 2025-13-01", 2, "--date");
    assert!(!place.at("new").exists());
}
