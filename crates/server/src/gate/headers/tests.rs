//! Tables of what clients and upstreams try, and what is left of it.

use std::net::Ipv4Addr;

use super::*;

fn map(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn lines(headers: &HeaderMap) -> Vec<(&str, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
}

/// Of `sent`, only `left` goes on.
#[track_caller]
fn check(sent: &[(&str, &str)], left: &[(&str, &str)]) {
    let mut headers = map(sent);
    assert_eq!(strip_request(&mut headers), Ok(()), "{sent:?}");
    assert_eq!(lines(&headers), lines(&map(left)), "{sent:?}");
}

#[test]
fn a71_no_spelling_of_an_identity_header_passes() {
    let names = [
        "X-Auth-User",
        "x-auth-user",
        "X_Auth_User",
        "X-Auth_User",
        "X.Auth.User",
        "x-auth-anything",
        "X-User",
        "X-User-Id",
        "X_User_Id",
        "X-Username",
        "Remote-User",
        "REMOTE_USER",
        "Remote.User",
        "X-Remote-User",
        "X-Remote-Group",
        "X-WebAuth-User",
        "X-Forwarded-User",
        "X_Forwarded_User",
        "X-Forwarded-For",
        "x_forwarded_for",
        "X-Forwarded.For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
        "X-Forwarded-Port",
        "X-Forwarded-Client-Cert",
        "X-Forwarded",
        "Forwarded",
        "X-Original-URL",
        "X-Original-Method",
        "X_Original_URL",
        "X-Rewrite-URL",
        "X-HTTP-Method",
        "X-HTTP-Method-Override",
        "X_HTTP_Method_Override",
        "X-Method-Override",
        "X-MS-Client-Principal",
        "X-MS-CLIENT-PRINCIPAL-ID",
        "Proxy",
        "Proxy-Authorization",
        "Proxy-Connection",
        "X-Real-IP",
        "X_Real_IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "Fastly-Client-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "X-Request-Id",
        "X-Portcullis-Malformed",
        "X-Authentik-Username",
        "X-Amzn-Oidc-Identity",
        "X-Goog-Authenticated-User-Email",
        "X-Envoy-Original-Path",
        "SSL-Client-Verify",
        "X-SSL-Client-CN",
        "X-Host",
        "X-Scheme",
        "Front-End-Https",
        // No identity, but an underscore.
        "api_key",
        "_",
        "x_custom",
    ];
    for name in names {
        check(
            &[("accept", "a"), (name, "admin"), (name, "root"), ("x-b", "b")],
            &[("accept", "a"), ("x-b", "b")],
        );
    }
}

#[test]
fn other_headers_pass() {
    let names = [
        "Accept",
        "Authorization",
        "Content-Length",
        "Content-Type",
        "Cookie",
        "Host",
        "Origin",
        "Range",
        "Referer",
        "Sec-Fetch-Site",
        "User-Agent",
        "X-API-Key",
        "X-CSRF-Token",
        "X-Requested-With",
        "X-Custom.Name",
        "Auth-User",
        "X-Authority",
        "Remoteness",
        "X-Realm",
        "Traceparent",
        "X-Hostname",
        "CFX",
    ];
    for name in names {
        check(&[(name, "a"), (name, "b")], &[(name, "a"), (name, "b")]);
    }
}

#[test]
fn hop_by_hop_headers_and_those_named_go() {
    check(
        &[
            ("connection", "close, X-Mine"),
            ("connection", "keep-alive,,upgrade ,\tx-other , HTTP2-Settings"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("trailer", "x-sum"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQAAP__"),
            ("x-mine", "1"),
            ("x-other", "2"),
            ("x-third", "3"),
        ],
        &[("x-third", "3")],
    );
    check(&[("connection", "close"), ("x-a", "1")], &[("x-a", "1")]);
    check(&[("connection", "\u{e9}, (), x a"), ("x-a", "1")], &[("x-a", "1")]);
}

#[test]
fn connection_may_not_name_who_asks() {
    let options = [
        "X-Forwarded-For",
        "x-forwarded-host",
        "close, Remote-User, X-Auth-Id",
        "X_Auth_User",
        "x-auth-user",
        "Forwarded",
        "X-Real-IP",
        "x-request-id",
        "Host",
        "Cookie",
        "Authorization",
        "X-API-Key",
        "Origin",
        "content-length",
        "keep-alive,X-FORWARDED-PROTO",
    ];
    for option in options {
        for before in [&[][..], &[("connection", "close")]] {
            let mut headers = map(&[before, &[("connection", option)]].concat());
            let refusal = strip_request(&mut headers);
            assert_eq!(refusal, Err(Refusal::ConnectionNamesIdentity), "{option}");
        }
    }
    assert_eq!(Refusal::ConnectionNamesIdentity.code(), "connection_names_identity");
    check(&[("connection", "proxy-connection, te"), ("proxy-connection", "x")], &[]);
}

#[test]
fn ours_are_set_once_and_last() {
    let mut headers = map(&[("X-Auth-User", "1"), ("X-Forwarded-For", "6.6.6.6"), ("host", "a")]);
    strip_request(&mut headers).unwrap();
    let forwarded = Forwarded {
        client: Ipv4Addr::new(192, 0, 2, 7).into(),
        proto: "https",
        host: "a.example:8443",
        request_id: "0190",
    };
    set_forwarded(&mut headers, &forwarded);
    let identity = Identity {
        user: "42",
        email: "anna@example.com",
        name: "Anna Smith",
        role: "staff",
        organisation: None,
        permissions: "api.jobs.manage,api.leads.view",
        csrf_token: Some("aa"),
    };
    set_identity(&mut headers, &identity);
    let mut expected = vec![
        ("host", "a"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "a.example:8443"),
        ("x-request-id", "0190"),
        ("x-auth-user", "42"),
        ("x-auth-email", "anna@example.com"),
        ("x-auth-name", "Anna Smith"),
        ("x-auth-role", "staff"),
        ("x-auth-permissions", "api.jobs.manage,api.leads.view"),
        ("x-auth-csrf-token", "aa"),
    ];
    assert_eq!(lines(&headers), lines(&map(&expected)));
    set_identity(&mut headers, &Identity { organisation: Some("acme"), ..identity });
    expected.push(("x-auth-organisation", "acme"));
    assert_eq!(lines(&headers), lines(&map(&expected)));
}

#[test]
fn values_are_encoded_so_that_decoding_gives_the_text_back() {
    let table = [
        ("plain", "plain"),
        ("", ""),
        ("Anna Smith", "Anna Smith"),
        (" a  b ", "%20a %20b%20"),
        (" ", "%20"),
        ("100%", "100%25"),
        ("Zo\u{eb}", "Zo%C3%AB"),
        ("a\r\nX-Auth-Role: owner", "a%0D%0AX-Auth-Role: owner"),
        ("tab\there", "tab%09here"),
        ("\0\u{7f}", "%00%7F"),
        ("\u{1f600}", "%F0%9F%98%80"),
    ];
    for (text, encoded) in table {
        assert_eq!(encode(text), encoded);
    }
}

#[test]
fn consumed_credentials_go_and_others_stay() {
    let sent = [("authorization", "Bearer x"), ("x-api-key", "k"), ("accept", "a")];
    let table = [
        (Consumed::Nothing, vec!["authorization", "x-api-key", "accept"]),
        (Consumed::Authorization, vec!["x-api-key", "accept"]),
        (Consumed::ApiKey, vec!["authorization", "accept"]),
    ];
    for (consumed, mut left) in table {
        let mut headers = map(&sent);
        remove_consumed(&mut headers, consumed);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        left.sort_unstable();
        assert_eq!(names, left);
    }
}

const OWN: [&str; 3] = ["sessionid", "csrftoken", "__Host-s"];

#[test]
fn own_cookies_do_not_reach_the_upstream() {
    let table: &[(&[&str], &[&str])] = &[
        (&[], &[]),
        (&["a=1; b=2"], &["a=1; b=2"]),
        (&["a=1;b=2;"], &["a=1;b=2;"]),
        (&["sessionid=x"], &[]),
        (&["a=1; sessionid=x; b=2; csrftoken=y"], &["a=1; b=2"]),
        (&["sessionid=x;sessionid=y;a=1"], &["a=1"]),
        (&["a=1", "sessionid=x", "b=2"], &["a=1; b=2"]),
        (&[" sessionid = x ; a=\"1\""], &["a=\"1\""]),
        (&["sessionid; a"], &["a"]),
        (&["=sessionid=x; a=1"], &["a=1"]),
        (
            &["__Host-s=x; __host-s=y; Sessionid=z; sessionid2=u"],
            &["__host-s=y; Sessionid=z; sessionid2=u"],
        ),
        (&["a=caf\u{e9}; sessionid=x"], &["a=caf\u{e9}"]),
        (&["a=sessionid=1; b"], &["a=sessionid=1; b"]),
    ];
    for (sent, left) in table {
        let mut headers = map(&sent.iter().map(|line| ("cookie", *line)).collect::<Vec<_>>());
        remove_own_cookies(&mut headers, &OWN);
        let left = map(&left.iter().map(|line| ("cookie", *line)).collect::<Vec<_>>());
        assert_eq!(lines(&headers), lines(&left), "{sent:?}");
    }
}

#[test]
fn an_upstream_cannot_set_our_cookies() {
    let table: &[(&str, Option<&str>)] = &[
        ("a=1; Path=/", None),
        ("sessionid=x; Path=/", Some("sessionid")),
        (" sessionid =x", Some("sessionid")),
        ("\tcsrftoken\t=x", Some("csrftoken")),
        ("sessionid", Some("sessionid")),
        ("=sessionid=x", Some("sessionid")),
        ("= sessionid=x; Domain=example.com", Some("sessionid")),
        ("__Host-s=; Max-Age=0", Some("__Host-s")),
        ("SessionId=x", None),
        ("app_sessionid=x", None),
        ("a=sessionid=x", None),
        ("a=1; sessionid=x", None),
        ("", None),
    ];
    for (line, expected) in table {
        let mut headers =
            map(&[("set-cookie", "k=1"), ("set-cookie", line), ("set-cookie", "l=2")]);
        let refused = strip_response(&mut headers, &OWN);
        assert_eq!(refused, Vec::from_iter(expected.map(String::from)), "{line}");
        let kept = headers.get_all("set-cookie").iter().count();
        assert_eq!(kept, if expected.is_some() { 2 } else { 3 }, "{line}");
    }
}

#[test]
fn an_upstream_does_not_speak_in_our_name() {
    let mut headers = map(&[
        ("connection", "x-hop, close"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("content-length", "5"),
        ("x-auth-user", "1"),
        ("x-auth-csrf-token", "1"),
        ("x-forwarded-for", "1"),
        ("x-request-id", "theirs"),
        ("alt-svc", "h3=\":8443\""),
        ("proxy-authenticate", "Basic"),
        ("strict-transport-security", "max-age=0; includeSubDomains"),
        ("content-type", "text/html"),
        ("content-security-policy", "default-src 'self'"),
        ("x_app", "1"),
    ]);
    assert!(strip_response(&mut headers, &OWN).is_empty());
    let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["content-type", "content-security-policy", "x_app"]);
    let table = [
        ("max-age=31536000", true),
        ("max-age=0", false),
        ("includeSubDomains; Max-Age=\"000\"", false),
        ("max-age = 0", false),
        ("max-age=", false),
        ("max-age=10", true),
    ];
    for (value, kept) in table {
        let mut headers = map(&[("strict-transport-security", value), ("content-length", "5")]);
        strip_response(&mut headers, &OWN);
        assert_eq!(headers.contains_key("strict-transport-security"), kept, "{value}");
        assert!(headers.contains_key("content-length"));
    }
}
