//! What every way of putting a proxy in front must do, with the examples of the handbook.

use serde_json::json;

use super::{Front, Fronted, with_each};
use crate::harness::people::{PASSWORD, STAFF, STAFF0, Z1};

const JOBS: &str = "/api/jobs/manage";

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn scripts_get_401_and_people_the_sign_in_page() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        server.add(&STAFF).await;
        let stranger = fronted.client();
        let script = stranger.get("/admin?page=2").send().await;
        assert_eq!(script.verdict(), "401 credential_missing", "{front:?}: {script:?}");
        assert_eq!(script.header("www-authenticate"), Some("Bearer realm=\"auth\""), "{front:?}");
        assert_eq!(script.header("cache-control"), Some("no-store"), "{front:?}");

        let accept = stranger.get("/admin?page=2").header("accept", "text/html,*/*");
        let navigate = stranger.get("/admin?page=2").header("sec-fetch-mode", "navigate");
        for person in [accept, navigate] {
            let answer = person.send().await;
            assert_eq!(answer.status, 302, "{front:?}: {answer:?}");
            let expected = if front.asks() {
                let base = format!("http://{}", fronted.address);
                let next = encoded(&format!("{base}/admin?page=2"));
                format!("{base}/-/sign-in?next={next}")
            } else {
                "/-/sign-in?next=%2Fadmin%3Fpage%3D2".to_owned()
            };
            assert_eq!(answer.header("location"), Some(expected.as_str()), "{front:?}");
        }
        assert!(server.upstream.seen().is_empty(), "{front:?}");
    })
    .await;
}

#[tokio::test]
async fn people_sign_in_on_the_page_and_come_back() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        let user = server.add(&STAFF).await;
        let browser = fronted.client();
        let sent = browser.get("/admin?page=2").header("sec-fetch-mode", "navigate").send().await;
        let base = format!("http://{}", fronted.address);
        let path = sent.header("location").unwrap().replace(&base, "");
        let page = browser.get(&path).send().await;
        assert_eq!(page.status, 200, "{front:?}: {page:?}");
        let text = page.text();
        let field = |name: &str| {
            let rest = text.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
            rest.split('"').next().unwrap().replace("&#38;", "&")
        };
        let (token, next) = (field("csrf_token"), field("next"));
        let fields = [
            ("username", "staff"),
            ("password", PASSWORD),
            ("csrf_token", &token),
            ("next", &next),
        ];
        let answer = browser.post("/-/sign-in").form(&fields).from_own_page().send().await;
        assert_eq!(answer.status, 303, "{front:?}: {answer:?}");
        let back = answer.header("location").unwrap().replace(&base, "");
        assert_eq!(back, "/admin?page=2", "{front:?}");
        let arrived = browser.get(&back).header("sec-fetch-mode", "navigate").send().await;
        assert_eq!(arrived.status, 200, "{front:?}: {arrived:?}");
        let seen = server.upstream.last();
        assert_eq!(seen.target, "/admin?page=2", "{front:?}");
        assert_eq!(seen.headers["x-auth-user"], user.id.0.to_string(), "{front:?}");
    })
    .await;
}

/// A proxy may lose the cookies of our answers, so what can be used once is left for our own page.
#[tokio::test]
async fn a_browser_that_stays_signed_in_comes_back_on_the_page_alone() {
    with_each(&Front::ASKING, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        server.add(&STAFF).await;
        let body = json!({"email": STAFF.email, "password": PASSWORD, "remember": true});
        let first = fronted.client();
        assert_eq!(first.post("/api/auth/login").json(&body).send().await.status, 201);
        let browser = fronted.client();
        let remember = first.cookie("remember").unwrap();
        browser.set_cookie("remember", &remember);
        let script = browser.get("/admin").send().await;
        assert_eq!(script.verdict(), "401 credential_missing", "{front:?}: {script:?}");
        let sent = browser.get("/admin").header("accept", "text/html").send().await;
        assert_eq!(sent.status, 302, "{front:?}: {sent:?}");
        assert_eq!(browser.cookie("remember").as_ref(), Some(&remember), "{front:?}");
        let base = format!("http://{}", fronted.address);
        let path = sent.header("location").unwrap().replace(&base, "");
        let page = browser.get(&path).header("accept", "text/html").send().await;
        assert_eq!(page.status, 303, "{front:?}: {page:?}");
        assert_eq!(page.header("location"), Some(format!("{base}/admin").as_str()), "{front:?}");
        assert_ne!(browser.cookie("remember"), Some(remember), "{front:?}");
        assert_eq!(browser.get("/admin").send().await.status, 200, "{front:?}");
    })
    .await;
}

