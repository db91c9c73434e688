//! How often a password was found, in one byte: exact up to 15, then with four significant bits, rounded
//! down. So it never claims more than there was, and is less than an eighth below it.

/// Rounded down as above. Ordered as the counts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(u8);

/// Up to here a byte is the count itself.
const EXACT: u64 = 16;
/// Steps between a power of two and the next.
const STEPS: u64 = 8;
/// The largest number that has a byte of its own: eight steps for each of 30 powers of two behind 16.
const LARGEST: u64 = (1 << 34) - 1;

impl Count {
    /// As close as it gets from below. What was never found has no count.
    pub fn of(count: u64) -> Option<Self> {
        let count = count.min(LARGEST);
        let code = match count {
            0 => return None,
            1..EXACT => count,
            _ => {
                let power = u64::from(count.ilog2());
                EXACT + (power - 4) * STEPS + ((count >> (power - 3)) - STEPS)
            }
        };
        u8::try_from(code).ok().map(Self)
    }

    /// At least so often.
    pub fn at_least(self) -> u64 {
        let code = u64::from(self.0);
        match code.checked_sub(EXACT) {
            None => code,
            Some(above) => (STEPS + above % STEPS) << (above / STEPS + 1),
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        (byte > 0).then_some(Self(byte))
    }

    pub(crate) fn byte(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_are_exact_while_they_are_small() {
        let check = |count: u64, told: u64| {
            assert_eq!(Count::of(count).map(Count::at_least), Some(told), "{count}");
        };
        (1..16).for_each(|count| check(count, count));
        check(16, 16);
        check(17, 16);
        check(18, 18);
        check(3_200, 3_072);
        check(52_256_179, 50_331_648);
        check(LARGEST, 15 << 30);
        check(u64::MAX, 15 << 30);
        assert_eq!(Count::of(0), None);
        assert_eq!(Count::from_byte(0), None);
    }

    #[test]
    fn every_byte_is_a_count_of_its_own() {
        for byte in 1..=255 {
            let count = Count::from_byte(byte).unwrap();
            assert_eq!(Count::of(count.at_least()), Some(count), "{byte}");
        }
    }

    proptest! {
        #[test]
        fn a_count_is_less_than_an_eighth_too_low(count in 1..=LARGEST, other in 1..=LARGEST) {
            let of = |count| Count::of(count).unwrap();
            let told = of(count).at_least();
            prop_assert!(told <= count && (count - told) * 8 < count);
            prop_assert!((count <= other) == (of(count) <= of(other)) || of(count) == of(other));
        }
    }
}
