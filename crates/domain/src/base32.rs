//! Base32 as RFC 4648 has it, without padding: what authenticator apps read a secret in. Only writing;
//! nothing of ours reads it.

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The bytes in base32.
pub(crate) fn encode(bytes: &[u8]) -> String {
    spell(bytes, ALPHABET)
}

/// The bytes in the letters of an alphabet, five bits each; what is left over is filled up with zeros.
pub(crate) fn spell(bytes: &[u8], alphabet: &[u8; 32]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let filled = (0..5)
            .fold(0_u64, |bits, at| (bits << 8) | chunk.get(at).copied().map_or(0, u64::from));
        let letters = (chunk.len() * 8).div_ceil(5);
        for at in 0..letters {
            let five = usize::try_from((filled >> (35 - 5 * at)) & 0x1f).unwrap_or_default();
            text.extend(alphabet.get(five).copied().map(char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10, without the padding.
    #[test]
    fn it_gives_the_vectors_of_rfc_4648() {
        let check = |text: &str, expected: &str| assert_eq!(encode(text.as_bytes()), expected);
        check("", "");
        check("f", "MY");
        check("fo", "MZXQ");
        check("foo", "MZXW6");
        check("foob", "MZXW6YQ");
        check("fooba", "MZXW6YTB");
        check("foobar", "MZXW6YTBOI");
    }
}
