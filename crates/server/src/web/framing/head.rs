//! The strict reading of one HTTP/1 request head: what we refuse and how the body is framed.
//!
//! Pure: bytes in, framing or fault out. Not a parser for the application: hyper parses the same
//! bytes again, and this check only makes sure that no other reader could parse them differently.

/// The longest head we accept, request line to empty line, in bytes.
pub(super) const MAX_HEAD: usize = 16 * 1024;

/// The most header lines we accept in one head.
const MAX_HEADERS: usize = 100;

/// How the body after a head is delimited (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// `Content-Length` bytes; zero where there is no body.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// Why a connection's bytes are refused. The code of each is the answer's reason code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A line that ends with LF alone.
    BareLf,
    /// A header line that begins with a space or a tab (RFC 9112 section 5.2).
    ObsFold,
    /// White space between a header's name and its colon (RFC 9112 section 5.1).
    SpaceBeforeColon,
    /// A header name that is empty or not a token, or a line without a colon.
    HeaderName,
    /// A control character, such as NUL or CR, in a header value.
    HeaderValue,
    /// A request line that is not `method SP target SP version`.
    RequestLine,
    /// A target with bytes outside visible ASCII, a fragment or a quotation sign.
    Target,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    Version,
    /// `Transfer-Encoding` together with `Content-Length` (RFC 9112 section 6.3).
    TeAndCl,
    /// More than one `Content-Length`, in lines or in a list, even when they agree.
    SeveralContentLengths,
    /// A `Content-Length` that is not a plain decimal number.
    ContentLength,
    /// A `Transfer-Encoding` other than `chunked`, once.
    TransferEncoding,
    /// `Transfer-Encoding` in a request of HTTP/1.0.
    TeInHttp10,
    /// No `Host` in a request of HTTP/1.1 (RFC 9112 section 3.2).
    NoHost,
    /// More than one `Host`.
    SeveralHosts,
    /// More than 100 header lines.
    TooManyHeaders,
    /// A head longer than 16 KiB.
    HeadTooLarge,
    /// A head that was begun and not finished in time.
    HeadTimeout,
    /// A chunk whose size, extension, ending or trailer is malformed (RFC 9112 section 7.1).
    Chunk,
}

impl Fault {
    const ALL: [Self; 19] = [
        Self::BareLf,
        Self::ObsFold,
        Self::SpaceBeforeColon,
        Self::HeaderName,
        Self::HeaderValue,
        Self::RequestLine,
        Self::Target,
        Self::Version,
        Self::TeAndCl,
        Self::SeveralContentLengths,
        Self::ContentLength,
        Self::TransferEncoding,
        Self::TeInHttp10,
        Self::NoHost,
        Self::SeveralHosts,
        Self::TooManyHeaders,
        Self::HeadTooLarge,
        Self::HeadTimeout,
        Self::Chunk,
    ];

    /// The fault of a reason code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.code() == code)
    }

    /// The reason code, as sent in `x-portcullis-malformed`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BareLf => "bare_lf",
            Self::ObsFold => "obs_fold",
            Self::SpaceBeforeColon => "space_before_colon",
            Self::HeaderName => "header_name",
            Self::HeaderValue => "header_value",
            Self::RequestLine => "request_line",
            Self::Target => "target",
            Self::Version => "version",
            Self::TeAndCl => "te_and_cl",
            Self::SeveralContentLengths => "several_content_lengths",
            Self::ContentLength => "content_length",
            Self::TransferEncoding => "transfer_encoding",
            Self::TeInHttp10 => "te_in_old_version",
            Self::NoHost => "no_host",
            Self::SeveralHosts => "several_hosts",
            Self::TooManyHeaders => "too_many_headers",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadTimeout => "head_timeout",
            Self::Chunk => "chunk",
        }
    }
}

/// Check a whole head, from the request line to the empty line, both CRLFs included.
///
/// The caller has already made sure that every LF in it follows a CR.
pub(super) fn check(head: &[u8]) -> Result<Body, Fault> {
    let mut lines = head.split(|byte| *byte == b'\n').map(without_cr);
    let version = request_line(lines.next().unwrap_or_default())?;
    let mut seen = Seen::default();
    let mut count = 0;
    for line in lines.take_while(|line| !line.is_empty()) {
        count += 1;
        if count > MAX_HEADERS {
            return Err(Fault::TooManyHeaders);
        }
        let (name, value) = header_line(line)?;
        seen.note(name, value)?;
    }
    seen.framing(version)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn request_line(line: &[u8]) -> Result<Version, Fault> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Fault::RequestLine);
    };
    if method.is_empty() || !method.iter().copied().all(is_token) || target.is_empty() {
        return Err(Fault::RequestLine);
    }
    check_target(target)?;
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ => Err(Fault::Version),
    }
}

/// Refuse what hyper would refuse with an empty answer, or repair (it cuts a fragment silently).
fn check_target(target: &[u8]) -> Result<(), Fault> {
    let sound = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>');
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    if target.iter().all(sound) && !path.contains(&b'`') { Ok(()) } else { Err(Fault::Target) }
}

/// Name and value of one line; the value is trimmed of spaces and tabs.
fn header_line(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    if line.first().copied().is_some_and(is_space) {
        return Err(Fault::ObsFold);
    }
    let colon = memchr::memchr(b':', line).ok_or(Fault::HeaderName)?;
    let (name, rest) = line.split_at(colon);
    if name.last().copied().is_some_and(is_space) {
        return Err(Fault::SpaceBeforeColon);
    }
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return Err(Fault::HeaderName);
    }
    let value = trim(rest.strip_prefix(b":").unwrap_or(rest));
    if value.iter().copied().all(is_field_byte) {
        Ok((name, value))
    } else {
        Err(Fault::HeaderValue)
    }
}

/// What the headers said about framing so far.
#[derive(Default)]
struct Seen {
    length: Option<u64>,
    chunked: bool,
    host: bool,
}

impl Seen {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.is_some() || value.contains(&b',') {
                return Err(Fault::SeveralContentLengths);
            }
            self.length = Some(decimal(value).ok_or(Fault::ContentLength)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Fault::TransferEncoding);
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            if self.host {
                return Err(Fault::SeveralHosts);
            }
            self.host = true;
        }
        Ok(())
    }

    fn framing(&self, version: Version) -> Result<Body, Fault> {
        if self.chunked && self.length.is_some() {
            return Err(Fault::TeAndCl);
        }
        if self.chunked && version == Version::Http10 {
            return Err(Fault::TeInHttp10);
        }
        if !self.host && version == Version::Http11 {
            return Err(Fault::NoHost);
        }
        Ok(if self.chunked { Body::Chunked } else { Body::Length(self.length.unwrap_or(0)) })
    }
}

/// Digits only, at most `i64::MAX`: no sign, no space, no empty text.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_space(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_space(*last)
    {
        value = rest;
    }
    value
}

const fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// A byte of a field value: visible, space, tab or obs-text (RFC 9110 section 5.5).
pub(super) const fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// A byte of a token (RFC 9110 section 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Looked up, because every byte of every header name is asked about.
static TOKEN: [bool; 128] = {
    let mut table = [false; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        #[expect(clippy::indexing_slicing, reason = "checked when compiled; the bound is above")]
        {
            table[byte as usize] = is_token_byte(byte);
        }
        byte += 1;
    }
    table
};

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
