//! Whether a text that is given as a password is the hash of one, of whatever scheme: set as a password, the
//! hash would let in whoever has stolen it. Not here: which hashes are taken (`parse`).

/// What names of schemes begin with, before the first `$` or `:`; no letter follows.
const SCHEMES: [&str; 14] = [
    "argon2", "argon2d", "argon2i", "argon2id", "bcrypt", "crypt", "md5", "pbkdf2", "scrypt",
    "sha1", "sha2", "sha3", "sha5", "unsalted",
];
/// What some put before the digits of a digest.
const BEFORE_DIGITS: [&str; 5] = ["", "0x", "\\x", "*", "md5"];
/// How many hexadecimal digits a digest has: of MD5, of SHA-1, and of the others of its family.
const DIGITS: [usize; 6] = [32, 40, 56, 64, 96, 128];

/// Whether a text looks like the hash of a password. With white space inside it does not.
pub fn looks_like_hash(text: &str) -> bool {
    let text = text.trim();
    let is_one_word = !text.contains(char::is_whitespace);
    is_one_word
        && (is_marked(text, '$', '$')
            || is_marked(text, '{', '}')
            || is_named(text)
            || is_digest(text))
}

/// A name between two marks and something after it: `$2b$…`, `{SSHA}…`.
fn is_marked(text: &str, open: char, close: char) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let parts = text.strip_prefix(open).and_then(|rest| rest.split_once(close));
    parts.is_some_and(|(name, rest)| {
        !name.is_empty() && name.bytes().all(of_name) && !rest.is_empty()
    })
}

/// The name of a scheme and its fields: `pbkdf2_sha256$…`, `scrypt:32768:8:1$…`.
fn is_named(text: &str) -> bool {
    let fields = text.split_once(['$', ':']);
    fields.is_some_and(|(name, _)| {
        let name = name.to_ascii_lowercase();
        let rests = SCHEMES.iter().filter_map(|scheme| name.strip_prefix(scheme));
        rests.into_iter().any(|rest| !rest.starts_with(char::is_alphabetic))
    })
}

/// The digits of a digest, alone or before a salt.
fn is_digest(text: &str) -> bool {
    let first = text.split_once(':').map_or(text, |(first, _)| first);
    let is_digits = |text: &str| {
        DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    BEFORE_DIGITS.iter().filter_map(|before| first.strip_prefix(before)).any(is_digits)
}

#[cfg(test)]
mod tests {
    use super::super::tests::VECTORS;
    use super::*;

    #[test]
    fn a_hash_is_told_from_a_password() {
        let check = |text: &str, expected: bool| {
            assert_eq!(looks_like_hash(text), expected, "{text:?}");
        };
        for vector in VECTORS {
            check(vector, true);
        }
        for hash in [
            " $2b$12$R9h/cIPz0gi.URNNX3kh2OPST9 ",
            "$6$rounds=5000$salt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2",
            "$P$B55D6LjfHDkINU5wF.v2BuuzO0/XPk/",
            "$apr1$salt$xxj8z1gLr8e5IbH6hQZ1y0",
            "argon2$argon2id$v=19$m",
            "pbkdf2_sha512$1000$x$y",
            "pbkdf2:sha256:600000$salt$00ff",
            "scrypt:32768:8:1$salt$00ff",
            "PBKDF2$sha256$600000$salt$00ff",
            "md5$salt$00ff",
            "crypt$$ab1234567890",
            "{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3",
            "{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "5F4DCC3B5AA765D61D8327DEB882CF99:salt",
            "md55f4dcc3b5aa765d61d8327deb882cf99",
            "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
            "0x5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
            &"0f".repeat(32),
        ] {
            check(hash, true);
        }
        for password in [
            "",
            "$",
            "$$$",
            "a quiet harbour",
            "$2b$12 are two bees",
            "$ave 20$ every week",
            "{braces} of somebody",
            "five$dollars$left",
            "argon2 is a hash",
            "cryptonomicon:1999",
            "my-pbkdf2_sha256$",
            "5f4dcc3b5aa765d61d8327deb882cf9",
            "5f4dcc3b5aa765d61d8327deb882cf9z",
            "https://example.com:8080/",
        ] {
            check(password, false);
        }
    }
}
