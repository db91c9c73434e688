//! Foreign hashes against those that their own makers made.
//!
//! The vectors come from Python 3.11 with bcrypt 5.0.0, Django 5.2.19, passlib 1.7.4, argon2-cffi
//! 25.1.0 and `hashlib`, with cheap costs and fixed salts (`seasalt`, `somesalt`, …).

use super::*;
use crate::password::{Verdict, verify};

const TARGET: Params = Params { memory_kib: 64, iterations: 1, parallelism: 1 };
/// With one letter in its composed form, and apart, as some keyboards send it.
const COMPOSED: &str = "caf\u{e9} au lait";
const APART: &str = "cafe\u{301} au lait";

/// Made for [`COMPOSED`].
pub(super) const VECTORS: [&str; 20] = [
    "$2a$04$abcdefghijklmnopqrstuumeEFg6zY3F9UMkjHzpfyE4WkVj6Z2cW",
    "$2b$04$abcdefghijklmnopqrstuumeEFg6zY3F9UMkjHzpfyE4WkVj6Z2cW",
    "$2y$04$abcdefghijklmnopqrstuumeEFg6zY3F9UMkjHzpfyE4WkVj6Z2cW",
    "bcrypt$$2b$04$abcdefghijklmnopqrstuumeEFg6zY3F9UMkjHzpfyE4WkVj6Z2cW",
    "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuLZVH4/qzLAADAq5Ie7ltOY/PsS1bUVa",
    "pbkdf2_sha256$1000$seasalt$w7zErs0MNnGIcVebgPuLn1QQSgzd9SCTYdRCFkEcd0w=",
    "pbkdf2_sha1$1000$seasalt$T7ttvTRPRrlegYD8jB9Xw3eV/WM=",
    "$pbkdf2$1000$c29tZfv/c2FsdA$ZjZoYkcoXzDHKad4MorqoA.mK8I",
    "$pbkdf2-sha256$1000$c29tZfv/c2FsdA$BETp.5F9viIDhFWHE7Eu7V7bS2gF5xQsWZsBsyCrpco",
    "$pbkdf2-sha256$i=1000,l=32$c29tZXNhbHRzb21lc2FsdA$GND42YRhCdD1LPGLiuKAGVHZMSRKX8oZ7uXlZpDNG4s",
    "$pbkdf2-sha512$1000$c29tZfv/c2FsdA$KX0vRkMmgpvmhkUGomDUaGbln7OM89ns4yrtVG3R3j9gp73c2YCCExRF3aqoXhRaAjbx7HEfxthLYY9dnz36jQ",
    "scrypt$1024$seasalt$8$2$lJGQaUR3bJoAT1WNRuHNiocmGsSJHDhWklob0do9vlv3UNL9NLb5d+LPxFqSvglQ54G1KA8slG05ryUC84Z/ig==",
    "$scrypt$ln=10,r=8,p=1$c29tZXNhbHQ$cY/7/fu+LwiT33fY5LhV948Nns1Dw8fiAJrrs7VLtbc",
    "argon2$argon2id$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$yzRES9k1guVAk21EDBFGa6bzFdT0RJaA18LDNPvmqnY",
    "$argon2id$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$yzRES9k1guVAk21EDBFGa6bzFdT0RJaA18LDNPvmqnY",
    "$argon2id$v=16$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$IwPEr8teiMS/+xyOgyFINpNvp3GHzQR1NN+jGfHff6o",
    "$argon2i$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$8lUcLxWLCi3ZTORIvt4xybvKyV8w0LrWheFzV1U3/Fs",
    "$argon2i$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$M1S0H0UvjrLK2/6M9cVfP8gcVGDGVOz+NdaYE3KjZYk",
    "$argon2d$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$DxlxNlojWzvdOh/QQJMcxdg2UXwGMuwuW0WQzO6tMRw",
    "$argon2d$v=16$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$yWpfHsRqUgpS3RJGhgaSH5ZMHj/1l/zLlFAdyeAlAUI",
];

