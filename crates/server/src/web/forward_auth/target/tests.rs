//! What proxies really send, and every way in which it can be missing, doubled or unclear.

use super::*;

/// The header lines of a question, and what is read from them: method, scheme, authority, target.
fn read(kind: Kind, lines: &[(&str, &str)]) -> Result<String, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let (target_of_path, authority) = match kind {
        Kind::Envoy => ("/jobs?page=2", "app.example.org"),
        Kind::Nginx | Kind::Traefik | Kind::Caddy | Kind::Haproxy => ("", "gate:8080"),
    };
    let question =
        Question { method: &Method::GET, target: target_of_path, authority, headers: &headers };
    let read = target(kind, &question, Scheme::Https);
    read.map(|target| {
        let Target { method, scheme, authority, target } = target;
        format!("{method} {}://{authority}{target}", scheme.as_str())
    })
    .map_err(|fault| fault.to_string())
}

fn check(kind: Kind, lines: &[(&str, &str)], expected: Result<&str, &str>) {
    let read = read(kind, lines);
    let read = read.as_ref().map(String::as_str).map_err(String::as_str);
    assert_eq!(read, expected, "{kind:?} {lines:?}");
}

const FORWARDED: [(&str, &str); 4] = [
    ("x-forwarded-method", "POST"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "app.example.org"),
    ("x-forwarded-uri", "/jobs?page=2"),
];
const ORIGINAL: [(&str, &str); 2] =
    [("x-original-method", "POST"), ("x-original-url", "https://app.example.org/jobs?page=2")];
const PROTO_ALONE: [(&str, &str); 1] = [("x-forwarded-proto", "https")];

fn lines_of(kind: Kind) -> Vec<(&'static str, &'static str)> {
    match kind {
        Kind::Nginx => ORIGINAL.to_vec(),
        Kind::Traefik | Kind::Caddy | Kind::Haproxy => FORWARDED.to_vec(),
        Kind::Envoy => PROTO_ALONE.to_vec(),
    }
}

#[test]
fn every_kind_has_one_family_of_headers() {
    for kind in Kind::ALL {
        let method = if kind == Kind::Envoy { "GET" } else { "POST" };
        let expected = format!("{method} https://app.example.org/jobs?page=2");
        check(kind, &lines_of(kind), Ok(&expected));
        // What the other families say changes nothing.
        let mut more = lines_of(kind);
        let foreign = |name: &str| !lines_of(kind).iter().any(|(own, _)| *own == name);
        for (name, value) in [
            ("x-forwarded-method", "GET"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-uri", "/public"),
            ("x-original-method", "GET"),
            ("x-original-url", "https://evil.example/public"),
            ("x-original-uri", "/public"),
            ("x-rewrite-url", "/public"),
            ("x-http-method-override", "GET"),
            ("x-forwarded-prefix", "/public"),
            ("x-forwarded-port", "1"),
            ("forwarded", "proto=http;host=evil.example"),
        ] {
            if foreign(name) {
                more.push((name, value));
            }
        }
        check(kind, &more, Ok(&expected));
    }
}

#[test]
fn what_is_missing_doubled_or_empty_is_named() {
    for kind in Kind::ALL {
        for (index, (name, value)) in lines_of(kind).into_iter().enumerate() {
            let mut lines = lines_of(kind);
            let shown = [METHOD, PROTO, HOST, URI, ORIGINAL_METHOD, ORIGINAL_URL]
                .into_iter()
                .find(|shown| shown.eq_ignore_ascii_case(name))
                .unwrap();
            lines.remove(index);
            check(kind, &lines, Err(&format!("the header {shown} is missing")));
            lines.push((name, ""));
            check(kind, &lines, Err(&format!("the header {shown} is empty")));
            lines.pop();
            lines.extend([(name, value), (name, value)]);
            check(kind, &lines, Err(&format!("the header {shown} names more than one")));
            lines.truncate(lines.len() - 2);
            lines.push((name, "\u{e9}"));
            check(kind, &lines, Err(&format!("the header {shown} is not what it should be")));
        }
    }
}

/// One header replaced by another value.
fn with(kind: Kind, name: &'static str, value: &'static str, expected: Result<&str, &str>) {
    let mut lines = lines_of(kind);
    lines.retain(|(held, _)| *held != name);
    lines.push((name, value));
    check(kind, &lines, expected);
}

#[test]
fn values_that_have_no_one_reading() {
    let method = Err("the header X-Forwarded-Method is not what it should be");
    let list = |name: &str| format!("the header {name} names more than one");
    for kind in [Kind::Traefik, Kind::Caddy, Kind::Haproxy] {
        for text in ["GET POST", "GE(T", "/"] {
            with(kind, "x-forwarded-method", text, method);
        }
        with(kind, "x-forwarded-method", "GET, POST", Err(&list(METHOD)));
        with(kind, "x-forwarded-proto", "https,http", Err(&list(PROTO)));
        with(kind, "x-forwarded-host", "a.example, b.example", Err(&list(HOST)));
        for text in ["HTTPS", "ftp", "https:", "wss"] {
            let fault = Err("the header X-Forwarded-Proto is not what it should be");
            with(kind, "x-forwarded-proto", text, fault);
        }
        let other = "the header X-Forwarded-Proto names another scheme than server.public_url, \
                     which is https";
        with(kind, "x-forwarded-proto", "http", Err(other));
        for text in ["a b", "user@a.example", "a.example:x", "a.example/x", "[", "http://a"] {
            let fault = Err("the header X-Forwarded-Host is not what it should be");
            with(kind, "x-forwarded-host", text, fault);
        }
        for text in ["jobs", "?x", "https://app.example.org/jobs", "*"] {
            let fault = Err("the header X-Forwarded-Uri is not what it should be");
            with(kind, "x-forwarded-uri", text, fault);
        }
        for text in ["/%zz", "//admin", "/a/../b", "/a/%2e%2e/b", "/a;b", "/a%2fb", "/a b", "/#"] {
            let fault = Err("the path can be read in two ways");
            with(kind, "x-forwarded-uri", text, fault);
        }
    }
    let url = Err("the header X-Original-URL is not what it should be");
    for text in [
        "%zz",
        "http://[",
        "/jobs",
        "https:///jobs",
        "https://app.example.org",
        "https://app.example.org?x",
        "https://user@app.example.org/jobs",
        "HTTPS://app.example.org/jobs",
        "https:/app.example.org/jobs",
        "https://app.example.org*",
    ] {
        with(Kind::Nginx, "x-original-url", text, url);
    }
    let ambiguous = Err("the path can be read in two ways");
    with(Kind::Nginx, "x-original-url", "https://app.example.org//admin", ambiguous);
    with(Kind::Nginx, "x-original-url", "https://app.example.org/a/..;/b", ambiguous);
    let other = "the header X-Original-URL names another scheme than server.public_url, which is \
                 https";
    with(Kind::Nginx, "x-original-url", "http://app.example.org/jobs", Err(other));
}
