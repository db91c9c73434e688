//! Patterns of LIKE that find a text itself. The statement says `ESCAPE '!'`.

/// The text, with `!` before what would mean something in a pattern.
pub(crate) fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    for letter in text.chars() {
        if matches!(letter, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_for_itself() {
        let check = |text: &str, expected: &str| assert_eq!(literal(text), expected);
        check("", "");
        check("Ada", "Ada");
        check("100%_!", "100!%!_!!");
        check("é\\", "é\\");
    }
}
