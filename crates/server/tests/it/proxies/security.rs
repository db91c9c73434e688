//! The attacks of the security reference that a proxy in between could make possible, under their
//! ids. A73 is `d1_16`, and the other spellings of A71 are `d1_08`.

use std::time::Duration;

use http::Method;
use portcullis_domain::event::Context;
use portcullis_domain::role::Authority;
use portcullis_server::flows::roles::Acting;
use portcullis_server::flows::users;
use serde_json::json;

use super::{Front, Fronted, with_each};
use crate::harness::people::{PASSWORD, STAFF, Z1};
use crate::harness::raw::exchange;

#[tokio::test]
async fn a22_signing_out_is_felt_at_once() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        server.add(&Z1).await;
        let browser = fronted.sign_in(&Z1).await;
        let session = browser.cookie("sessionid").unwrap();
        assert_eq!(browser.get("/api/leads").send().await.status, 200, "control: {front:?}");
        let token = browser.fetch_csrf().await;
        let out = browser.post("/api/auth/logout").header("x-csrf-token", &token).send().await;
        assert_eq!(out.status, 201, "{front:?}: {out:?}");
        let other = fronted.client();
        let stale =
            other.get("/api/leads").header("cookie", &format!("sessionid={session}")).send().await;
        assert_eq!(stale.verdict(), "401 session_ended", "{front:?}: {stale:?}");
        // A bearer is as good as a cookie, and ends as soon.
        let body = json!({"email": Z1.email, "password": PASSWORD});
        let given = other.post("/api/security/mobile-auth").json(&body).send().await;
        let bearer = fronted.client().bearer(given.json()["data"]["token"].as_str().unwrap());
        assert_eq!(bearer.get("/api/leads").send().await.status, 200, "{front:?}");
        let token = bearer.fetch_csrf().await;
        let end = bearer.request(Method::DELETE, "/api/security/mobile-auth");
        assert_eq!(end.header("x-csrf-token", &token).send().await.status, 200, "{front:?}");
        assert_eq!(bearer.get("/api/leads").send().await.status, 401, "{front:?}");
    })
    .await;
}

/// As `portcullis user disable` does it, which is another process.
#[tokio::test]
async fn a22_a_disabled_account_is_shut_out_within_the_bound() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        let user = server.add(&Z1).await;
        server.add(&STAFF).await;
        let [browser, other] = [fronted.sign_in(&Z1).await, fronted.sign_in(&STAFF).await];
        let body = json!({"email": Z1.email, "password": PASSWORD});
        let given = fronted.client().post("/api/security/mobile-auth").json(&body).send().await;
        let bearer = fronted.client().bearer(given.json()["data"]["token"].as_str().unwrap());
        for client in [&browser, &bearer] {
            assert_eq!(client.get("/api/leads").send().await.status, 200, "control: {front:?}");
        }
        let acting = Acting {
            db: &server.app.db,
            random: server.app.random,
            now: server.app.clock.now(),
            authority: &Authority::operator(),
            context: &Context::default(),
        };
        users::disable(&acting, user.id).await.unwrap();
        server.advance(server.app.config.session.revocation_bound);
        let reached = server.upstream.seen().len();
        for client in [&browser, &bearer] {
            let refused = client.get("/api/leads").send().await;
            assert_eq!(refused.verdict(), "401 session_revoked", "{front:?}: {refused:?}");
        }
        assert_eq!(server.upstream.seen().len(), reached, "{front:?}");
        assert_eq!(other.get("/api/leads").send().await.status, 200, "control: {front:?}");
    })
    .await;
}

