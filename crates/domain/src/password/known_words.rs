//! Whether a password is made of nothing but words that everybody knows who knows the person or the
//! service: whole, over and over, one behind the other, with digits and marks around and between them, and
//! with the usual digits in place of letters. A password that has one more word of its own is not.

use crate::text::fold;

/// A shorter word counts only where it is all of the password: there are too many that begin with "al".
const SHORTEST_PART: usize = 3;

/// Whether the password is made of these words and nothing else.
pub(super) fn is_made_of(password: &str, words: &[&str]) -> bool {
    spellings(password).iter().any(|spelling| {
        let words = words.iter().flat_map(|word| spellings(word));
        let words: Vec<Vec<char>> = words.filter(|word| !word.is_empty()).collect();
        !spelling.is_empty() && (words.contains(spelling) || is_row_of(spelling, &words))
    })
}

/// Whether words stand one behind the other until the end.
fn is_row_of(text: &[char], words: &[Vec<char>]) -> bool {
    let words = || words.iter().filter(|word| word.len() >= SHORTEST_PART);
    let mut is_reached = vec![false; text.len() + 1];
    if let Some(start) = is_reached.first_mut() {
        *start = true;
    }
    for at in 0..text.len() {
        if !is_reached.get(at).is_some_and(|is_reached| *is_reached) {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        for word in words().filter(|word| rest.starts_with(word)) {
            if let Some(end) = is_reached.get_mut(at + word.len()) {
                *end = true;
            }
        }
    }
    is_reached.last().is_some_and(|is_reached| *is_reached)
}

/// The letters of a text alone, and its letters with those that digits and marks stand for.
fn spellings(text: &str) -> [Vec<char>; 2] {
    let folded = fold(text);
    let letters = folded.chars().filter(|letter| letter.is_alphabetic());
    let meant = folded.trim_end_matches(|last: char| !last.is_alphabetic()).chars().map(letter_of);
    [letters.collect(), meant.filter(|letter| letter.is_alphabetic()).collect()]
}

/// The letter that a digit or a mark is put for.
fn letter_of(shape: char) -> char {
    match shape {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' | '€' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        '8' => 'b',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_everybody_knows_make_no_secret() {
        let words =
            ["ada.lovelace@example.com", "ada.lovelace", "Ada", "Lovelace", "", "Portcullis"];
        let check = |password: &str, expected: bool| {
            assert_eq!(is_made_of(password, &words), expected, "{password:?}");
        };
        for made in [
            "Ada.Lovelace@Example.com",
            " ada lovelace ",
            "AdaLovelace!2026!!",
            "2026-lovelace-ada",
            "portcullisportcullis",
            "P0rtcull1s",
            "P0rtcull1s-2026",
            "adaportcullis",
        ] {
            check(made, true);
        }
        for other in [
            "ada lovelace, of London",
            "my portcullis is shut",
            "portculli",
            "portcullises",
            "a quiet harbour",
            "123456789012345",
            "!!!!!!!!",
            "",
        ] {
            check(other, false);
        }
    }

    #[test]
    fn a_short_name_counts_only_as_the_whole() {
        let check = |password: &str, expected: bool| {
            assert_eq!(is_made_of(password, &["Al", "李"]), expected, "{password:?}");
        };
        check("al", true);
        check("Al-1234567890123", true);
        check("李", true);
        check("alalalalalalalal", false);
        check("Alba", false);
    }
}