/// What sign-in finds, with the text as an import stores it.
fn verdict(text: &str, password: &str) -> Verdict {
    let stored = Imported::from_elsewhere(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    verify(&TARGET, &mut Memory::default(), stored.reveal(), password)
}

#[test]
fn the_vectors_of_each_maker_verify() {
    for vector in VECTORS {
        let check = |password: &str, expected| {
            assert_eq!(verdict(vector, password), expected, "{vector} {password}");
        };
        check(COMPOSED, Verdict::MatchNeedsRehash);
        check("cafe au lait", Verdict::Mismatch);
        check("", Verdict::Mismatch);
        // The origin took other bytes for another password.
        check(APART, Verdict::Mismatch);
    }
}

#[test]
fn a_password_is_checked_as_it_was_typed() {
    for vector in [
        "$2b$04$abcdefghijklmnopqrstuu.oMTCQjdCbYvSW3IQEvGWmdb6wOIFXe",
        "pbkdf2_sha256$1000$seasalt$HWdWINvbQIZJrnAOOKV+qObiBOySCBT9kdJm3vTrzoc=",
        "$argon2id$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$g/mCfkRLyFid9ZocWskdSIdABPirZ356KtVgd/MSNc4",
    ] {
        assert_eq!(verdict(vector, APART), Verdict::MatchNeedsRehash, "{vector}");
        assert_eq!(verdict(vector, COMPOSED), Verdict::Mismatch, "{vector}");
    }
}

#[test]
fn bcrypt_sees_72_bytes_and_no_nul() {
    let long = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
    assert_eq!(verdict(long, &"x".repeat(72)), Verdict::MatchNeedsRehash);
    assert_eq!(verdict(long, &"x".repeat(80)), Verdict::MatchNeedsRehash);
    assert_eq!(verdict(long, &"x".repeat(71)), Verdict::Mismatch);
    // Made from `a`, and from `a\0b` by a maker that hashes the NUL.
    let a = "$2b$04$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC";
    assert_eq!(verdict(a, "a"), Verdict::MatchNeedsRehash);
    assert_eq!(verdict(a, "a\0b"), Verdict::Mismatch);
    assert_eq!(verdict(a, "a\0a"), Verdict::Mismatch);
    let with_nul = "$2b$04$abcdefghijklmnopqrstuusjHI0zQHpOe3SFDK1IriYv6N79Gzr32";
    assert_eq!(verdict(with_nul, "a\0b"), Verdict::Mismatch);
}

fn fault(text: &str) -> Option<ForeignFault> {
    Imported::from_elsewhere(text).err()
}

/// Every beginning of every vector is refused, and so is a byte more.
#[test]
fn what_is_cut_off_or_too_long_is_refused() {
    for vector in VECTORS {
        assert_eq!(fault(vector), None, "control: {vector}");
        for end in 0..vector.len() {
            assert!(
                fault(&vector[..end]).is_some() || may_have_been_shorter(vector, end),
                "{vector} {end}"
            );
        }
        for more in ["$", "$a", "\n", " ", "\u{e9}"] {
            assert!(fault(&format!("{vector}{more}")).is_some(), "{vector}{more:?}");
            assert!(fault(&format!("{more}{vector}")).is_some(), "{more:?}{vector}");
        }
    }
}

/// Argon2 and the PHC's scrypt make hashes of any length, so one that lost a few of its bytes cannot
/// be told from one that never had them. What is left are at least the 16 bytes that are asked for.
fn may_have_been_shorter(vector: &str, end: usize) -> bool {
    let any_length = vector.contains("argon2") || vector.starts_with("$scrypt");
    let hash = vector[..end].rsplit('$').next().unwrap();
    any_length && vector[end..].find('$').is_none() && hash.len() * 3 / 4 >= 16
}

#[test]
fn costs_are_bounded() {
    let dear = |text: &str| {
        let found = fault(text);
        assert!(matches!(found, Some(ForeignFault::TooDear { .. })), "{text}: {found:?}");
    };
    let good = |text: &str| assert_eq!(fault(text), None, "{text}");
    let bcrypt = "$abcdefghijklmnopqrstuumeEFg6zY3F9UMkjHzpfyE4WkVj6Z2cW";
    good(&format!("$2b$16{bcrypt}"));
    dear(&format!("$2b$17{bcrypt}"));
    dear(&format!("bcrypt_sha256$$2b$31{bcrypt}"));
    dear(&format!("bcrypt$$2b$99{bcrypt}"));
    let pbkdf2 = "$seasalt$w7zErs0MNnGIcVebgPuLn1QQSgzd9SCTYdRCFkEcd0w=";
    good(&format!("pbkdf2_sha256$10000000{pbkdf2}"));
    dear(&format!("pbkdf2_sha256$10000001{pbkdf2}"));
    dear(&format!("pbkdf2_sha256$99999999999999999999999{pbkdf2}"));
    let scrypt = "$c29tZXNhbHQ$cY/7/fu+LwiT33fY5LhV948Nns1Dw8fiAJrrs7VLtbc";
    good(&format!("$scrypt$ln=18,r=8,p=4{scrypt}"));
    dear(&format!("$scrypt$ln=18,r=9,p=1{scrypt}"));
    dear(&format!("$scrypt$ln=18,r=8,p=5{scrypt}"));
    dear(&format!("$scrypt$ln=63,r=8,p=1{scrypt}"));
    dear(&format!("$scrypt$ln=64,r=8,p=1{scrypt}"));
    dear(&format!("$scrypt$ln=1,r=8,p=4294967295{scrypt}"));
    dear(&format!("$scrypt$ln=1,r=18446744073709551615,p=1{scrypt}"));
    let argon2 = "$c29tZXNhbHRzb21lc2FsdA$yzRES9k1guVAk21EDBFGa6bzFdT0RJaA18LDNPvmqnY";
    good(&format!("$argon2id$v=19$m=1048576,t=4,p=1{argon2}"));
    dear(&format!("$argon2id$v=19$m=1048576,t=5,p=1{argon2}"));
    dear(&format!("$argon2i$v=19$m=1048577,t=1,p=1{argon2}"));
    dear(&format!("argon2$argon2d$v=19$m=64,t=65,p=1{argon2}"));
}

#[test]
fn what_cannot_be_checked_is_refused() {
    let check = |text: &str, expected| assert_eq!(fault(text), Some(expected), "{text}");
    check("", ForeignFault::Unknown);
    check("$", ForeignFault::Unknown);
    check("hunter2", ForeignFault::Unknown);
    check("5f4dcc3b5aa765d61d8327deb882cf99", ForeignFault::Unknown);
    check("$6$salt$hash", ForeignFault::Unknown);
    check("md5$salt$5f4dcc3b5aa765d61d8327deb882cf99", ForeignFault::Weak("MD5"));
    check("sha1$salt$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", ForeignFault::Weak("SHA-1"));
    let bcrypt = ForeignFault::Garbled("bcrypt");
    let rest = "abcdefghijklmnopqrstuumeEFg6zY3F9UMkjHzpfyE4WkVj6Z2cW";
    check(&format!("$2b$03${rest}"), bcrypt);
    check(&format!("$2b$+4${rest}"), bcrypt);
    check(&format!("$2x$04${rest}"), ForeignFault::Unknown);
    check(&format!("bcrypt$$2x$04${rest}"), bcrypt);
    let pbkdf2 = ForeignFault::Garbled("PBKDF2");
    let hash = "w7zErs0MNnGIcVebgPuLn1QQSgzd9SCTYdRCFkEcd0w=";
    check(&format!("pbkdf2_sha256$0$seasalt${hash}"), pbkdf2);
    check(&format!("pbkdf2_sha256$-1$seasalt${hash}"), pbkdf2);
    check(&format!("pbkdf2_sha256$1000$${hash}"), pbkdf2);
    check(&format!("pbkdf2_sha1$1000$seasalt${hash}"), pbkdf2);
    check("pbkdf2_sha256$1000$seasalt$YQ==", pbkdf2);
    let scrypt = ForeignFault::Garbled("scrypt");
    let hash = "cY/7/fu+LwiT33fY5LhV948Nns1Dw8fiAJrrs7VLtbc";
    check(&format!("scrypt$1000$seasalt$8$1${hash}="), scrypt);
    check(&format!("scrypt$1$seasalt$8$1${hash}="), scrypt);
    check(&format!("$scrypt$ln=10,r=0,p=1$c29tZXNhbHQ${hash}"), scrypt);
    check(&format!("$scrypt$ln=10,r=8$c29tZXNhbHQ${hash}"), scrypt);
    check(&format!("$scrypt$ln=10,r=8,p=1,q=1$c29tZXNhbHQ${hash}"), scrypt);
    let argon2 = ForeignFault::Garbled("Argon2");
    let rest = "$c29tZXNhbHRzb21lc2FsdA$yzRES9k1guVAk21EDBFGa6bzFdT0RJaA18LDNPvmqnY";
    check(&format!("$argon2id$v=18$m=64,t=2,p=2{rest}"), argon2);
    check(&format!("$argon2id$v=19$m=64,t=2,p=2,data=AAAA{rest}"), argon2);
}

/// Faults go to logs and terminals.
#[test]
fn a_fault_tells_nothing_of_the_hash() {
    for vector in VECTORS {
        let secret = vector.rsplit('$').next().unwrap();
        let fault = fault(&format!("{vector}!")).unwrap().to_string();
        assert!(!fault.contains(secret) && fault.ends_with('.'), "{fault}");
    }
}

#[test]
fn a_hash_of_another_portcullis_stays_ours() {
    let phc = crate::password::hash(&TARGET, &mut Memory::default(), COMPOSED, &[5; 16]).unwrap();
    let ours = Imported::from_portcullis(&phc).unwrap_or_else(|fault| panic!("{fault}"));
    let verdict = |password: &str| verify(&TARGET, &mut Memory::default(), ours.reveal(), password);
    assert_eq!(verdict(COMPOSED), Verdict::Match);
    assert_eq!(verdict(APART), Verdict::Match);
    for vector in VECTORS {
        assert!(Imported::from_portcullis(vector).is_ok(), "{vector}");
    }
    let dear = phc.replace("m=64,t=1", "m=1048576,t=64");
    assert!(Imported::from_portcullis(&dear).is_err());
}
