//! Text that people type, parsed once at the edge: e-mail address, username, sign-in identifier,
//! name, host.
//!
//! Not secrets, and no look-up: [`fold`] is the one function that makes two spellings of the same
//! account equal, for look-up and for counting alike.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use unicode_normalization::UnicodeNormalization as _;

/// Why a text was refused. The `Display` text says what is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    #[error("This field may not be blank.")]
    Blank,
    #[error("Ensure this field has no more than {max} characters.")]
    TooLong { max: usize },
    #[error("{0}")]
    Invalid(&'static str),
}

/// Why a text was refused that steers.
const STEERS: TextFault = TextFault::Invalid(
    "Control characters, and characters that cannot be seen or that turn text around, are not allowed.",
);

/// Whether the character steers a terminal, turns the text around it, or cannot be seen. The joiner
/// and the non-joiner (U+200D, U+200C) do not count: names in Persian and in languages of India are
/// not spelled right without them.
pub fn steers(c: char) -> bool {
    let turns_or_hides = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    c.is_control() || turns_or_hides
}

/// Normalisation form C, lower case: equal for two spellings of one account.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Lower-casing can leave the normal form, so it is restored.
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// An e-mail address of up to 254 characters: the local part as typed, the domain in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(Folded);

impl Email {
    const MAX: usize = 254;
    const MAX_LOCAL: usize = 64;
    const INVALID: TextFault = TextFault::Invalid("Enter a valid email address.");

    /// Trims, normalises and checks the sane subset of RFC 5321: one `@`, no quoted local part, no
    /// address literal. Letters of other scripts are accepted on both sides.
    pub fn parse(text: &str) -> Result<Self, TextFault> {
        let text: String = checked(text, Self::MAX)?;
        let (local, domain) = text.split_once('@').ok_or(Self::INVALID)?;
        let sane = local.chars().count() <= Self::MAX_LOCAL
            && is_dotted(local, is_local_char)
            && is_dotted(domain, |c| c.is_alphanumeric() || c == '-')
            && domain.split('.').all(|label| !label.starts_with('-') && !label.ends_with('-'));
        if !sane {
            return Err(Self::INVALID);
        }
        let shown = format!("{local}@{}", fold(domain));
        Ok(Self(Folded::of(shown)))
    }

    /// The form to show and to send mail to.
    pub fn as_str(&self) -> &str {
        &self.0.shown
    }

    /// The form to look up by.
    pub fn folded(&self) -> &str {
        self.0.folded()
    }
}

