//! Names that secrets go by. Not here: where a name and its value stand.

/// Wherever they stand in a name, whatever is between its words.
const PARTS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "private",
    "credential",
    "databaseurl",
    "connectionstring",
    "authoriz",
];
/// As words of their own.
const WORDS: [&str; 15] = [
    "pass",
    "pwd",
    "pw",
    "pin",
    "psk",
    "auth",
    "authentication",
    "dsn",
    "salt",
    "cred",
    "creds",
    "jwt",
    "bearer",
    "cookie",
    "requirepass",
];

/// How tokens begin that somebody gives out.
const PREFIXES: [&str; 26] = [
    "AKIA",
    "ASIA",
    "AIza",
    "SG.",
    "dop_v1_",
    "eyJ",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "hvs.",
    "npm_",
    "pypi-",
    "rk_live_",
    "sk-",
    "sk_live_",
    "sk_test_",
    "whsec_",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
];
/// Shorter ones are words of a language.
const SHORTEST_TOKEN: usize = 20;

/// Whether what goes by a name is a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let words = words(name);
    let joined = words.concat();
    let is_key_of =
        words.len() > 1 && matches!(words.last().map(String::as_str), Some("key" | "keys"));
    is_key_of
        || PARTS.iter().any(|part| joined.contains(part))
        || words.iter().any(|word| WORDS.contains(&word.as_str()))
}

/// Whether a word is a token, by how it begins.
pub(super) fn is_token(word: &str) -> bool {
    word.len() >= SHORTEST_TOKEN && PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

/// The words of a name, in lower case: `dbPassword`, `DB_PASSWORD` and `db-password` have two.
fn words(name: &str) -> Vec<String> {
    let (mut words, mut was_lower) = (vec![String::new()], false);
    for character in name.chars() {
        let begins =
            !character.is_ascii_alphanumeric() || character.is_ascii_uppercase() && was_lower;
        if begins {
            words.push(String::new());
        }
        if character.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(character.to_ascii_lowercase());
        }
        was_lower = character.is_ascii_lowercase() || character.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_in_every_spelling() {
        for name in [
            "password",
            "PASSWORD",
            "db_password",
            "dbPassword",
            "DB-PASSWORD",
            "userPasswd",
            "secret",
            "client_secret",
            "SECRET_KEY_BASE",
            "accessToken",
            "api-key",
            "apiKey",
            "APP_KEY",
            "app.signing.key",
            "DATABASE_URL",
            "SENTRY_DSN",
            "auth",
            "Authorization",
            "smtp_pass",
            "PIN",
            "connectionString",
            "_authToken",
            "x-api-key",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "", "key", "keyboard", "author", "passage", "compass", "host", "url", "pinned", "-",
            "user",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn tokens_by_how_they_begin() {
        for token in
            ["AKIAIOSFODNN7EXAMPLE", "ghp_0123456789abcdefghij", "xoxb-1234567890-abcdefgh"]
        {
            assert!(is_token(token), "{token}");
        }
        for word in ["AKIA", "ghp_short", "0123456789abcdefghijkl", "sk-learn"] {
            assert!(!is_token(word), "{word}");
        }
    }
}