/// The copy of a `remember` cookie, used after the owner's browser has used it, ends the sign-in for
/// both, also for the proxy that asks.
#[tokio::test]
async fn a32_a_spent_secret_ends_what_it_brought() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        server.add(&Z1).await;
        let holding = |secret: &str| {
            let client = fronted.client();
            client.set_cookie("remember", secret);
            client
        };
        let body = json!({"email": Z1.email, "password": PASSWORD, "remember": true});
        let first = fronted.client();
        assert_eq!(first.post("/api/auth/login").json(&body).send().await.status, 201);
        let stolen = first.cookie("remember").unwrap();
        let browser = holding(&stolen);
        assert_eq!(browser.get("/api/auth/me").send().await.status, 200, "{front:?}");
        assert_eq!(browser.get("/api/leads").send().await.status, 200, "control: {front:?}");
        let reached = server.upstream.seen().len();
        server.advance(Duration::from_secs(20));
        let thief = holding(&stolen).get("/api/auth/me").send().await;
        assert_eq!(thief.verdict(), "401 remember_reused", "{front:?}: {thief:?}");
        assert_eq!(thief.set_cookie("sessionid"), None, "{front:?}");
        let session = fronted.client();
        session.set_cookie("sessionid", &browser.cookie("sessionid").unwrap());
        let refused = session.get("/api/leads").send().await;
        assert_eq!(refused.verdict(), "401 session_ended", "{front:?}: {refused:?}");
        for secret in [stolen, browser.cookie("remember").unwrap()] {
            let refused = holding(&secret).get("/api/leads").send().await;
            assert_eq!(refused.status, 401, "{front:?}: {refused:?}");
        }
        assert_eq!(server.upstream.seen().len(), reached, "{front:?}");
    })
    .await;
}

#[tokio::test]
async fn a71_a_trailer_is_no_header() {
    with_each(&Front::ALL, async |fronted| {
        fronted.server.add(&Z1).await;
        let browser = fronted.sign_in(&Z1).await;
        let head = format!(
            "POST /forms/x HTTP/1.1\r\nHost: {}\r\nCookie: sessionid={}\r\nTE: trailers\r\n\
             Trailer: X-Auth-User\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nX-Auth-User: evil\r\n\
             X_Auth_Role: evil\r\n\r\n",
            fronted.address,
            browser.cookie("sessionid").unwrap()
        );
        let answer = exchange(fronted.address, head.as_bytes()).await;
        assert_eq!(answer.status(), 201, "control: {:?}: {answer:?}", fronted.front);
        let seen = fronted.server.upstream.last();
        assert_eq!(seen.body, "{}", "{:?}", fronted.front);
        assert!(!format!("{seen:?}").contains("evil"), "{:?}: {seen:?}", fronted.front);
    })
    .await;
}

/// Framings that two programs could read differently, each with a second request behind it.
const DOUBTFUL: [&str; 9] = [
    "Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n",
    "Content-Length: 0\r\nContent-Length: {length}\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Content-Length: {length}\r\nTransfer-Encoding: identity\r\n",
    "Transfer-Encoding : chunked\r\n",
    "X: 1\nTransfer-Encoding: chunked\r\nContent-Length: {length}\r\n",
    "Transfer-Encoding: chunked\nX-Auth-User: evil\r\n",
    "X: 1\rTransfer-Encoding: chunked\r\nContent-Length: {length}\r\n",
];

/// A second request hidden in the body of the first reaches nobody, whoever reads the length. A
/// front refuses the first and closes, or takes it in one reading; then the second is either gone, or
/// judged like any other, and it has no credential.
#[tokio::test]
async fn a76_a_request_in_a_body_stays_a_body() {
    with_each(&Front::ALL, async |fronted| {
        fronted.server.add(&STAFF).await;
        let session = fronted.sign_in(&STAFF).await.cookie("sessionid").unwrap();
        let hidden = format!("GET /admin/hidden HTTP/1.1\r\nHost: {}\r\n\r\n", fronted.address);
        let length = hidden.len();
        for framing in DOUBTFUL {
            let framing = framing.replace("{length}", &(length + 5).to_string());
            let before = fronted.server.upstream.seen().len();
            let head = format!(
                "POST /public/x HTTP/1.1\r\nHost: {}\r\nCookie: sessionid={session}\r\n{framing}\
                 \r\n0\r\n\r\n{hidden}",
                fronted.address
            );
            let answer = exchange(fronted.address, head.as_bytes()).await;
            let seen = fronted.server.upstream.seen().split_off(before);
            let why = format!("{:?} {framing:?}: {answer:?}: {seen:?}", fronted.front);
            match answer.status() {
                400 | 501 => assert!(answer.closed && seen.is_empty(), "{why}"),
                201 => {
                    assert_eq!(seen.len(), 1, "{why}");
                    assert!(seen[0].target == "/public/x" && seen[0].body.is_empty(), "{why}");
                    assert!(!format!("{seen:?}").contains("evil"), "{why}");
                    assert_ne!(fronted.front, Front::Gate, "{why}");
                }
                _ => panic!("{why}"),
            }
        }
        let honest = format!(
            "POST /public/x HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{hidden}",
            fronted.address
        );
        let answer = exchange(fronted.address, honest.as_bytes()).await;
        assert_eq!(answer.status(), 201, "control: {:?}: {answer:?}", fronted.front);
        assert_eq!(fronted.server.upstream.last().body, hidden, "{:?}", fronted.front);
    })
    .await;
}

