//! Passwords: Argon2id (RFC 9106) over them. Every password is normalised to NFC first, because
//! keyboards disagree about the bytes of one character. What is accepted as a new one is `policy`,
//! hashes that other systems made are `foreign`. Not here: threads, the queue in front of them, and
//! lists of breached passwords.

mod breach;
mod foreign;
mod known_words;
mod policy;
mod predictable;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Version};
use subtle::ConstantTimeEq as _;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

pub use breach::{AtSignIn, BreachStanding, BreachState};
pub use foreign::{ForeignFault, Imported, looks_like_hash};
pub use policy::{Lengths, MAX_BYTES, Policy, PolicyFault, is_too_long};
pub use predictable::piece;

use foreign::Foreign;

/// Bytes of a hash.
const OUTPUT: usize = 32;
/// A stored hash that asks for more memory than this, 1 GiB in KiB, was not made here.
const MAX_MEMORY_KIB: u32 = 1 << 20;
/// A stored hash that asks for more passes than this was not made here.
const MAX_ITERATIONS: u32 = 64;

/// The cost of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes. They are worked through one after another.
    pub parallelism: u32,
}

/// The second of OWASP's equivalent choices, which is also the floor of ASVS 5.0.0 for two passes.
impl Default for Params {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

/// Parameters that Argon2 cannot work with, or that no server should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "memory is 8 KiB for each lane up to {MAX_MEMORY_KIB} KiB, iterations are 1 to {MAX_ITERATIONS}, \
     lanes are 1 to 255"
)]
pub struct ParamsFault;

impl Params {
    /// Checks the ranges.
    pub fn check(self) -> Result<(), ParamsFault> {
        let lanes = (1..=255).contains(&self.parallelism);
        let passes = (1..=MAX_ITERATIONS).contains(&self.iterations);
        let least = self.parallelism.saturating_mul(8);
        let memory = (least..=MAX_MEMORY_KIB).contains(&self.memory_kib);
        if lanes && passes && memory { Ok(()) } else { Err(ParamsFault) }
    }

    fn is_below(self, target: Self) -> bool {
        self.memory_kib < target.memory_kib || self.iterations < target.iterations
    }
}

/// The memory of one hashing thread. The first hash allocates it, the next ones find it there, which
/// spares each of them getting 19 MiB from the system page by page.
#[derive(Default)]
pub struct Memory(Vec<Block>);

impl Memory {
    fn at_least(&mut self, blocks: usize) -> Result<&mut [Block], HashError> {
        if let Some(missing) = blocks.checked_sub(self.0.len()) {
            self.0.try_reserve_exact(missing).map_err(|_| HashError::OutOfMemory)?;
            self.0.resize(blocks, Block::new());
        }
        Ok(&mut self.0)
    }
}

/// Why a password could not be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The parameters are out of range.
    #[error(transparent)]
    Params(#[from] ParamsFault),
    /// The system gives no more memory.
    #[error("no memory for a password hash")]
    OutOfMemory,
    /// The library refused. It has no reason to.
    #[error("the password could not be hashed")]
    Refused,
}

/// Hashes a new password into its PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`).
pub fn hash(
    params: &Params,
    memory: &mut Memory,
    password: &str,
    salt: &[u8; 16],
) -> Result<String, HashError> {
    let mut output = Zeroizing::new([0; OUTPUT]);
    fill(*params, memory, password, salt, output.as_mut_slice())?;
    phc(*params, salt, output.as_slice())
}

/// What a stored hash says about a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one.
    Match,
    /// It is the one, and the hash is cheaper than new ones are or another system's: hash it again.
    MatchNeedsRehash,
    /// It is another.
    Mismatch,
    /// The stored text is no hash, or there was no memory to check it. It admits nobody.
    Unreadable,
}