impl fmt::Display for Email {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A username of 1 to 150 characters: letters, digits and `_ . @ + -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username(Folded);

impl Username {
    const MAX: usize = 150;

    /// Trims, normalises and checks.
    pub fn parse(text: &str) -> Result<Self, TextFault> {
        let shown = checked(text, Self::MAX)?;
        if !shown.chars().all(|c| c.is_alphanumeric() || "_.@+-".contains(c)) {
            return Err(TextFault::Invalid(
                "Enter a valid username. This value may contain only letters, numbers, and \
                 @/./+/-/_ characters.",
            ));
        }
        Ok(Self(Folded::of(shown)))
    }

    /// The form to show.
    pub fn as_str(&self) -> &str {
        &self.0.shown
    }

    /// The form to look up by.
    pub fn folded(&self) -> &str {
        self.0.folded()
    }

    /// Whether it reads as an e-mail address, and as another than this one. Whoever had such a name
    /// would be meant by somebody else's address.
    pub fn is_address_but(&self, own: &Email) -> bool {
        Email::parse(self.folded()).is_ok_and(|address| address.folded() != own.folded())
    }
}

impl fmt::Display for Username {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A text to show and one to look up by, which is kept only where it is another: users are remembered
/// by the hundred thousand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Folded {
    shown: Box<str>,
    other: Option<Box<str>>,
}

impl Folded {
    fn of(shown: String) -> Self {
        let other = Some(fold(&shown)).filter(|folded| *folded != shown);
        Self { shown: shown.into(), other: other.map(Into::into) }
    }

    fn folded(&self) -> &str {
        self.other.as_ref().unwrap_or(&self.shown)
    }
}

/// What a person typed to say who they are: a username or an e-mail address, 1 to 255 characters.
/// Kept folded only, so that counting and look-up cannot differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identifier(String);

impl Identifier {
    const MAX: usize = 255;

    /// Trims, normalises and folds. Anything printable is accepted: whether such an account exists
    /// is not told here.
    pub fn parse(text: &str) -> Result<Self, TextFault> {
        let text = checked(text, Self::MAX)?;
        if text.chars().any(char::is_control) {
            return Err(TextFault::Invalid("Control characters are not allowed."));
        }
        Ok(Self(fold(&text)))
    }

    /// The form to look up and to count by.
    pub fn folded(&self) -> &str {
        &self.0
    }
}

/// A person's first or last name, or a label: at most 150 characters, none of which steers text (see
/// [`steers`]). May be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Name(String);

impl Name {
    const MAX: usize = 150;

    /// Trims, normalises and checks.
    pub fn parse(text: &str) -> Result<Self, TextFault> {
        let text = match checked(text, Self::MAX) {
            Err(TextFault::Blank) => return Ok(Self::default()),
            other => other?,
        };
        if text.chars().any(steers) {
            return Err(STEERS);
        }
        Ok(Self(text))
    }

    /// Reads what is stored: names were accepted once that would not be now. Whoever shows one sees to
    /// it that it does no harm.
    pub fn stored(text: &str) -> Result<Self, TextFault> {
        match checked(text, Self::MAX) {
            Err(TextFault::Blank) => Ok(Self::default()),
            Err(fault) => Err(fault),
            Ok(text) => Ok(Self(text)),
        }
    }

    /// The name as typed, trimmed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A host without a port: an ASCII name in lower case without a trailing dot, a dotted IPv4
/// address, or an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(String);

impl Host {
    const MAX: usize = 253;
    const MAX_LABEL: usize = 63;
    const INVALID: TextFault = TextFault::Invalid(
        "A host is a name such as app.example.com, an IPv4 address, or an IPv6 address in brackets.",
    );

    /// Reads a host without a port. A name whose last label is a number must be a dotted IPv4
    /// address, because browsers read all such names as addresses.
    pub fn parse(text: &str) -> Result<Self, TextFault> {
        if let Some(rest) = text.strip_prefix('[') {
            let inner = rest.strip_suffix(']').ok_or(Self::INVALID)?;
            let address: Ipv6Addr = inner.parse().map_err(|_| Self::INVALID)?;
            return Ok(Self(format!("[{address}]")));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label_fits = |label: &str| {
            label.len() <= Self::MAX_LABEL && !label.starts_with('-') && !label.ends_with('-')
        };
        let is_name = name.len() <= Self::MAX
            && is_dotted(&name, |c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && name.split('.').all(label_fits);
        let fits = is_name && (!ends_in_number(&name) || name.parse::<Ipv4Addr>().is_ok());
        if fits { Ok(Self(name)) } else { Err(Self::INVALID) }
    }

    /// Reads `host` or `host:port`, as in the `Host` header. The port is decimal digits, 1 to 65535.
    pub fn parse_with_port(text: &str) -> Result<(Self, Option<u16>), TextFault> {
        let after_address = text.rfind(']').map_or(0, |end| end + 1);
        let tail = text.get(after_address..).unwrap_or_default();
        let Some((_, port)) = tail.rsplit_once(':') else {
            return Ok((Self::parse(text)?, None));
        };
        let host = text.strip_suffix(port).and_then(|text| text.strip_suffix(':'));
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        match (host, digits.then(|| port.parse())) {
            (Some(host), Some(Ok(port))) if port != 0 => Ok((Self::parse(host)?, Some(port))),
            _ => Err(Self::INVALID),
        }
    }

    /// The host of an address.
    pub fn from_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self(ip.to_string()),
            IpAddr::V6(ip) => Self(format!("[{ip}]")),
        }
    }

    /// Whether only this machine can be meant: `localhost`, 127.0.0.0/8 or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        let address = self.0.trim_start_matches('[').trim_end_matches(']');
        self.0 == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    /// The host as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A person's first and last name as one; empty where there is neither.
pub fn full_name(first: &str, last: &str) -> String {
    format!("{first} {last}").trim().to_owned()
}

/// What a person is called: the full name, or else what they sign in with.
pub fn person_name(first: &str, last: &str, username: Option<&str>, email: &str) -> String {
    let full = full_name(first, last);
    if full.is_empty() { username.unwrap_or(email).to_owned() } else { full }
}

/// With a sign in the place of every character that [`steers`].
pub fn visible(text: &str) -> String {
    text.chars().map(|char| if steers(char) { '\u{fffd}' } else { char }).collect()
}

/// A number with a comma between thousands.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("−{text}") } else { text }
}

/// Trims, normalises, and checks that there are 1 to `max` characters.
fn checked(text: &str, max: usize) -> Result<String, TextFault> {
    let text = text.trim();
    // A character has at most four bytes, so what is far too long is not normalised first.
    if text.len() > 4 * max {
        return Err(TextFault::TooLong { max });
    }
    let text: String = text.nfc().collect();
    match text.chars().count() {
        0 => Err(TextFault::Blank),
        length if length > max => Err(TextFault::TooLong { max }),
        _ => Ok(text),
    }
}

/// Whether the text is one or more non-empty parts between dots, all of accepted characters.
fn is_dotted(text: &str, accepted: impl Fn(char) -> bool + Copy) -> bool {
    text.split('.').all(|part| !part.is_empty() && part.chars().all(accepted))
}

/// The unquoted local part of RFC 5321 (`atext`), widened to other scripts as RFC 6531 does.
fn is_local_char(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// Whether a browser would read the name as an IPv4 address in some spelling (URL Standard,
/// "ends in a number checker").
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests;
