//! The endpoint as each kind of proxy asks it, by the headers that they really send. Traefik and
//! Envoy are here alone: the others also run, in `every`.

use http::Method;

use crate::harness::client::{Answer, Client};
use crate::harness::database;
use crate::harness::people::{AGENT, STAFF, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const CONFIG: &str = r#"
    [server]
    public_url = "https://app.example.org"
    trusted_proxies = ["127.0.0.1"]
    [mail]
    transport = "file:outbox"
    [gate]
    rule = [
        { id = "public", path = "/public", allow = "anyone" },
        { id = "all", path = "/", allow = "signed_in" },
        { id = "admin", path = "/admin", allow = { account_type = "staff" } },
        { id = "jobs", path = "/api/jobs", allow = { permission = "api.jobs.manage.manage" } },
        { id = "wiki", host = "wiki.example.org", path = "/", allow = { account_type = "staff" } },
    ]
    [limits]
    requests = "5/60s"
"#;

const HOST: &str = "app.example.org";

/// A question as this kind of proxy sends it, about this request.
struct Asked<'a> {
    kind: &'static str,
    method: &'a str,
    host: &'a str,
    target: &'a str,
}

impl Asked<'_> {
    /// Path of the question, its method, and its lines.
    async fn ask(&self, client: &Client, more: &[(&str, &str)]) -> Answer {
        let Self { kind, method, host, target } = self;
        let url = format!("https://{host}{target}");
        let forwarded = [
            ("x-forwarded-method", *method),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", *host),
            ("x-forwarded-uri", *target),
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-server", "0a1b2c3d4e5f"),
        ];
        let (asked, path, lines): (_, _, Vec<(&str, &str)>) = match *kind {
            "nginx" => {
                let lines = vec![
                    ("host", *host),
                    ("x-original-method", *method),
                    ("x-original-url", url.as_str()),
                    ("x-forwarded-for", "203.0.113.7"),
                ];
                (Method::GET, "/forward-auth/nginx".to_owned(), lines)
            }
            // Traefik asks with the host of the address that it was given.
            "traefik" => (Method::GET, "/forward-auth/traefik".to_owned(), forwarded.to_vec()),
            "caddy" | "haproxy" => {
                let lines = [[("host", *host)].as_slice(), &forwarded[..5]].concat();
                (Method::GET, format!("/forward-auth/{kind}"), lines)
            }
            _ => {
                let lines = vec![
                    ("host", *host),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-for", "203.0.113.7"),
                    ("x-envoy-internal", "true"),
                    ("content-length", "0"),
                ];
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                (method, format!("/forward-auth/envoy{target}"), lines)
            }
        };
        let mut sending = client.request(asked, &path);
        for (name, value) in lines.into_iter().chain(more.iter().copied()) {
            sending = sending.header(name, value);
        }
        sending.send().await
    }
}

const KINDS: [&str; 5] = ["nginx", "traefik", "caddy", "haproxy", "envoy"];

fn get<'a>(kind: &'static str, target: &'a str) -> Asked<'a> {
    Asked { kind, method: "GET", host: HOST, target }
}

async fn session_of(server: &TestApp, person: &'static crate::harness::people::Person) -> Client {
    server.add(person).await;
    let body = serde_json::json!({
        "username": person.username, "password": crate::harness::people::PASSWORD
    });
    let client = server.client();
    let login = client.post("/api/auth/login").header("host", HOST).json(&body).send().await;
    assert_eq!(login.status, 201, "{login:?}");
    client
}

