//! Tables of hostile targets, and a comparison with a slow and obvious reading.

use proptest::prelude::*;

use super::*;

#[test]
fn paths() {
    let check = |raw: &str, expected: Result<&str, PathFault>| {
        let path = RequestPath::parse(raw);
        assert_eq!(path.as_ref().map(RequestPath::as_str).map_err(|e| *e), expected, "{raw:?}");
    };
    check("/", Ok("/"));
    check("/admin", Ok("/admin"));
    check("/admin/", Ok("/admin/"));
    check("/%61dmin", Ok("/admin"));
    check("/ADMIN", Ok("/ADMIN"));
    check("/a%7eb%2Dc%5f", Ok("/a~b-c_"));
    check("/caf%c3%a9", Ok("/caf%C3%A9"));
    check("/a%20b", Ok("/a%20b"));
    check("/a%21b!c", Ok("/a%21b!c"));
    check("/100%25", Ok("/100%25"));
    check("/100%25zz", Ok("/100%25zz"));
    check("/...", Ok("/..."));
    check("/.well-known/jwks.json", Ok("/.well-known/jwks.json"));
    check("/a..b/c.", Ok("/a..b/c."));
    check("/x%3By", Err(PathFault::Parameter));
    check("/a'b(c)*+,=:@&$|^{}\"<>", Ok("/a'b(c)*+,=:@&$|^{}\"<>"));

    check("", Err(PathFault::NotRooted));
    check("admin", Err(PathFault::NotRooted));
    check("*", Err(PathFault::NotRooted));
    check("http://host/admin", Err(PathFault::NotRooted));
    check("\\admin", Err(PathFault::NotRooted));
    check("/a\\b", Err(PathFault::Backslash));
    check("/a%5Cb", Err(PathFault::Backslash));
    check("/a b", Err(PathFault::Byte));
    check("/a\tb", Err(PathFault::Byte));
    check("/a\0b", Err(PathFault::Byte));
    check("/a\u{7f}", Err(PathFault::Byte));
    check("/café", Err(PathFault::Byte));
    check("/a#b", Err(PathFault::Byte));
    check("/a?b", Err(PathFault::Byte));
    check("/a%", Err(PathFault::Escape));
    check("/a%4", Err(PathFault::Escape));
    check("/a%4g", Err(PathFault::Escape));
    check("/a%+1", Err(PathFault::Escape));
    check("/a%u0041", Err(PathFault::Escape));
    check("/a%00", Err(PathFault::Control));
    check("/a%0a", Err(PathFault::Control));
    check("/a%0D", Err(PathFault::Control));
    check("/a%7F", Err(PathFault::Control));
    check("/admin%2f", Err(PathFault::EncodedSlash));
    check("/a%2Fb", Err(PathFault::EncodedSlash));
    check("/a%252e%252e", Err(PathFault::DoubleEncoding));
    check("/a%2541", Err(PathFault::DoubleEncoding));
    check("/a%25%32%66", Err(PathFault::DoubleEncoding));
    check("/a%25%32f", Err(PathFault::DoubleEncoding));
    check("/%c0%ae%c0%ae", Err(PathFault::Utf8));
    check("/%ff", Err(PathFault::Utf8));
    check("/%ed%a0%80", Err(PathFault::Utf8));
    check("/public/../admin", Err(PathFault::DotSegment));
    check("/public/%2e%2e/admin", Err(PathFault::DotSegment));
    check("/public/.%2E/admin", Err(PathFault::DotSegment));
    check("/admin/.", Err(PathFault::DotSegment));
    check("/./admin", Err(PathFault::DotSegment));
    check("/..", Err(PathFault::DotSegment));
    check("/public/..%3b/admin", Err(PathFault::Parameter));
    check("/public/..;/admin", Err(PathFault::Parameter));
    check("/admin;x", Err(PathFault::Parameter));
    check("//admin", Err(PathFault::EmptySegment));
    check("/admin//", Err(PathFault::EmptySegment));
    check("//", Err(PathFault::EmptySegment));
}

#[test]
fn targets() {
    let check = |raw: &str, expected: Result<(&str, Option<&str>), PathFault>| {
        let target = RequestTarget::parse(raw);
        let seen = target.as_ref().map(|t| (t.path().as_str(), t.query())).map_err(|e| *e);
        assert_eq!(seen, expected, "{raw:?}");
    };
    check("/a", Ok(("/a", None)));
    check("/a?", Ok(("/a", Some(""))));
    check("/%61?x=/../%2f;\\&y=?", Ok(("/a", Some("x=/../%2f;\\&y=?"))));
    check("?x", Err(PathFault::NotRooted));
    check("/a?x y", Err(PathFault::Query));
    check("/a?x#y", Err(PathFault::Query));
    check("/a?\u{e9}", Err(PathFault::Query));
    check("/a?\u{7f}", Err(PathFault::Query));
    check("/a?\r\nHost: x", Err(PathFault::Query));
    let shown = |raw: &str| RequestTarget::parse(raw).unwrap().to_string();
    assert_eq!(shown("/%61?x=%61"), "/a?x=%61");
    assert_eq!(shown("/a?"), "/a?");
    assert_eq!(shown("/a"), "/a");
}

