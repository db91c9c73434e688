//! SHA-1 of passwords (FIPS 180-4), by which breached ones are published, and the parts that it is cut
//! into. It is no protection of a password: whoever has one can try passwords against it. So none of
//! these has `Debug`, and nothing writes them to a log.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// The bits of a remainder.
const REST: u64 = (1 << 40) - 1;

/// The hash of a password. In the order of its bytes, which is that of its spelling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sha1([u8; 20]);

impl Sha1 {
    /// Of a password, as the bytes it is.
    pub fn of(password: &[u8]) -> Self {
        let mut bytes = [0; 20];
        bytes.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, password).as_ref());
        Self(bytes)
    }

    /// Reads 40 hexadecimal digits of either case.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// The hash of these bytes.
    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The first 20 bits, by which the service is asked and which choose a bucket.
    pub fn prefix(&self) -> Prefix {
        Prefix(u32::try_from(self.first_bits() >> 44).unwrap_or_default())
    }

    /// The 40 bits behind them: with the prefix, as much of a hash as the index keeps.
    pub(crate) fn rest(&self) -> u64 {
        (self.first_bits() >> 4) & REST
    }

    /// The 35 digits behind the prefix, in upper case.
    pub fn suffix(&self) -> String {
        hex::encode_upper(self.0).split_off(Prefix::DIGITS)
    }

    fn first_bits(&self) -> u64 {
        self.0.first_chunk().copied().map_or(0, u64::from_be_bytes)
    }
}

/// The first five digits of a hash: one of a million. Many passwords share one, and yet it tells something
/// of the password, so it is not logged either.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(u32);

impl Prefix {
    /// How many there are.
    pub const COUNT: u32 = 1 << 20;
    /// Hexadecimal digits of one.
    pub const DIGITS: usize = 5;

    /// Reads five hexadecimal digits of either case.
    pub fn parse(digits: &str) -> Option<Self> {
        let is_one =
            digits.len() == Self::DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| u32::from_str_radix(digits, 16).ok().map(Self)).flatten()
    }

    /// The one of this number, counted from 0.
    pub fn at(number: u32) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// Its number, counted from 0.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Its five digits, in upper case.
    pub fn digits(self) -> String {
        format!("{:05X}", self.0)
    }

    pub(crate) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the documented API (contract P14), and those of FIPS 180-4.
    #[test]
    fn agrees_with_the_published_examples() {
        let check = |password: &str, digits: &str| {
            let hash = Sha1::of(password.as_bytes());
            assert_eq!(hash.prefix().digits() + &hash.suffix(), digits);
            assert!(Sha1::parse(digits.as_bytes()) == Some(hash));
            assert!(Sha1::parse(digits.to_lowercase().as_bytes()) == Some(hash));
            let kept = format!("{:05X}{:010X}", hash.prefix().number(), hash.rest());
            assert_eq!(kept, digits[..15]);
        };
        check("P@ssw0rd", "21BD12DC183F740EE76F27B78EB39C8AD972A757");
        check("abc", "A9993E364706816ABA3E25717850C26C9CD0D89D");
        check("", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709");
    }

    #[test]
    fn a_prefix_is_five_digits_and_nothing_else() {
        let check = |text: &str, number: Option<u32>| {
            assert_eq!(Prefix::parse(text).map(Prefix::number), number, "{text:?}");
        };
        check("00000", Some(0));
        check("21BD1", Some(0x21BD1));
        check("21bd1", Some(0x21BD1));
        check("FFFFF", Some(Prefix::COUNT - 1));
        for text in ["", "21BD", "21BD12", "ZZZZZ", "+21BD", "-0000", " 21BD", "21BD\n", "２1BD"] {
            check(text, None);
        }
        assert!(Prefix::at(Prefix::COUNT).is_none() && Prefix::at(0).is_some());
    }

    #[test]
    fn a_hash_is_forty_digits_and_nothing_else() {
        let whole = "21BD12DC183F740EE76F27B78EB39C8AD972A757";
        assert!(Sha1::parse(whole.as_bytes()).is_some());
        for text in ["", &whole[1..], &whole[2..], &format!("{whole}00"), &whole.replace('7', "G")]
        {
            assert!(Sha1::parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