#[tokio::test]
async fn a77_signing_in_leads_nowhere_else() {
    with_each(&Front::ALL, async |fronted| {
        fronted.server.add(&STAFF).await;
        let browser = fronted.sign_in(&STAFF).await;
        let link = async |next: &str| {
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            let page = browser.get(&format!("/-/sign-in?next={next}")).send().await.text();
            let rest = page.split("class=\"button\" href=\"").nth(1).unwrap().to_owned();
            rest.split('"').next().unwrap().to_owned()
        };
        let here = format!("http://{}", fronted.address);
        for elsewhere in [
            "//evil.example",
            "/\\evil.example",
            "https:evil.example",
            &format!("{here}@evil.example/"),
            &format!("{here}.evil.example/"),
            "javascript:alert(1)",
            "/\t/evil.example",
            "http://127.0.0.1:1/",
        ] {
            assert_eq!(link(elsewhere).await, "/", "{:?} {elsewhere:?}", fronted.front);
        }
        let wanted = format!("{here}/jobs?page=2");
        assert_eq!(link(&wanted).await, wanted, "control: {:?}", fronted.front);
        // What is asked for is kept in one piece, whatever stands in it.
        let stranger = fronted.client();
        let path = "/jobs?next=//evil.example&a=%0d%0aX:y";
        let page = stranger.get(path).header("accept", "text/html").send().await;
        let location = page.header("location").unwrap();
        assert!(location.ends_with("%26a%3D%250d%250aX%3Ay"), "{:?}: {location}", fronted.front);
    })
    .await;
}

#[tokio::test]
async fn a78_too_much_is_refused_and_others_are_served() {
    with_each(&Front::ALL, async |fronted| {
        fronted.server.add(&STAFF).await;
        let client = fronted.client();
        let login = |password: String| {
            client.post("/api/auth/login").json(&json!({"username": "staff", "password": password}))
        };
        let long = login("x".repeat(900_000)).send().await;
        assert!(long.status.is_client_error(), "{:?}: {long:?}", fronted.front);
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        let deep = client.post("/api/auth/login").body("application/json", deep).send().await;
        assert_eq!(deep.status, 400, "{:?}", fronted.front);
        let query = format!("/public/x?{}", "a=b&".repeat(100_000));
        let query = format!("GET {query} HTTP/1.1\r\nHost: {}\r\n\r\n", fronted.address);
        let answer = exchange(fronted.address, query.as_bytes()).await;
        assert!(!(200..300).contains(&answer.status()), "{:?}", fronted.front);
        let browser = fronted.sign_in(&STAFF).await;
        assert_eq!(browser.get("/admin").send().await.status, 200, "control: {:?}", fronted.front);
    })
    .await;
}

/// A client of a trusted proxy must not be able to ask in the proxy's name.
#[tokio::test]
async fn questions_of_clients_get_no_answer() {
    with_each(&Front::ALL, async |fronted| {
        fronted.server.add(&STAFF).await;
        let browser = fronted.sign_in(&STAFF).await;
        for path in
            ["/forward-auth/traefik", "/%66orward-auth/traefik", "/forward-auth/envoy/admin"]
        {
            let asked = browser
                .get(path)
                .header("x-forwarded-method", "GET")
                .header("x-forwarded-proto", "http")
                .header("x-forwarded-host", &fronted.address.to_string())
                .header("x-forwarded-uri", "/admin");
            let answer = asked.send().await;
            let named = answer.headers.keys().find(|name| name.as_str().starts_with("x-auth-user"));
            assert_eq!(named, None, "{:?} {path}: {answer:?}", fronted.front);
            // Where the proxy asks, it is a path of the application like any other.
            assert_eq!(answer.status == 200, fronted.front.asks(), "{:?} {path}", fronted.front);
        }
    })
    .await;
}
