//! What other gates were broken by, each case under its number and name, through every front: the
//! gate itself, alone and behind a proxy, and proxies that ask. Each has a control that passes.

use http::Method;
use serde_json::json;

use super::{Front, Fronted, with_each};
use crate::harness::people::{AGENT, PASSWORD, STAFF, Z1, sign_in};
use crate::harness::raw::exchange;

/// A raw request with this session; the status, and what the application saw.
async fn raw(fronted: &Fronted, target: &str, session: &str, more: &str) -> (u16, Option<String>) {
    let before = fronted.server.upstream.seen().len();
    let host = if more.starts_with("Host:") {
        String::new()
    } else {
        format!("Host: {}\r\n", fronted.address)
    };
    let close = if more.contains("Connection:") { "" } else { "Connection: close\r\n" };
    let request =
        format!("GET {target} HTTP/1.1\r\n{host}Cookie: sessionid={session}\r\n{more}{close}\r\n");
    let status = exchange(fronted.address, request.as_bytes()).await.status();
    let reached = fronted.server.upstream.seen().len() > before;
    (status, reached.then(|| fronted.server.upstream.last().target))
}

/// It must not reach the application, and must not look as if it had.
async fn refused(fronted: &Fronted, target: &str, session: &str, more: &str) -> u16 {
    let (status, reached) = raw(fronted, target, session, more).await;
    let why = format!("{:?}: {target:?} {more:?}: {status}", fronted.front);
    assert_eq!(reached, None, "{why}");
    assert!(!(200..300).contains(&status) && status != 500, "{why}");
    status
}

async fn reaches(fronted: &Fronted, target: &str, session: &str, more: &str) {
    let (status, reached) = raw(fronted, target, session, more).await;
    let why = format!("control: {:?}: {target:?} {more:?}", fronted.front);
    assert_eq!((status, reached.is_some()), (200, true), "{why}");
}

async fn session(fronted: &Fronted, person: &'static crate::harness::people::Person) -> String {
    fronted.server.add(person).await;
    fronted.sign_in(person).await.cookie("sessionid").unwrap()
}

#[tokio::test]
async fn d1_01_cve_2021_32637_a_malformed_address_is_no_yes() {
    with_each(&Front::ALL, async |fronted| {
        let staff = session(fronted, &STAFF).await;
        let long = format!("/{}", "a".repeat(70_000));
        for target in ["/%zz", "/%", "/admin%00", "/\u{1}", "/a\tb", "http://[", "", "*", &long] {
            refused(fronted, target, &staff, "").await;
        }
        reaches(fronted, "/admin", &staff, "").await;
    })
    .await;
}

#[tokio::test]
async fn d1_02_cve_2026_48794_a_host_has_one_spelling() {
    with_each(&Front::ALL, async |fronted| {
        let agent = session(fronted, &AGENT).await;
        let staff = session(fronted, &STAFF).await;
        let port = fronted.address.port();
        for host in [format!("127.0.0.1:{port}"), format!("127.0.0.1.:{port}"), "127.0.0.1".into()]
        {
            let line = format!("Host: {host}\r\n");
            // Spellings of the host of a rule are in `endpoint`; a proxy may refuse some itself.
            let (_, reached) = raw(fronted, "/admin", &agent, &line).await;
            assert_eq!(reached, None, "{:?} {host}", fronted.front);
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example"] {
            let (_, reached) = raw(fronted, "/admin", &staff, &format!("Host: {host}\r\n")).await;
            assert_eq!(reached, None, "{:?} {host}", fronted.front);
        }
        reaches(fronted, "/admin", &staff, "").await;
    })
    .await;
}

#[tokio::test]
async fn d1_04_cve_2026_33495_the_scheme_is_not_the_clients_to_say() {
    with_each(&Front::ALL, async |fronted| {
        let agent = session(fronted, &AGENT).await;
        for line in [
            "X-Forwarded-Proto: https\r\n",
            "X-Forwarded-Proto: http\r\n",
            "X-Forwarded-Proto: evil\r\nX-Forwarded-Proto: http\r\n",
            "X-Forwarded-Ssl: on\r\n",
            "Forwarded: proto=https;host=evil.example\r\n",
        ] {
            reaches(fronted, "/api/x", &agent, line).await;
            let seen = fronted.server.upstream.last().headers;
            let said: Vec<_> = seen.get_all("x-forwarded-proto").iter().collect();
            assert_eq!(said, ["http"], "{:?} {line}", fronted.front);
            assert_eq!(seen.get("forwarded"), None, "{:?} {line}", fronted.front);
            refused(fronted, "/admin", &agent, line).await;
        }
    })
    .await;
}

