//! Whether a password follows from its first characters: one piece over and over, or runs along the alphabet,
//! the digits or the rows of a keyboard. Long ones of this kind are on few lists and among the first guesses.

use crate::text::fold;

/// The longest piece that makes nothing by being repeated.
const LONGEST_PIECE: usize = 4;
/// The shortest run that counts as one.
const SHORTEST_RUN: usize = 4;

/// What people run along, in either direction. After the last character of a line comes the first of it.
const LINES: [&str; 6] = [
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "1234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
];

/// Whether the password follows from its first characters.
pub(super) fn is_predictable(password: &str) -> bool {
    let piece = piece(password);
    let repeats = piece.len() < password.len() && piece.chars().count() <= LONGEST_PIECE;
    repeats || is_made_of_runs(&fold(piece.trim()))
}

/// The shortest piece that makes the text by being repeated; all of it, if none does.
pub fn piece(text: &str) -> &str {
    let ends = text.char_indices().map(|(at, first)| at + first.len_utf8());
    let pieces = ends.filter_map(|end| text.get(..end));
    let makes_all = |piece: &&str| {
        text.len().is_multiple_of(piece.len())
            && text.as_bytes().chunks(piece.len()).all(|part| part == piece.as_bytes())
    };
    pieces.filter(|piece| piece.len() <= text.len() / 2).find(makes_all).unwrap_or(text)
}

/// Whether runs stand one behind the other until the end. Of two that begin at the same place the longer one
/// counts.
fn is_made_of_runs(text: &str) -> bool {
    let mut rest: Vec<char> = text.chars().collect();
    while !rest.is_empty() {
        let longest = LINES.iter().map(|line| run(&rest, line)).max().unwrap_or_default();
        if longest < SHORTEST_RUN {
            return false;
        }
        rest.drain(..longest);
    }
    !text.is_empty()
}

/// How many characters of a text run along a line.
fn run(text: &[char], line: &str) -> usize {
    let backwards: String = line.chars().rev().collect();
    [line, &backwards].into_iter().map(|line| run_forwards(text, line)).max().unwrap_or_default()
}

fn run_forwards(text: &[char], line: &str) -> usize {
    let Some(first) = text.first().and_then(|first| line.find(*first)) else { return 0 };
    let along = line.chars().cycle().skip(first);
    along.zip(text).take_while(|(expected, found)| expected == *found).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_its_beginning_is_predictable() {
        let check = |password: &str, expected: bool| {
            assert_eq!(is_predictable(password), expected, "{password:?}");
        };
        for predictable in [
            "               ",
            "aaaaaaaaaaaaaaa",
            "🔑🔑🔑🔑🔑🔑🔑🔑",
            "abcabcabcabcabc",
            "123412341234123412341234",
            "abcdefghijklmnop",
            "ponmlkjihgfedcba",
            "1234567890123456",
            "9876543210987654",
            "QwertyUiopAsdfgh",
            "qwertyqwertyqwerty",
            "abcdefgh12345678",
            "1qaz2wsx3edc4rfv",
            "wxyzabcdefghijkl",
        ] {
            check(predictable, true);
        }
        for other in [
            "",
            "a",
            "abc",
            "fifteen chars!!",
            "a quiet harbour",
            "abcdefghijklmno!",
            "correct horse correct horse ",
            "2026-11-28 12:00",
        ] {
            check(other, false);
        }
    }

    #[test]
    fn the_piece_is_the_shortest_that_makes_all() {
        let check = |text: &str, expected: &str| assert_eq!(piece(text), expected, "{text:?}");
        check("", "");
        check("a", "a");
        check("aaaa", "a");
        check("abab", "ab");
        check("ababa", "ababa");
        check("passwordpassword", "password");
        check("ää", "ä");
        check("aab", "aab");
    }
}
