//! What differs between two contents, as text: its form, its limits, what there is no text for.
#![expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]

use std::ops::Range;
use std::time::{Duration, Instant};

use portcullis_integrity::diff::{
    Binary, Diff, Limits, MaskKey, NoDiff, Note, diff, is_secret, is_truncated,
};

/// So long it is looked for what is alike.
const LONGEST: Duration = Duration::from_secs(1);
/// So long all of it may take, on a busy machine and without optimisation; what grows with the square of
/// its input takes minutes.
const BOUND: Duration = Duration::from_secs(20);

fn limits() -> Limits {
    Limits { max_bytes: 8 << 20, deadline: Instant::now() + LONGEST }
}

fn compare(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Result<Diff, NoDiff> {
    diff(path.as_bytes(), before, after, limits(), &MaskKey::new(&[7; 32]))
}

fn check(before: Option<&str>, after: Option<&str>, text: &str, counts: (u64, u64)) {
    let found = compare("a/b.txt", before.map(str::as_bytes), after.map(str::as_bytes)).unwrap();
    assert_eq!(found.text, text);
    assert_eq!((found.added, found.removed, found.truncated), (counts.0, counts.1, false));
}

#[test]
fn the_form_is_the_unified_one() {
    let lines = |range| numbered("", range);
    check(
        Some(&lines(1..21)),
        Some(&lines(1..21).replace("10\n", "ten\n")),
        "--- a/a/b.txt\n+++ b/a/b.txt\n@@ -7,7 +7,7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n",
        (1, 1),
    );
    check(
        Some(&lines(1..21)),
        Some(&lines(2..20)),
        "--- a/a/b.txt\n+++ b/a/b.txt\n@@ -1,4 +1,3 @@\n-1\n 2\n 3\n 4\n@@ -17,4 +16,3 @@\n 17\n 18\n 19\n-20\n",
        (0, 2),
    );
    check(None, Some("a\nb\n"), "--- /dev/null\n+++ b/a/b.txt\n@@ -0,0 +1,2 @@\n+a\n+b\n", (2, 0));
    check(Some("a\n"), None, "--- a/a/b.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", (0, 1));
    let unended =
        "--- a/a/b.txt\n+++ b/a/b.txt\n@@ -1 +1 @@\n-a b\n+ab\n\\ No newline at end of file\n";
    check(Some("a b\n"), Some("ab"), &format!("{unended}[nothing but whitespace]\n"), (1, 1));
    check(Some("a\n"), Some("a\n"), "--- a/a/b.txt\n+++ b/a/b.txt\n", (0, 0));
    check(None, Some(""), "--- /dev/null\n+++ b/a/b.txt\n", (0, 0));
}

#[test]
fn what_cannot_be_seen_is_shown() {
    let check = |line: &str, shown: &str| {
        let found = compare("a", None, Some(line.as_bytes())).unwrap();
        let line = found.text.lines().nth(3).unwrap();
        assert_eq!(line, format!("+{shown}"));
    };
    check("a\tb \u{e9}\u{65e5}\\n", "a\tb \u{e9}\u{65e5}\\n");
    check("a\r", "a\\r");
    check("a\r\n", "a\\r");
    check("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}");
    check("if \u{202e}x\u{2066}", "if \\u{202e}x\\u{2066}");
    check("a\u{200b}b\u{feff}c\u{85}", "a\\u{200b}b\\u{feff}c\\u{85}");
    // What draws nothing, or whatever a font has for it.
    check("a\u{fe0f}b\u{fe00}c\u{e0100}d\u{e01ef}", "a\\u{fe0f}b\\u{fe00}c\\u{e0100}d\\u{e01ef}");
    check("\u{34f}\u{17b4}\u{17b5}\u{180b}", "\\u{34f}\\u{17b4}\\u{17b5}\\u{180b}");
    check("\u{180f}\u{2800}\u{1d173}", "\\u{180f}\\u{2800}\\u{1d173}");
    check("\u{e000}\u{f8ff}\u{f0000}\u{10fffd}", "\\u{e000}\\u{f8ff}\\u{f0000}\\u{10fffd}");
    check("\u{17b3}\u{180a}\u{2801}\u{fdff}\u{1f642}", "\u{17b3}\u{180a}\u{2801}\u{fdff}\u{1f642}");
    let path = compare("a\n+++ b/\u{202e}c", None, Some(b"x")).unwrap().text;
    assert!(path.starts_with("--- /dev/null\n+++ b/a\\u{a}+++ b/\\u{202e}c\n@@"), "{path}");
}

#[test]
fn notes_say_what_all_of_it_comes_to() {
    let check = |before: &str, after: &str, note: Option<Note>| {
        let found = compare("a", Some(before.as_bytes()), Some(after.as_bytes())).unwrap();
        assert_eq!(found.note, note, "{before:?} {after:?}");
        let said = match note {
            Some(Note::OnlyLineEnds) => Some("[nothing but how lines end]"),
            Some(Note::OnlyWhitespace) => Some("[nothing but whitespace]"),
            None => None,
        };
        let last = found.text.lines().next_back().filter(|line| line.starts_with('['));
        assert_eq!(last, said, "{before:?} {after:?}");
        assert!(!is_truncated(&found.text));
    };
    check("a\nb\n", "a\r\nb\r\n", Some(Note::OnlyLineEnds));
    check("a\nb\n", "a\nb", Some(Note::OnlyLineEnds));
    check("a b\n", "a  b\n", Some(Note::OnlyWhitespace));
    check("a\n", "\ta\n\n", Some(Note::OnlyWhitespace));
    check("a\n", "a b\n", None);
    check("a\n", "a\n", None);
    assert_eq!(compare("a", None, Some(b" ")).unwrap().note, None);
}

/// What is not shown is counted in the last line, which no content can look like.
#[test]
fn what_was_cut_off_says_so() {
    let check = |before: &str, after: &str, last: &str, is_cut: bool| {
        let found = compare("a", Some(before.as_bytes()), Some(after.as_bytes())).unwrap();
        assert_eq!(found.text.lines().next_back().unwrap(), last);
        assert_eq!((found.truncated, is_truncated(&found.text)), (is_cut, is_cut), "{last}");
    };
    let lines = |count: u32| numbered("a", 0..count);
    check("", &lines(5000), "+a4999", false);
    check("", &lines(5001), "[1 more line]", true);
    check("", &format!("{}evil()\n", lines(20_000)), "[15001 more lines]", true);
    check(&lines(3000), &lines(3000).replace('a', "b"), "[1000 more lines]", true);
    check("", "[7 more lines]\n", "+[7 more lines]", false);
    check("[7 more lines]\na\n", "[7 more lines]\nb\n", "+b", false);
    check("a\n[7 more lines]\n", "b\n[7 more lines]\n", " [7 more lines]", false);
    let long = "x".repeat(2000);
    check("", &format!("{long}\n"), &format!("+{long}"), false);
    check("", &format!("{long}evil()\n"), "[1 line is cut off]", true);
    // Bytes are bounded too; a line that does not fit is one of those that are not shown.
    check("", &format!("{long}\n").repeat(600), "[76 more lines]", true);
}

#[test]
fn there_is_no_text_for_some() {
    let check = |before: &[u8], after: &[u8], no: NoDiff, word: &str| {
        assert_eq!(compare("a", Some(before), Some(after)).unwrap_err(), no);
        assert_eq!(no.as_str(), word);
    };
    let binary = |size_before, size_after, first_difference| {
        NoDiff::Binary(Binary {
            size_before: Some(size_before),
            size_after: Some(size_after),
            first_difference,
        })
    };
    check(b"a\0b", b"a\0cd", binary(3, 4, 2), "binary");
    check(b"text", b"te\0t", binary(4, 4, 2), "binary");
    check(b"\xff\x01", b"", binary(2, 0, 0), "binary");
    check(b"caf\xe9\n", b"cafe\n", NoDiff::Encoding, "encoding");
    check(b"\xff\xfea\0", b"\xff\xfeb\0", NoDiff::Encoding, "encoding");
    check(&vec![b'a'; (8 << 20) + 1], b"a", NoDiff::TooLarge, "too_large");
    assert!(compare("a", Some(&vec![b'a'; 8 << 20]), Some(b"a")).is_ok());
    let added = compare("a", None, Some(b"\0")).unwrap_err();
    let there = Binary { size_before: None, size_after: Some(1), first_difference: 0 };
    assert_eq!(added, NoDiff::Binary(there));
}

#[test]
fn files_of_secrets_are_counted_and_not_shown() {
    for path in [
        ".env",
        "a/.env.local",
        "b/prod.env",
        "tls/site.pem",
        "x.KEY",
        ".ssh/id_rsa",
        "id_rsa.old",
        "id_work",
        "a.p12",
        "wp-config.php",
        "secrets.yml",
        "db.sqlite3",
        "db.sqlite3-wal",
        "app.db",
        ".htpasswd",
        "a.kdbx",
        "a.jks",
        "a.keystore",
        "portcullis-data/x",
    ] {
        let no = compare(path, Some(b"a=1\nb=2\n"), Some(b"a=1\nb=3\nc=4\n")).unwrap_err();
        assert_eq!(no, NoDiff::Secret { added: 2, removed: 1 }, "{path}");
        assert_eq!(no.as_str(), "nodiff");
    }
    for path in
        ["env", "environment.ts", "a.php", "keys.md", "secret.txt", "identity.rs", "id_card.js"]
    {
        assert!(!is_secret(path.as_bytes()), "{path}");
    }
}

fn numbered(word: &str, range: Range<u32>) -> String {
    range.flat_map(|number| [word.to_owned(), number.to_string(), "\n".to_owned()]).collect()
}

/// Bytes that look like chance and are the same each time.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
}