#[tokio::test]
async fn d1_05_cve_2026_33496_what_is_good_for_one_rule_is_not_for_another() {
    with_each(&Front::ALL, async |fronted| {
        let agent = session(fronted, &AGENT).await;
        for _ in 0..3 {
            reaches(fronted, "/api/leads", &agent, "").await;
            assert_eq!(refused(fronted, "/admin", &agent, "").await, 403);
        }
    })
    .await;
}

#[tokio::test]
async fn d1_07_ghsa_w9mr_28mw_j8hg_connection_drops_nothing_of_ours() {
    with_each(&Front::ALL, async |fronted| {
        let staff = session(fronted, &STAFF).await;
        for named in [
            "close, X-Auth-User",
            "close, Remote-User, X-Auth-Id",
            "keep-alive, x-auth-permissions",
            "X-Auth-Csrf-Token, close",
            "close, X-Forwarded-For",
            "close, Cookie",
        ] {
            let line = format!("Connection: {named}\r\n");
            let (status, reached) = raw(fronted, "/admin", &staff, &line).await;
            if reached.is_some() {
                let seen = fronted.server.upstream.last().headers;
                for name in
                    ["x-auth-user", "x-auth-permissions", "x-auth-csrf-token", "x-forwarded-for"]
                {
                    assert!(seen.contains_key(name), "{:?} {named}: {name}", fronted.front);
                }
            } else {
                assert!([400, 401].contains(&status), "{:?} {named}: {status}", fronted.front);
            }
        }
        reaches(fronted, "/admin", &staff, "Connection: close, X-Something\r\n").await;
    })
    .await;
}

/// Spellings by which applications might find somebody, address or method.
const SMUGGLED: [&str; 26] = [
    "X-Auth-User",
    "x-auth-user",
    "X_Auth_User",
    "X-Auth_User",
    "X.Auth.User",
    "X-AUTH-USER",
    "X-Auth-Email",
    "X-Auth-Name",
    "X-Auth-Role",
    "X-Auth-Permissions",
    "X-Auth-Csrf-Token",
    "X-Auth-Organisation",
    "X-Auth-Assertion",
    "X_Auth_Permissions",
    "X_Forwarded_User",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Prefix",
    "Remote-User",
    "Remote_User",
    "X-Remote-User",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "Proxy",
    "X-Real-IP",
];

