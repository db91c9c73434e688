//! A71 and its relatives: who the caller is, and where from, is said to the application by the
//! gate alone, however a client spells it.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::json;

use super::{JOBS, reaches, refused};
use crate::harness::people::{STAFF, Z1};
use crate::harness::raw::exchange;
use crate::harness::{Setup, on_each_database, on_each_database_with};

/// Names that applications read identity, origin, address or method from, in many spellings.
const SMUGGLED: [&str; 40] = [
    "X-Auth-User",
    "x-auth-user",
    "X_Auth_User",
    "X-Auth_User",
    "X.Auth.User",
    "X-AUTH-USER",
    "X-Auth-Email",
    "X-Auth-Permissions",
    "X-Auth-Csrf-Token",
    "X-Auth-Organisation",
    "X-Auth-Id",
    "X-Authenticated-User",
    "Remote-User",
    "REMOTE_USER",
    "X-Remote-User",
    "X-User",
    "X-User-Id",
    "X-Username",
    "X-WebAuth-User",
    "X-Forwarded-User",
    "X_Forwarded_User",
    "X-Forwarded-Email",
    "X-Forwarded-Prefix",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Port",
    "X-ForwardedFor",
    "Forwarded",
    "X-Real-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Client-IP",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Original-Method",
    "X-Host",
    "Proxy",
    "X-MS-CLIENT-PRINCIPAL",
    "X-Portcullis-User",
    "Proxy-Authorization",
];

/// A name as CGI, WSGI or PHP would read it.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

#[tokio::test]
async fn a71_only_the_gate_says_who_is_calling() {
    on_each_database(async |server| {
        let user = server.add(&Z1).await;
        let browser = server.sign_in(&Z1).await;
        let path = "/api/leads";
        reaches(server, browser.get(path), "control").await;
        let honest = server.upstream.last().headers;
        assert_eq!(honest["x-auth-user"], user.id.0.to_string());
        let mut names: Vec<_> = honest.keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        for name in SMUGGLED {
            let get = browser.get(path).header(name, "evil").header(name, "evil too");
            reaches(server, get, name).await;
            let seen = server.upstream.last().headers;
            let mut got: Vec<_> = seen.keys().map(|name| name.as_str().to_owned()).collect();
            got.sort();
            assert_eq!(got, names, "{name}: the application sees the same names");
            for (key, value) in &seen {
                let is_evil = value.to_str().unwrap().contains("evil");
                assert!(!is_evil, "{name} arrived as {key}: {value:?}");
            }
            assert_eq!(seen.get_all("x-auth-user").iter().count(), 1, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a71_a_stranger_is_nobody_behind_an_open_door() {
    on_each_database(async |server| {
        let client = server.client();
        for name in SMUGGLED {
            let get = client.get("/public/page").header(name, "evil");
            reaches(server, get, name).await;
            let seen = server.upstream.last().headers;
            let evil = seen.iter().find(|(_, value)| value.as_bytes() == b"evil");
            assert_eq!(evil, None, "{name}");
            let identity = seen.keys().find(|name| folded(name.as_str()).starts_with("x-auth-"));
            assert_eq!(identity, None, "{name}");
        }
        assert_eq!(server.upstream.last().headers["x-forwarded-for"], "127.0.0.1");
    })
    .await;
}

#[tokio::test]
async fn a71_a_trailer_is_no_header() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let token = browser.fetch_csrf().await;
        let head = format!(
            "POST {JOBS} HTTP/1.1\r\nHost: {}\r\nCookie: sessionid={}\r\nX-CSRF-Token: {token}\r\n\
             TE: trailers\r\nTrailer: X-Auth-User\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nX-Auth-User: evil\r\n\
             X_Auth_Role: evil\r\n\r\n",
            server.address,
            browser.cookie("sessionid").unwrap()
        );
        let answer = exchange(server.address, head.as_bytes()).await;
        assert_eq!(answer.status(), 201, "control: {answer:?}");
        let seen = server.upstream.last();
        assert_eq!(seen.body, "{}");
        assert!(!format!("{seen:?}").contains("evil"), "{seen:?}");
        assert!(!seen.headers.contains_key("trailer") && !seen.headers.contains_key("te"));
    })
    .await;
}

/// CVE-2025-48865, GHSA-w9mr-28mw-j8hg: what `Connection` names is dropped half-way.
#[tokio::test]
async fn connection_cannot_drop_what_we_say() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let get = |value: &str| browser.get("/api/leads").header("connection", value);
        for value in [
            "close, X-Auth-User",
            "close, Remote-User, X-Auth-Id",
            "X-Forwarded-For",
            "x-forwarded-host, close",
            "X_Auth_User",
            "Cookie",
            "Authorization",
            "Host",
            "Origin",
            "X-Request-Id",
        ] {
            refused(server, get(value), "400 connection_names_identity", value).await;
        }
        for value in ["close", "keep-alive", "close, X-Something"] {
            let get = get(value).header("x-something", "1");
            reaches(server, get, value).await;
            let seen = server.upstream.last().headers;
            assert!(seen.contains_key("x-auth-user"), "{value}");
            assert_eq!(seen.contains_key("x-something"), !value.contains("X-Something"));
        }
    })
    .await;
}