fn text_of(bytes: impl Iterator<Item = u8>, length: usize, letters: &[u8]) -> Vec<u8> {
    bytes.take(length).map(|byte| letters[usize::from(byte) % letters.len()]).collect()
}

#[test]
fn no_content_takes_long() {
    const MIB: usize = 1 << 20;
    let ends = |what: &str, before: &[u8], after: &[u8]| {
        let began = Instant::now();
        let found = compare("settings", Some(before), Some(after));
        let took = began.elapsed();
        assert!(took < BOUND, "{what}: {took:?}");
        found
    };
    let random = |seed| noise(seed).take(MIB).collect::<Vec<_>>();
    let binary = ends("random bytes", &random(1), &random(2)).unwrap_err();
    assert_eq!(binary.as_str(), "binary");

    let line = ends("one line", &vec![b'a'; MIB], &vec![b'b'; MIB]).unwrap();
    assert!(line.text.contains("[1046576 more characters]") && line.text.len() < 5_000);

    let many = |word| numbered(word, 0..100_000);
    let lines = ends("many lines", many("a").as_bytes(), many("b").as_bytes()).unwrap();
    assert_eq!((lines.added, lines.removed, lines.truncated), (100_000, 100_000, true));
    assert!(lines.text.len() < 2 * MIB);

    // Few lines, over and over: the worst there is for who looks for what is alike.
    let few = |seed| text_of(noise(seed), MIB, b"a\nb\nc\n");
    assert!(ends("few lines", &few(3), &few(4)).unwrap().truncated);

    for letters in
        [&b"token "[..], b"token=", b"<token", b"'token", b"://a:", b"-----BEGIN ", b"tokn=\"[("]
    {
        let repeated = letters.iter().copied().cycle().take(MIB / 4).collect::<Vec<_>>();
        let mixed = text_of(noise(5), MIB / 4, letters);
        for path in ["a.js", "a.sh", "a.yml", "a.md", "a"] {
            let began = Instant::now();
            assert!(compare(path, Some(&repeated), Some(&mixed)).is_ok());
            let (took, letters) = (began.elapsed(), String::from_utf8_lossy(letters));
            assert!(took < BOUND, "{path} {letters}: {took:?}");
        }
    }
}