#[tokio::test]
async fn yes_brings_who_it_is_and_nothing_else() {
    on_each_database_with(Setup::with(CONFIG), async |server| {
        let browser = session_of(server, &STAFF).await;
        for kind in KINDS {
            let answer = get(kind, "/admin?page=2").ask(&browser, &[]).await;
            assert_eq!(answer.status, 200, "{kind}: {answer:?}");
            assert!(answer.body.is_empty(), "{kind}");
            assert_eq!(answer.header("x-auth-email"), Some("staff@example.com"), "{kind}");
            assert_eq!(answer.header("x-auth-permissions"), Some("*"), "{kind}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{kind}");
            assert_eq!(answer.header("vary"), Some("Cookie, Authorization, X-API-Key"), "{kind}");
            let nobody = get(kind, "/public/x").ask(&server.client(), &[]).await;
            assert_eq!(nobody.status, 200, "{kind}: {nobody:?}");
            let named = nobody.headers.keys().find(|name| name.as_str().starts_with("x-auth-"));
            assert_eq!(named, None, "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn no_is_401_for_scripts_and_the_way_to_sign_in_for_people() {
    on_each_database_with(Setup::with(CONFIG), async |server| {
        let stranger = server.client();
        let way =
            "https://app.example.org/-/sign-in?next=https%3A%2F%2Fapp.example.org%2Fadmin%3Fa%3Db";
        for kind in KINDS {
            let asked = get(kind, "/admin?a=b");
            let script = asked.ask(&stranger, &[("accept", "*/*")]).await;
            assert_eq!(script.verdict(), "401 credential_missing", "{kind}");
            assert_eq!(script.header("x-auth-code"), Some("credential_missing"), "{kind}");
            assert_eq!(script.header("x-auth-sign-in"), None, "{kind}");
            assert_eq!(script.header("vary"), Some("Cookie, Authorization, X-API-Key"), "{kind}");
            for line in [("sec-fetch-mode", "navigate"), ("accept", "text/html")] {
                let person = asked.ask(&stranger, &[line]).await;
                if kind == "nginx" {
                    assert_eq!(person.verdict(), "401 credential_missing", "{kind}");
                    assert_eq!(person.header("x-auth-sign-in"), Some(way), "{kind}");
                } else {
                    assert_eq!(person.status, 302, "{kind}: {person:?}");
                    assert_eq!(person.header("location"), Some(way), "{kind}");
                }
            }
            // What was posted cannot be asked for again; a bad bearer is not helped by a cookie.
            let post = Asked { method: "POST", ..get(kind, "/admin") };
            let post = post.ask(&stranger, &[("sec-fetch-mode", "navigate")]).await;
            assert_eq!(post.status, 401, "{kind}");
            let lines = [("authorization", "Bearer x"), ("sec-fetch-mode", "navigate")];
            assert_eq!(asked.ask(&stranger, &lines).await.status, 401, "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_may_not_learns_the_rule() {
    on_each_database_with(Setup::with(CONFIG), async |server| {
        let browser = session_of(server, &AGENT).await;
        for kind in KINDS {
            let answer = get(kind, "/admin").ask(&browser, &[]).await;
            assert_eq!(answer.verdict(), "403 account_type", "{kind}");
            assert_eq!(answer.header("x-auth-rule"), Some("admin"), "{kind}");
            let page = get(kind, "/admin").ask(&browser, &[("accept", "text/html")]).await;
            assert_eq!(page.status, 403, "{kind}");
            assert_eq!(get(kind, "/x").ask(&browser, &[]).await.status, 200, "control: {kind}");
        }
    })
    .await;
}

/// CVE-2026-48794: the rule of a host is found however the host is spelled.
#[tokio::test]
async fn a_host_has_one_spelling() {
    on_each_database_with(Setup::with(CONFIG), async |server| {
        let agent = session_of(server, &AGENT).await;
        let staff = session_of(server, &STAFF).await;
        for kind in KINDS {
            let wiki = |host| Asked { kind, method: "GET", host, target: "/page" };
            for host in [
                "wiki.example.org",
                "WIKI.Example.ORG",
                "wiki.example.org.",
                "wiki.example.org:443",
                "Wiki.example.org.:443",
            ] {
                let refused = wiki(host).ask(&agent, &[]).await;
                assert_eq!(refused.verdict(), "403 account_type", "{kind} {host}");
                let allowed = wiki(host).ask(&staff, &[]).await;
                assert_eq!(allowed.status, 200, "control: {kind} {host}");
            }
            for host in ["wiki.example.org:8443", "evil.example", "xn--wki-2oa.example.org"] {
                let unknown = wiki(host).ask(&staff, &[]).await;
                assert_eq!(unknown.verdict(), "421 unknown_host", "{kind} {host}");
            }
        }
    })
    .await;
}

/// CVE-2026-40575 and its like: what a client says beside the proxy's own headers.
#[tokio::test]
async fn other_families_and_user_agents_change_nothing() {
    on_each_database_with(Setup::with(CONFIG), async |server| {
        let agent = session_of(server, &AGENT).await;
        for kind in KINDS {
            let foreign: &[(&str, &str)] = match kind {
                "nginx" | "envoy" => &[
                    ("x-forwarded-uri", "/public"),
                    ("x-forwarded-host", "evil.example"),
                    ("x-forwarded-method", "OPTIONS"),
                ],
                _ => &[
                    ("x-original-url", "https://app.example.org/public"),
                    ("x-original-method", "OPTIONS"),
                ],
            };
            for (name, value) in foreign.iter().chain(&[
                ("x-rewrite-url", "/public"),
                ("x-original-uri", "/public"),
                ("x-http-method-override", "GET"),
                ("x-forwarded-prefix", "/public"),
                ("user-agent", "kube-probe/1.30"),
                ("forwarded", "host=evil.example;proto=http"),
            ]) {
                let answer = get(kind, "/admin").ask(&agent, &[(name, value)]).await;
                assert_eq!(answer.verdict(), "403 account_type", "{kind} {name}");
                let post = Asked { method: "DELETE", ..get(kind, "/x") };
                let answer = post.ask(&agent, &[(name, value)]).await;
                assert_eq!(answer.verdict(), "403 csrf_missing", "{kind} {name}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_clear_is_refused() {
    on_each_database_with(Setup::with(CONFIG), async |server| {
        let staff = session_of(server, &STAFF).await;
        for kind in KINDS {
            for target in ["/%zz", "//admin", "/public/../admin", "/admin;x", "/admin%2f"] {
                let answer = get(kind, target).ask(&staff, &[]).await;
                assert_eq!(answer.verdict(), "400 ambiguous_path", "{kind} {target}");
            }
            let odd = Asked { method: "get", ..get(kind, "/admin") }.ask(&staff, &[]).await;
            assert_eq!(odd.verdict(), "405 method_not_allowed", "{kind}");
            let doubled: &[(&str, &str)] = match kind {
                "nginx" => &[("x-original-url", "https://app.example.org/public")],
                "envoy" => &[("x-forwarded-proto", "https")],
                _ => &[("x-forwarded-uri", "/public")],
            };
            let answer = get(kind, "/admin").ask(&staff, doubled).await;
            assert_eq!(answer.verdict(), "400 forwarded_target", "{kind}");
            let text = answer.text().to_lowercase();
            assert!(text.contains(doubled[0].0), "{kind}: {answer:?}");
            assert!(text.contains("the proxy at 127.0.0.1 asks"), "{kind}: {answer:?}");
        }
        for path in
            ["/forward-auth", "/forward-auth/", "/forward-auth/apache", "/forward-auth/nginx/x"]
        {
            let answer = staff.get(path).header("host", HOST).send().await;
            assert_eq!(answer.verdict(), "404 not_found", "{path}");
        }
        let answer = staff.get("/forward-auth/traefik").send().await;
        assert_eq!(answer.verdict(), "400 forwarded_target", "nothing is said at all");
    })
    .await;
}

#[tokio::test]
async fn only_trusted_peers_may_ask() {
    let config = CONFIG.replace("127.0.0.1", "10.9.8.7");
    on_each_database_with(Setup::with(&config), async |server| {
        let staff = session_of(server, &STAFF).await;
        for kind in KINDS {
            let answer = get(kind, "/admin").ask(&staff, &[]).await;
            assert_eq!(answer.verdict(), "403 untrusted_proxy", "{kind}");
            let text = answer.text();
            assert!(
                text.contains("127.0.0.1") && text.contains("server.trusted_proxies"),
                "{text}"
            );
        }
    })
    .await;
    on_each_database(async |server| {
        let answer = get("nginx", "/public").ask(&server.client(), &[]).await;
        assert_eq!(answer.verdict(), "403 untrusted_proxy", "by default");
    })
    .await;
}

#[tokio::test]
async fn tokens_are_spent_by_the_question() {
    on_each_database_with(Setup::with(CONFIG), async |server| {
        let browser = session_of(server, &Z1).await;
        for kind in KINDS {
            let fetched = browser.get("/api/security/csrf-token").header("host", HOST).send().await;
            let token = fetched.json()["data"]["token"].as_str().unwrap().to_owned();
            let post = Asked { method: "POST", ..get(kind, "/api/jobs/manage") };
            assert_eq!(post.ask(&browser, &[]).await.verdict(), "403 csrf_missing", "{kind}");
            // A proxy that sends the body along changes nothing: nobody looks into it.
            let path =
                format!("/forward-auth/{kind}{}", if kind == "envoy" { post.target } else { "" });
            let form = [("csrf_token", token.as_str())];
            let mut sending = browser.post(&path).header("host", HOST).form(&form);
            for (name, value) in [
                ("x-original-method", "POST"),
                ("x-original-url", "https://app.example.org/api/jobs/manage"),
                ("x-forwarded-method", "POST"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", HOST),
                ("x-forwarded-uri", "/api/jobs/manage"),
            ] {
                sending = sending.header(name, value);
            }
            assert_eq!(sending.send().await.verdict(), "403 csrf_missing", "{kind}");
            let with = [("x-csrf-token", token.as_str())];
            let first = post.ask(&browser, &with).await;
            assert_eq!(first.status, 200, "{kind}: {first:?}");
            let again = post.ask(&browser, &with).await;
            assert_eq!(again.verdict(), "403 csrf_used", "{kind}");
            let next = first.header("x-csrf-token").unwrap();
            let second = post.ask(&browser, &[("x-csrf-token", next)]).await;
            assert_eq!(second.status, 200, "{kind}: {second:?}");
            // The request limit would be used up: five in a minute.
            server.advance(std::time::Duration::from_mins(1));
        }
    })
    .await;
}

/// Whatever of a handshake the proxy hands on: pages of other sites open none.
#[tokio::test]
async fn a_websocket_is_for_our_own_pages() {
    on_each_database_with(Setup::with(CONFIG), async |server| {
        let browser = session_of(server, &Z1).await;
        let evil = ("origin", "https://evil.example");
        let own = ("origin", "https://app.example.org");
        for kind in KINDS {
            let asked = get(kind, "/socket");
            for sign in [
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("sec-websocket-version", "13"),
                ("upgrade", "websocket"),
                ("upgrade", "WebSocket"),
                ("sec-fetch-mode", "websocket"),
            ] {
                for from in [&[evil][..], &[("sec-fetch-site", "cross-site"), evil]] {
                    let answer = asked.ask(&browser, &[from, &[sign]].concat()).await;
                    assert_eq!(answer.verdict(), "403 csrf_origin", "{kind} {sign:?}");
                }
                let answer = asked.ask(&browser, &[sign, own]).await;
                assert_eq!(answer.status, 200, "control: {kind} {sign:?}: {answer:?}");
                let stranger = asked.ask(&server.client(), &[sign, own]).await;
                assert_eq!(stranger.status, 401, "{kind} {sign:?}: {stranger:?}");
            }
            let plain = asked.ask(&browser, &[evil]).await;
            assert_eq!(plain.status, 200, "control: {kind}: a plain GET changes nothing");
        }
    })
    .await;
}

/// A76 where the proxy would switch to whatever it is asked for.
#[tokio::test]
async fn a76_no_other_protocol_is_switched_to() {
    on_each_database_with(Setup::with(CONFIG), async |server| {
        let staff = session_of(server, &STAFF).await;
        for kind in KINDS {
            for target in ["/public/x", "/admin"] {
                let asked = get(kind, target);
                for offers in [
                    &["h2c"][..],
                    &["H2C"],
                    &["TLS/1.0"],
                    &["websocket, h2c"],
                    &["h2c,websocket"],
                    &["websocket", "h2c"],
                    &["h2c", "websocket"],
                    &["websocket", "websocket"],
                    &["websockets"],
                    &[""],
                ] {
                    let lines: Vec<_> = offers.iter().map(|offer| ("upgrade", *offer)).collect();
                    let answer = asked.ask(&staff, &lines).await;
                    assert_eq!(answer.verdict(), "400 upgrade_refused", "{kind} {offers:?}");
                }
                for lines in [&[("upgrade", "WebSocket")][..], &[("http2-settings", "AAMA")]] {
                    let answer = asked.ask(&staff, lines).await;
                    assert_eq!(answer.status, 200, "control: {kind} {lines:?}: {answer:?}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn questions_are_not_counted_and_carry_the_clients_address() {
    let server = TestApp::start(database::kinds()[0], &Setup::with(CONFIG)).await;
    let agent = session_of(&server, &AGENT).await;
    for _ in 0..20 {
        assert_eq!(get("caddy", "/x").ask(&agent, &[]).await.status, 200);
    }
    assert_eq!(get("caddy", "/admin").ask(&agent, &[]).await.status, 403);
    let event = server.events("authz_fail", 1).await.remove(0);
    assert_eq!(event.context.ip.as_deref(), Some("203.0.113.7"));
    assert!(event.detail.to_string().contains("\"/admin\""), "{event:?}");
    server.finish().await;
}

/// The sign-in page leads on to every host that a rule names, and says why somebody who is signed
/// in was sent back to it.
#[tokio::test]
async fn the_page_leads_to_the_hosts_of_rules_and_ends_a_circle() {
    let shared = format!("{CONFIG}\n[cookies]\ndomain = \"example.org\"");
    for (config, said) in
        [(CONFIG, "cookies.domain"), (shared.as_str(), "does not hand the cookie")]
    {
        on_each_database_with(Setup::with(config), async |server| {
            let browser = session_of(server, &STAFF).await;
            let page = async |next: &str| {
                let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
                let page = browser.get(&format!("/-/sign-in?next={next}")).header("host", HOST);
                page.send().await.text()
            };
            let text = page("https://wiki.example.org/page?a=b").await;
            assert!(text.contains("href=\"https://wiki.example.org/page?a=b\""), "{text}");
            assert!(text.contains(said), "{text}");
            for elsewhere in
                ["https://evil.example/", "http://wiki.example.org/", "https://wiki.example.org:1/"]
            {
                let text = page(elsewhere).await;
                assert!(text.contains("href=\"/\"") && !text.contains(said), "{text}");
            }
            assert!(!page("/jobs").await.contains("leads you back"));
        })
        .await;
    }
}