#[tokio::test]
async fn our_credentials_stay_with_us() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        browser.set_cookie("theme", "dark");
        reaches(server, browser.get("/api/leads"), "cookie").await;
        assert_eq!(server.upstream.last().headers["cookie"], "theme=dark");
        // Odd spellings of a pair that some server might still read as ours.
        let session = browser.cookie("sessionid").unwrap();
        for line in [
            format!("sessionid ={session}; a=1; sessionid={session}"),
            format!("=sessionid={session}; sessionid={session}; a=1"),
            format!("a=1;sessionid={session};portcullis_device=x;csrftoken=y"),
        ] {
            reaches(server, browser.get("/api/leads").header("cookie", &line), &line).await;
            assert_eq!(server.upstream.last().headers["cookie"], "a=1", "{line}");
        }
        let bearer = server.mobile(&Z1).await;
        reaches(server, bearer.get("/api/leads"), "bearer").await;
        assert!(!server.upstream.last().headers.contains_key("authorization"));
        // Where everybody may pass, what is not ours is the application's own business.
        let client = server.client();
        let foreign = client.get("/public/x").header("authorization", "Basic YTpi");
        reaches(server, foreign, "control").await;
        assert_eq!(server.upstream.last().headers["authorization"], "Basic YTpi");
    })
    .await;
}

#[tokio::test]
async fn an_upstream_that_lies_is_corrected() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let session = browser.cookie("sessionid");
        let lies = Response::builder()
            .header("set-cookie", "sessionid=evil; Path=/")
            .header("set-cookie", "theme=dark; Path=/")
            .header("set-cookie", "csrftoken=evil")
            .header("set-cookie", "=sessionid=evil")
            .header("set-cookie", " sessionid =evil")
            .header("set-cookie", "portcullis_device=evil")
            .header("x-auth-user", "1")
            .header("x_auth_user", "1")
            .header("x-request-id", "evil")
            .header("alt-svc", "h3=\":9443\"")
            .header("strict-transport-security", "max-age=0")
            .header("x-forwarded-for", "evil")
            .header("connection", "x-hop")
            .header("x-hop", "1")
            .header("x-kept", "1");
        server.upstream.answer_next(lies.body(Full::new(Bytes::new())).unwrap());
        let answer = browser.get("/api/leads").send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("set-cookie"), Some("theme=dark; Path=/"));
        assert_eq!(browser.cookie("sessionid"), session);
        assert_eq!(answer.header("x-kept"), Some("1"), "control");
        assert_ne!(answer.header("x-request-id"), Some("evil"));
        for name in ["x-auth-user", "x_auth_user", "alt-svc", "x-forwarded-for", "x-hop"] {
            assert_eq!(answer.header(name), None, "{name}");
        }
        assert_eq!(answer.header("strict-transport-security"), None);
    })
    .await;
}

/// CVE-2026-33495, CVE-2026-76835, GHSA-6384-m2mw-rf54: on a default configuration no peer is
/// believed about the way a request came.
#[tokio::test]
async fn forwarding_headers_of_strangers_change_nothing() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let get = browser
            .get("/api/leads")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "evil.example")
            .header("x-forwarded-for", "203.0.113.9")
            .header("x-forwarded-prefix", "/public")
            .header("user-agent", "kube-probe/1.30 ELB-HealthChecker/2.0");
        reaches(server, get, "signed in").await;
        let seen = server.upstream.last().headers;
        assert_eq!(seen["x-forwarded-proto"], "http");
        assert_eq!(seen["x-forwarded-host"], server.address.to_string().as_str());
        assert_eq!(seen["x-forwarded-for"], "127.0.0.1");
        // GHSA-5hvv-m4w4-gf6v: a probe's User-Agent opens nothing; GHSA-7rh7-c77v-6434: nor a query.
        let stranger = server.client();
        for path in ["/admin?x=/public/", "/admin?/healthz", "/admin?next=/public"] {
            let probe = stranger.get(path).header("user-agent", "GoogleHC/1.0");
            let probe = probe.header("x-forwarded-uri", "/public");
            refused(server, probe, "401 credential_missing", path).await;
        }
        let page = stranger.get("/admin").header("accept", "text/html");
        let page = page.header("x-forwarded-prefix", "//evil").header("x-forwarded-host", "evil");
        let answer = page.send().await;
        assert_eq!(answer.header("location"), Some("/-/sign-in?next=%2Fadmin"));
    })
    .await;
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_about_the_client_alone() {
    let config = Setup::with("[server]\ntrusted_proxies = [\"127.0.0.0/8\"]");
    on_each_database_with(config, async |server| {
        let browser = server.by_cookie(&STAFF).await;
        let send = |name: &'static str, value: &str| browser.get(JOBS).header(name, value);
        let get = send("x-forwarded-for", "6.6.6.6, 203.0.113.9");
        reaches(server, get.header("x-forwarded-proto", "https"), "through a proxy").await;
        let seen = server.upstream.last().headers;
        assert_eq!(seen["x-forwarded-for"], "203.0.113.9");
        assert_eq!(seen["x-forwarded-proto"], "http");
        assert!(seen["host"].to_str().unwrap().parse::<SocketAddr>().is_ok());
        let token = browser.fetch_csrf().await;
        let post = browser.post(JOBS).header("x-csrf-token", &token).json(&json!({}));
        reaches(server, post.header("x-forwarded-for", "unknown"), "a garbled list").await;
        assert_eq!(server.upstream.last().headers["x-forwarded-for"], "127.0.0.1");
    })
    .await;
}