/// Checks `password` against the stored `phc`. `target` is what new hashes are made with; a text that
/// cannot be read costs as much time as one that can.
pub fn verify(target: &Params, memory: &mut Memory, phc: &str, password: &str) -> Verdict {
    let Some(stored) = Stored::parse(phc) else {
        return verify_foreign(target, memory, phc, password);
    };
    let expected = stored.output.as_bytes();
    let mut output = Zeroizing::new(vec![0; expected.len()]);
    if fill(stored.params, memory, password, &stored.salt, &mut output).is_err() {
        return Verdict::Unreadable;
    }
    match bool::from(output.as_slice().ct_eq(expected)) {
        false => Verdict::Mismatch,
        true if stored.params.is_below(*target) || expected.len() < OUTPUT => {
            Verdict::MatchNeedsRehash
        }
        true => Verdict::Match,
    }
}

fn verify_foreign(target: &Params, memory: &mut Memory, text: &str, password: &str) -> Verdict {
    let Ok(foreign) = Foreign::parse(text) else {
        // The work is done all the same, so that the time of the answer tells nothing.
        let (Ok(_) | Err(_)) = hash(target, memory, password, &[0; 16]);
        return Verdict::Unreadable;
    };
    match foreign.matches(password) {
        Some(true) => Verdict::MatchNeedsRehash,
        Some(false) => Verdict::Mismatch,
        None => Verdict::Unreadable,
    }
}

/// A hash that no password has, at the cost of new hashes: what an unknown user is checked against,
/// so that the time of an answer does not tell who exists.
pub fn dummy_phc(params: &Params) -> String {
    phc(*params, &[0; 16], &[0; OUTPUT]).unwrap_or_default()
}

struct Stored {
    params: Params,
    salt: Salt,
    output: Output,
}

impl Stored {
    fn parse(text: &str) -> Option<Self> {
        let phc = PasswordHash::new(text).ok()?;
        let ours = phc.algorithm == Algorithm::Argon2id.ident()
            && phc.version == Some(Version::V0x13.into());
        let read = argon2::Params::try_from(&phc).ok().filter(|_| ours)?;
        let params = Params {
            memory_kib: read.m_cost(),
            iterations: read.t_cost(),
            parallelism: read.p_cost(),
        };
        params.check().ok()?;
        Some(Self { params, salt: phc.salt?, output: phc.hash? })
    }
}

fn fill(
    params: Params,
    memory: &mut Memory,
    password: &str,
    salt: &[u8],
    output: &mut [u8],
) -> Result<(), HashError> {
    params.check()?;
    let lib = library_params(params, output.len())?;
    let blocks = memory.at_least(lib.block_count())?;
    let password = normalise(password);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, lib)
        .hash_password_into_with_memory(password.as_bytes(), salt, output, blocks)
        .map_err(|_| HashError::Refused)
}

fn library_params(params: Params, output: usize) -> Result<argon2::Params, HashError> {
    argon2::Params::new(params.memory_kib, params.iterations, params.parallelism, Some(output))
        .map_err(|_| HashError::Refused)
}

/// The text that is hashed in the place of a password: its NFC form. Three times the bytes is the most that
/// NFC makes of a text, so no copy is left behind by growth.
pub fn normalise(password: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(password.len() * 3));
    text.extend(password.nfc());
    text
}

