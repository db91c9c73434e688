//! Files that hold secrets, by what they are called. Not here: secrets in other files.

/// How their names end.
const ENDINGS: [&str; 21] = [
    ".env",
    ".pem",
    ".key",
    ".p8",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".kdbx",
    ".gpg",
    ".ppk",
    ".sqlite",
    ".sqlite3",
    ".db",
    ".db3",
    "-wal",
    "-shm",
    "-journal",
    ".dump",
    ".rdb",
    ".ovpn",
];
/// How their names begin.
const BEGINNINGS: [&str; 8] =
    [".env", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "wp-config", "secrets.", "credentials."];
const NAMES: [&str; 10] = [
    ".htpasswd",
    ".pgpass",
    ".my.cnf",
    ".netrc",
    ".npmrc",
    ".pypirc",
    "shadow",
    "shadow-",
    "secrets",
    "credentials",
];
/// The folder of our own secrets.
const OWN: &str = "portcullis-data";

/// Whether nothing of a file is shown, and no copy of it is to be kept. Small and capital letters are one.
pub fn is_secret(path: &[u8]) -> bool {
    let path = path.to_ascii_lowercase();
    let mut names = path.split(|byte| *byte == b'/');
    let name = names.next_back().unwrap_or_default();
    ENDINGS.iter().any(|ending| name.ends_with(ending.as_bytes()))
        || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning.as_bytes()))
        // What keys are called that somebody made himself; `id_card.js` is none.
        || name.starts_with(b"id_") && !name.contains(&b'.')
        || NAMES.iter().any(|one| name == one.as_bytes())
        || names.any(|folder| folder == OWN.as_bytes())
}