#[tokio::test]
async fn the_application_is_told_who_calls() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        let user = server.add(&Z1).await;
        let browser = fronted.sign_in(&Z1).await;
        let answer = browser.get("/api/leads").send().await;
        assert_eq!(answer.status, 200, "{front:?}: {answer:?}");
        let seen = server.upstream.last().headers;
        for (name, value) in [
            ("x-auth-user", user.id.0.to_string().as_str()),
            ("x-auth-email", "fred@example.com"),
            ("x-auth-name", "Jane Smith"),
            ("x-auth-role", "worker"),
            ("x-forwarded-host", &fronted.address.to_string()),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-for", "127.0.0.1"),
            ("host", &fronted.address.to_string()),
        ] {
            let values: Vec<_> = seen.get_all(name).iter().collect();
            assert_eq!(values, [value], "{front:?}: {name}");
        }
        assert!(!seen.contains_key("x-auth-organisation"), "{front:?}");
        assert_eq!(seen["x-auth-csrf-token"].len(), 64, "{front:?}");
        // Nobody has no name, not even an empty one.
        assert_eq!(fronted.client().get("/public/x").send().await.status, 200, "{front:?}");
        let seen = server.upstream.last().headers;
        let named = seen.keys().find(|name| name.as_str().starts_with("x-auth-"));
        assert_eq!(named, None, "{front:?}");
    })
    .await;
}

#[tokio::test]
async fn who_may_not_is_told_why() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        server.add(&STAFF0).await;
        server.add(&STAFF).await;
        let browser = fronted.sign_in(&STAFF0).await;
        let answer = browser.get(JOBS).send().await;
        assert_eq!(answer.verdict(), "403 permission_missing", "{front:?}: {answer:?}");
        assert!(answer.header("x-request-id").is_some(), "{front:?}");
        if front.asks() {
            assert_eq!(answer.header("x-auth-rule"), Some("jobs"), "{front:?}");
        }
        assert!(server.upstream.seen().is_empty(), "{front:?}");
        let allowed = fronted.sign_in(&STAFF).await.get(JOBS).send().await;
        assert_eq!(allowed.status, 200, "control: {front:?}: {allowed:?}");
    })
    .await;
}

#[tokio::test]
async fn a_one_time_token_is_good_once() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        server.add(&Z1).await;
        let browser = fronted.sign_in(&Z1).await;
        let post = || browser.post(JOBS).json(&json!({"title": "x"}));
        let without = post().send().await;
        assert_eq!(without.verdict(), "403 csrf_missing", "{front:?}: {without:?}");
        let token = browser.fetch_csrf().await;
        let first = post().header("x-csrf-token", &token).send().await;
        assert_eq!(first.status, 201, "{front:?}: {first:?}");
        assert_eq!(server.upstream.last().body, "{\"title\":\"x\"}", "{front:?}");
        let again = post().header("x-csrf-token", &token).send().await;
        assert_eq!(again.verdict(), "403 csrf_used", "{front:?}: {again:?}");
        assert_eq!(server.upstream.seen().len(), 1, "{front:?}");
        // The answer brings the next one; Caddy has no way to hand it on.
        if *front != Front::Caddy {
            let next = first.header("x-csrf-token").unwrap_or_else(|| panic!("{front:?}"));
            let second = post().header("x-csrf-token", next).send().await;
            assert_eq!(second.status, 201, "{front:?}: {second:?}");
        }
        let cookie = browser.cookie("csrftoken").unwrap();
        let double = post().header("x-csrftoken", &cookie).send().await;
        assert_eq!(double.status, 201, "{front:?}: {double:?}");
        // Another site, under a rule that asks for the origin alone.
        let form = || browser.post("/forms/new").form(&[("a", "b")]);
        assert_eq!(form().from_own_page().send().await.status, 201, "{front:?}");
        let forged = form().header("sec-fetch-site", "cross-site").send().await;
        assert_eq!(forged.verdict(), "403 csrf_origin", "{front:?}: {forged:?}");
        let forged = form().header("origin", "https://evil.example").send().await;
        assert_eq!(forged.verdict(), "403 csrf_origin", "{front:?}: {forged:?}");
    })
    .await;
}

#[tokio::test]
async fn large_bodies_go_through_and_are_not_sent_to_the_question() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        server.add(&Z1).await;
        let browser = fronted.sign_in(&Z1).await;
        let cookie = browser.cookie("csrftoken").unwrap();
        let body = vec![b'x'; 5 * 1024 * 1024];
        let post = browser.post("/forms/upload").body("application/octet-stream", body.clone());
        let answer = post.header("x-csrftoken", &cookie).send().await;
        assert_eq!(answer.status, 201, "{front:?}: {answer:?}");
        assert!(server.upstream.last().body == body, "{front:?}");
    })
    .await;
}

#[tokio::test]
async fn a_gate_that_is_down_lets_nobody_pass() {
    with_each(&Front::ASKING, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        server.add(&Z1).await;
        let browser = fronted.sign_in(&Z1).await;
        assert_eq!(browser.get("/api/leads").send().await.status, 200, "control: {front:?}");
        server.ask_to_stop();
        let mut answer = browser.get("/api/leads").send().await;
        // Stopping takes a moment, in which it is still there.
        for _ in 0..100 {
            if !answer.status.is_success() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            answer = browser.get("/api/leads").send().await;
        }
        assert!(answer.status.is_server_error(), "{front:?}: {answer:?}");
        let reached = server.upstream.seen().len();
        for path in ["/api/leads", "/public/x", "/"] {
            let answer = browser.get(path).send().await;
            assert!(answer.status.is_server_error(), "{front:?}: {path}: {answer:?}");
        }
        assert_eq!(server.upstream.seen().len(), reached, "{front:?}");
    })
    .await;
}
