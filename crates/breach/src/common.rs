//! The list of common passwords that is built in: what guesses begin with. Every one is in lower case; a
//! password is on it in any case, because the case is what guesses vary first.

use std::sync::{LazyLock, OnceLock};

use crate::{Prefix, Sha1};

/// One a line, the most common first; where it is from stands beside it.
const LIST: &str = include_str!("../data/common-passwords.txt");

/// The day of the list.
pub const DATE: &str = "2026-07-17";

/// The list, ready to be asked. It gets ready at the first question, in some milliseconds.
#[derive(Default)]
pub struct Common(OnceLock<Vec<Sha1>>);

impl Common {
    /// Whether a password is on the list, in any case.
    pub fn contains(&self, password: &str) -> bool {
        let hash = Sha1::of(password.to_lowercase().as_bytes());
        self.hashes().binary_search(&hash).is_ok()
    }

    /// Those that have a prefix, in lower case and with a capital.
    pub fn below(&self, prefix: Prefix) -> &[Sha1] {
        let hashes = self.hashes();
        let from = hashes.partition_point(|hash| hash.prefix() < prefix);
        let to = hashes.partition_point(|hash| hash.prefix() <= prefix);
        hashes.get(from..to).unwrap_or_default()
    }

    /// All of it, the most common first.
    pub fn passwords() -> impl Iterator<Item = &'static str> {
        LIST.lines()
    }

    /// How many there are.
    pub fn count() -> u64 {
        static COUNT: LazyLock<u64> =
            LazyLock::new(|| Common::passwords().fold(0, |count, _| count + 1));
        *COUNT
    }

    fn hashes(&self) -> &[Sha1] {
        self.0.get_or_init(|| {
            let mut hashes: Vec<Sha1> = Self::passwords()
                .flat_map(|password| [Some(password.to_owned()), capitalised(password)])
                .flatten()
                .map(|password| Sha1::of(password.as_bytes()))
                .collect();
            hashes.sort_unstable();
            hashes
        })
    }
}

/// With a capital as its first letter; None where it begins with no letter.
fn capitalised(password: &str) -> Option<String> {
    let first = password.chars().next().filter(|first| first.is_lowercase())?;
    let rest = password.get(first.len_utf8()..)?;
    Some(first.to_uppercase().chain(rest.chars()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_passwords_are_known_in_any_case() {
        let common = Common::default();
        for password in Common::passwords() {
            assert!(common.contains(password), "{password}");
            assert_eq!(password, password.to_lowercase());
        }
        let check = |password: &str, is_common: bool| {
            assert_eq!(common.contains(password), is_common, "{password}");
        };
        check("P@ssw0rd", true);
        check("PASSWORD", true);
        check("qwertyuiop", true);
        check("", false);
        check(" password", false);
        check("a quiet harbour at dusk", false);
    }

    /// ASVS 5.0.0, 6.2.4: at least 3,000 that a policy would otherwise let in.
    #[test]
    fn the_list_is_long_enough_to_matter() {
        assert!(
            Common::passwords().filter(|password| password.chars().count() >= 8).count() > 17_000
        );
    }

    #[test]
    fn a_prefix_tells_those_that_have_it() {
        let common = Common::default();
        let hash = Sha1::of(b"P@ssw0rd");
        assert!(common.below(hash.prefix()).contains(&hash));
        let all: usize = (0..Prefix::COUNT)
            .filter_map(Prefix::at)
            .map(|prefix| common.below(prefix).len())
            .sum();
        assert_eq!(all, common.hashes().len());
    }
}