#[test]
fn covering_is_by_whole_segments() {
    let check = |rule: &str, target: &str, expected: bool| {
        let (rule, target) =
            (RequestPath::parse(rule).unwrap(), RequestPath::parse(target).unwrap());
        assert_eq!(rule.covers(&target), expected, "{rule} {target}");
    };
    check("/", "/", true);
    check("/", "/admin/x", true);
    check("/admin", "/", false);
    check("/admin", "/admin", true);
    check("/admin", "/admin/", true);
    check("/admin/", "/admin", true);
    check("/admin", "/admin/x/y", true);
    check("/admin", "/administrator", false);
    check("/admin", "/ADMIN", false);
    check("/admin/x", "/admin", false);
    check("/a%21", "/a!/b", true);
    check("/a!", "/a%21/b", true);
    check("/caf%c3%a9", "/caf%C3%A9/x", true);
    check("/100%25", "/100%25/x", true);
    check("/100", "/100%25", false);
}

#[test]
fn segments_are_decoded() {
    let check = |raw: &str, expected: &[&str]| {
        let path = RequestPath::parse(raw).unwrap();
        assert_eq!(path.segments().collect::<Vec<_>>(), expected, "{raw}");
    };
    check("/", &[]);
    check("/a", &["a"]);
    check("/a/", &["a"]);
    check("/a%20b/%63/d", &["a b", "c", "d"]);
}

/// The same reading written as separate whole-text steps, each obvious by itself.
fn reference(raw: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_graphic() && !"#?;\\".contains(c);
    if !raw.starts_with('/') || !raw.chars().all(plain) {
        return None;
    }
    let once = reference_decode(raw.as_bytes())?;
    let text = String::from_utf8(once.clone()).ok()?;
    // A slash, a backslash or a semicolon that appears, and any control character, came from an
    // escape.
    let slashes = |text: &str| text.matches('/').count();
    if slashes(&text) != slashes(raw)
        || text.contains(['\\', ';'])
        || text.bytes().any(|b| b.is_ascii_control())
    {
        return None;
    }
    // A second decoding that changes something is a double encoding.
    let doubled = once.windows(3).any(|w| w[0] == b'%' && w[1..].iter().all(u8::is_ascii_hexdigit));
    if doubled {
        return None;
    }
    let segments: Vec<&str> = text.split('/').skip(1).collect();
    let (last, inner) = segments.split_last()?;
    let dots = |segment: &str| matches!(segment, "." | "..");
    if inner.iter().any(|s| s.is_empty()) || dots(last) || inner.iter().any(|s| dots(s)) {
        return None;
    }
    Some(reference_canonical(raw))
}

fn reference_decode(raw: &[u8]) -> Option<Vec<u8>> {
    match raw {
        [] => Some(Vec::new()),
        [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            let digits = [*high, *low];
            let byte = u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
            Some([vec![byte], reference_decode(rest)?].concat())
        }
        [b'%', ..] => None,
        [byte, rest @ ..] => Some([vec![*byte], reference_decode(rest)?].concat()),
    }
}

/// Upper-cases every escape, then spells out the unreserved characters one by one.
fn reference_canonical(raw: &str) -> String {
    let mut parts = raw.split('%');
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        let byte = u8::from_str_radix(digits, 16).unwrap();
        match char::from(byte) {
            c if c.is_ascii_alphanumeric() || "-._~".contains(c) => text.push(c),
            _ => text.extend(["%", &format!("{byte:02X}")]),
        }
        text.push_str(rest);
    }
    text
}

/// Targets made of pieces that attackers combine, so that they meet often.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = proptest::sample::select(vec![
        "/", "/", "/", "a", "admin", "A", ".", "..", "%2e", "%2E", "%", "%2", "2", "5", "25",
        "%25", "2f", "%2f", "%5c", "\\", ";", "%3b", "%61", "%c3%a9", "%c3", "%e9", "%00", "%0a",
        "%7f", "#", "?", " ", "!", "%21", "~", "%7E", "%20", "é", "+",
    ]);
    proptest::collection::vec(pieces, 0..8).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn equals_the_reference(raw in hostile()) {
        let seen = RequestPath::parse(&raw).ok().map(|path| path.as_str().to_owned());
        prop_assert_eq!(seen, reference(&raw));
    }

    #[test]
    fn equals_the_reference_on_any_text(raw in "/?[ -~]{0,20}") {
        let seen = RequestPath::parse(&raw).ok().map(|path| path.as_str().to_owned());
        prop_assert_eq!(seen, reference(&raw));
    }

    #[test]
    fn canonical_is_a_fixed_point(raw in hostile()) {
        if let Ok(path) = RequestPath::parse(&raw) {
            prop_assert_eq!(&RequestPath::parse(path.as_str()).unwrap(), &path);
            prop_assert!(path.covers(&path));
            prop_assert!(path.segments().all(|s| !matches!(s, "" | "." | "..") && !s.contains('/')));
            prop_assert!(!path.as_str().contains("//"));
            prop_assert!(path.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }

    #[test]
    fn covering_equals_comparing_segments(rule in hostile(), target in hostile()) {
        if let (Ok(rule), Ok(target)) = (RequestPath::parse(&rule), RequestPath::parse(&target)) {
            let (r, t): (Vec<_>, Vec<_>) = (rule.segments().collect(), target.segments().collect());
            prop_assert_eq!(rule.covers(&target), t.starts_with(&r));
        }
    }

    #[test]
    fn never_panics(raw in any::<String>()) {
        prop_assert!(RequestTarget::parse(&raw).map_or(true, |target| target.to_string().is_ascii()));
    }
}