fn phc(params: Params, salt: &[u8], output: &[u8]) -> Result<String, HashError> {
    let refused = |_| HashError::Refused;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: (&library_params(params, output.len())?)
            .try_into()
            .map_err(|_: argon2::password_hash::Error| HashError::Refused)?,
        salt: Some(Salt::new(salt).map_err(refused)?),
        hash: Some(Output::new(output).map_err(refused)?),
    };
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cheap enough for tables.
    const TINY: Params = Params { memory_kib: 64, iterations: 1, parallelism: 1 };

    /// Vectors of the reference implementation (P-H-C/phc-winner-argon2, src/test.c).
    #[test]
    fn the_reference_vectors_verify() {
        let mut memory = Memory::default();
        let mut check = |phc: &str, password: &str, expected| {
            let target = Params { memory_kib: 256, iterations: 2, parallelism: 1 };
            assert_eq!(verify(&target, &mut memory, phc, password), expected, "{phc} {password}");
        };
        let small =
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        check(small, "password", Verdict::Match);
        check(small, "Password", Verdict::Mismatch);
        check(
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
            "password",
            Verdict::Match,
        );
        check(
            "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg",
            "password",
            Verdict::MatchNeedsRehash,
        );
        // The memory has grown; a smaller hash after it must not read what is left there.
        check(small, "password", Verdict::Match);
    }

    #[test]
    fn a_hash_verifies_its_own_password_only() {
        let mut memory = Memory::default();
        let phc = hash(&TINY, &mut memory, "caf\u{e9} au lait, please", &[5; 16]).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$BQUFBQUFBQUFBQUFBQUFBQ$"), "{phc}");
        let mut check = |target: Params, password: &str, expected| {
            assert_eq!(verify(&target, &mut memory, &phc, password), expected, "{password}");
        };
        check(TINY, "caf\u{e9} au lait, please", Verdict::Match);
        // The same character, as another keyboard writes it.
        check(TINY, "cafe\u{301} au lait, please", Verdict::Match);
        check(TINY, "cafe au lait, please", Verdict::Mismatch);
        check(TINY, "", Verdict::Mismatch);
        check(
            Params { memory_kib: 65, ..TINY },
            "caf\u{e9} au lait, please",
            Verdict::MatchNeedsRehash,
        );
        check(
            Params { iterations: 2, ..TINY },
            "caf\u{e9} au lait, please",
            Verdict::MatchNeedsRehash,
        );
        check(Params { memory_kib: 32, ..TINY }, "caf\u{e9} au lait, please", Verdict::Match);
    }

    #[test]
    fn what_is_not_ours_admits_nobody() {
        let mut memory = Memory::default();
        let mut check = |phc: &str| {
            assert_eq!(verify(&TINY, &mut memory, phc, "password"), Verdict::Unreadable, "{phc}");
        };
        let rest = "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        check("");
        check("password");
        check("$argon2id$v=19$m=256,t=2,p=1");
        check("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ");
        check(&format!("$argon2$v=19$m=256,t=2,p=1{rest}"));
        check(&format!("$argon2id$v=17$m=256,t=2,p=1{rest}"));
        check(&format!("$argon2id$v=19$m=256,t=2{}", "$c29tZXNhbHQ$nf65EOgL"));
        check(&format!("$argon2id$v=19$m=4294967295,t=2,p=1{rest}"));
        check(&format!("$argon2id$v=19$m=256,t=4294967295,p=1{rest}"));
        check(&format!("$argon2id$v=19$m=256,t=2,p=16777215{rest}"));
        check("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMU");
        check("$2b$17$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW");
    }

    #[test]
    fn the_dummy_is_readable_and_matches_nothing() {
        let phc = dummy_phc(&TINY);
        assert!(Stored::parse(&phc).is_some_and(|stored| stored.params == TINY), "{phc}");
        assert_eq!(verify(&TINY, &mut Memory::default(), &phc, ""), Verdict::Mismatch);
    }

    #[test]
    fn parameters_have_bounds() {
        let check = |memory_kib, iterations, parallelism, good: bool| {
            let params = Params { memory_kib, iterations, parallelism };
            assert_eq!(params.check().is_ok(), good, "{params:?}");
            assert!(good || hash(&params, &mut Memory::default(), "p", &[0; 16]).is_err());
        };
        check(8, 1, 1, true);
        check(7, 1, 1, false);
        check(31, 1, 4, false);
        check(32, 1, 4, true);
        check(64, 0, 1, false);
        check(64, 65, 1, false);
        check(64, 1, 0, false);
        check(4096, 1, 256, false);
        check(MAX_MEMORY_KIB + 1, 1, 1, false);
        assert_eq!(Params::default().check(), Ok(()));
    }
}