#[tokio::test]
async fn d1_08_cve_2025_64484_only_we_say_who_calls() {
    with_each(&Front::ALL, async |fronted| {
        let staff = session(fronted, &STAFF).await;
        for name in SMUGGLED {
            for line in [
                format!("{name}: evil\r\n"),
                format!("{name}: evil\r\n{name}: evil too\r\n"),
                format!("{name}:   evil  \r\n"),
            ] {
                for (target, who) in [("/admin", staff.as_str()), ("/public/x", "")] {
                    reaches(fronted, target, who, &line).await;
                    let seen = fronted.server.upstream.last().headers;
                    let evil = seen.iter().find(|(_, value)| {
                        String::from_utf8_lossy(value.as_bytes()).contains("evil")
                    });
                    assert_eq!(evil, None, "{:?} {target} {line}", fronted.front);
                    let users = seen.get_all("x-auth-user").iter().count();
                    assert_eq!(users, usize::from(!who.is_empty()), "{:?} {line}", fronted.front);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn d1_10_cve_2026_76835_by_default_nobody_may_ask() {
    with_each(&[Front::Gate], async |fronted| {
        let staff = session(fronted, &STAFF).await;
        reaches(fronted, "/admin", &staff, "").await;
        for kind in ["nginx", "caddy", "traefik", "haproxy", "envoy", "envoy/admin"] {
            let lines = "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\n\
                         X-Forwarded-Uri: /public\r\nX-Original-Method: GET\r\n";
            let target = format!("/forward-auth/{kind}");
            assert_eq!(refused(fronted, &target, &staff, lines).await, 403);
        }
    })
    .await;
}

#[tokio::test]
async fn d1_11_ghsa_7rh7_c77v_6434_a_query_is_no_path() {
    with_each(&Front::ALL, async |fronted| {
        let staff = session(fronted, &STAFF).await;
        for target in [
            "/admin?x=/public/",
            "/admin?/healthz",
            "/admin?next=/public",
            "/admin?/-/sign-in",
            "/admin?a=/public/../x",
        ] {
            assert_eq!(refused(fronted, target, "", "").await, 401);
            reaches(fronted, target, &staff, "").await;
            assert_eq!(fronted.server.upstream.last().target, target, "{:?}", fronted.front);
        }
    })
    .await;
}

#[tokio::test]
async fn d1_13_ghsa_5hvv_m4w4_gf6v_a_probe_opens_nothing() {
    with_each(&Front::ALL, async |fronted| {
        let staff = session(fronted, &STAFF).await;
        for agent in ["GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0", "HAProxy"] {
            let line = format!("User-Agent: {agent}\r\n");
            assert_eq!(refused(fronted, "/admin", "", &line).await, 401);
            reaches(fronted, "/admin", &staff, &line).await;
        }
    })
    .await;
}

#[tokio::test]
async fn d1_14_ghsa_f24x_5g9q_753f_one_browser_has_one_person() {
    with_each(&Front::ALL, async |fronted| {
        let first = fronted.server.add(&STAFF).await;
        let second = fronted.server.add(&AGENT).await;
        let browser = fronted.sign_in(&STAFF).await;
        let before = browser.cookie("sessionid").unwrap();
        // Opening the page and leaving it changes nothing.
        assert_eq!(browser.get("/-/sign-in").send().await.status, 200);
        reaches(fronted, "/admin", &before, "").await;
        let user = fronted.server.upstream.last().headers["x-auth-user"].clone();
        assert_eq!(user, first.id.0.to_string());
        // Another one signing in takes nothing over, and the first session is over.
        let answer = sign_in(&browser, "agent", PASSWORD).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let after = browser.cookie("sessionid").unwrap();
        assert_eq!(refused(fronted, "/admin", &before, "").await, 401);
        assert_eq!(refused(fronted, "/admin", &after, "").await, 403);
        reaches(fronted, "/", &after, "").await;
        let user = fronted.server.upstream.last().headers["x-auth-user"].clone();
        assert_eq!(user, second.id.0.to_string(), "{:?}", fronted.front);
    })
    .await;
}

#[tokio::test]
async fn d1_16_cve_2026_42274_a_path_is_judged_and_handed_on_in_one_reading() {
    with_each(&Front::ALL, async |fronted| {
        let agent = session(fronted, &AGENT).await;
        let staff = session(fronted, &STAFF).await;
        for target in [
            "/public/../admin",
            "/public/%2e%2e/admin",
            "/public/..;/admin",
            "/public/%2e%2e%2fadmin",
            "//admin",
            "/public//admin",
            "/admin;x",
            "/admin%2f",
            "/public%2f..%2fadmin",
            "/public\\..\\admin",
            "/admin/.",
            "/%2e/admin",
            "/public/%252e%252e/admin",
            "/admin%0a",
            "/%61dmin",
            "/%61%64%6D%69%6E/x",
            "/admin/",
        ] {
            refused(fronted, target, &agent, "").await;
        }
        for target in ["/admin", "/admin/x", "/%61dmin"] {
            reaches(fronted, target, &staff, "").await;
        }
        // Another name is another path.
        for target in ["/ADMIN", "/administrator"] {
            reaches(fronted, target, &agent, "").await;
            assert_eq!(fronted.server.upstream.last().target, target, "{:?}", fronted.front);
        }
    })
    .await;
}

#[tokio::test]
async fn d1_17_cve_2026_40912_dots_and_encoded_slashes_are_refused() {
    with_each(&Front::ALL, async |fronted| {
        let staff = session(fronted, &STAFF).await;
        for target in ["/./admin", "/api%2fx", "/x/./y", "/x/%2e", "/x/..", "/%2e%2e/x", "/x%5cy"] {
            assert_eq!(refused(fronted, target, &staff, "").await, 400, "{:?}", fronted.front);
        }
        reaches(fronted, "/x/.y", &staff, "").await;
    })
    .await;
}

#[tokio::test]
async fn d1_19_ghsa_6384_m2mw_rf54_a_prefix_changes_nothing() {
    with_each(&Front::ALL, async |fronted| {
        let agent = session(fronted, &AGENT).await;
        let stranger = fronted.client();
        for (name, value) in [
            ("x-forwarded-prefix", "/public"),
            ("x-forwarded-prefix", "//evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-uri", "/public"),
            ("x-original-url", "http://evil.example/public"),
            ("x-script-name", "/public"),
        ] {
            let line = format!("{name}: {value}\r\n");
            assert_eq!(refused(fronted, "/admin", &agent, &line).await, 403, "{line}");
            let page = stranger.get("/admin").header("accept", "text/html").header(name, value);
            let page = page.send().await;
            let location = page.header("location").unwrap();
            assert!(!location.contains("evil") && location.ends_with("%2Fadmin"), "{location}");
        }
        reaches(fronted, "/", &agent, "X-Forwarded-Prefix: /public\r\n").await;
    })
    .await;
}

#[tokio::test]
async fn d1_20_cve_2026_33433_each_name_of_ours_comes_once() {
    with_each(&Front::ALL, async |fronted| {
        let staff = session(fronted, &STAFF).await;
        let lines = "x-auth-user: evil\r\nX-AUTH-USER: evil\r\nX-Auth-Email: evil\r\n\
                     X-Auth-Role: evil\r\nx-forwarded-for: 6.6.6.6\r\n";
        reaches(fronted, "/admin", &staff, lines).await;
        let seen = fronted.server.upstream.last().headers;
        for name in ["x-auth-user", "x-auth-email", "x-auth-role", "x-forwarded-for"] {
            let values: Vec<_> = seen.get_all(name).iter().collect();
            assert_eq!(values.len(), 1, "{:?} {name}", fronted.front);
            assert!(!["evil", "6.6.6.6"].contains(&values[0].to_str().unwrap()), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn d1_22_cve_2025_71399_empty_segments_lead_past_no_rule() {
    with_each(&Front::ALL, async |fronted| {
        let agent = session(fronted, &AGENT).await;
        for target in ["//admin", "///admin", "/admin//", "/./admin", "//api/jobs", "/admin/"] {
            refused(fronted, target, &agent, "").await;
        }
        // The sign-in is one, however it is spelled: no spelling leads to the application.
        for target in ["//api/auth/login", "/./api/auth/login", "/api/auth/login//"] {
            refused(fronted, target, &agent, "").await;
        }
        reaches(fronted, "/api/", &agent, "").await;
    })
    .await;
}

#[tokio::test]
async fn d1_23_cve_2023_30845_the_method_is_the_one_that_is_sent() {
    with_each(&Front::ALL, async |fronted| {
        let server = &fronted.server;
        server.add(&Z1).await;
        let browser = fronted.sign_in(&Z1).await;
        for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
            // The rule `leads` lets GET pass alone.
            let get = browser.get("/api/leads").header(name, "DELETE").send().await;
            assert_eq!(get.status, 200, "{:?}: {get:?}", fronted.front);
            let seen = server.upstream.last();
            assert_eq!((seen.method.as_str(), seen.headers.get(name)), ("GET", None), "{name}");
            let reached = server.upstream.seen().len();
            let delete = browser.request(Method::DELETE, "/api/leads").header(name, "GET");
            let delete = delete.header("x-forwarded-method", "GET");
            let delete = delete.header("x-original-method", "GET").send().await;
            assert_eq!(delete.verdict(), "403 csrf_missing", "{:?}: {delete:?}", fronted.front);
            let post = browser.post("/api/jobs/manage").header(name, "GET").json(&json!({}));
            assert_eq!(post.send().await.verdict(), "403 csrf_missing", "{:?}", fronted.front);
            assert_eq!(server.upstream.seen().len(), reached, "{:?}", fronted.front);
        }
    })
    .await;
}
