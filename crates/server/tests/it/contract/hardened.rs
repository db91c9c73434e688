//! An https address and the hardened cookie profile: names, attributes, and whose the bare names are.

use serde_json::json;

use super::post_job;
use crate::harness::client::{Answer, Client, Sending};
use crate::harness::people::{PASSWORD, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const HOST: &str = "gate.example.test";

fn setup(profile: &str) -> Setup {
    let server = format!("[server]\npublic_url = \"https://{HOST}\"");
    let cookies = format!("[cookies]\nprofile = \"{profile}\"");
    Setup::with(&format!("{server}\n{cookies}\n[mail]\ntransport = \"file:outbox\""))
}

#[tokio::test]
async fn c39_hardened_cookies_are_bound_to_the_host() {
    on_each_database_with(setup("hardened"), async |server| {
        let (client, answer) = sign_in(server).await;
        let session = answer.set_cookie("__Host-sessionid").unwrap();
        let csrf = answer.set_cookie("__Host-csrftoken").unwrap();
        for line in [&session, &csrf] {
            assert!(line.contains("; Path=/; SameSite=Lax; Secure"), "{line}");
            assert!(!line.contains("Domain="), "{line}");
        }
        assert!(session.ends_with("; HttpOnly") && !csrf.contains("HttpOnly"), "{answer:?}");
        for name in ["sessionid", "csrftoken"] {
            assert_eq!(answer.set_cookie(name), None, "{answer:?}");
        }
        let me = client.get("/api/auth/me").header("host", HOST).send().await;
        assert_eq!(me.status, 200, "{me:?}");
        assert_eq!(me.header("strict-transport-security"), Some("max-age=31536000"));
        let token = client.cookie("__Host-csrftoken").unwrap();
        let sent = here(post_job(&client)).header("x-csrftoken", &token).send().await;
        assert_eq!(sent.status, 201, "{sent:?}");
    })
    .await;
}

#[tokio::test]
async fn r14_under_hardened_the_bare_names_are_the_applications() {
    on_each_database_with(setup("hardened"), async |server| {
        let (client, _) = sign_in(server).await;
        let session = client.cookie("__Host-sessionid").unwrap();
        let token = client.cookie("__Host-csrftoken").unwrap();
        let bare = format!("sessionid={session}; csrftoken={token}");
        let get = async |cookies: &str| {
            here(server.client().get("/api/auth/me")).header("cookie", cookies).send().await
        };
        let ignored = get(&bare).await;
        assert_eq!(ignored.verdict(), "401 credential_missing");
        assert_eq!(get(&format!("__Host-sessionid={session}")).await.status, 200);
        // The double submit looks at its own name alone, too.
        let request = here(post_job(&client)).header("x-csrftoken", &token);
        let line = format!("__Host-sessionid={session}; csrftoken={token}");
        let refused = request.header("cookie", &line).send().await;
        assert_eq!(refused.verdict(), "403 csrf_cookie_missing");

        let own = format!("__Host-sessionid={session}; sessionid=theirs; csrftoken=theirs; a=b");
        let read = here(server.client().get("/api/leads")).header("cookie", &own).send().await;
        assert_eq!(read.status, 200, "{read:?}");
        let forwarded = server.upstream.last();
        assert_eq!(forwarded.headers["cookie"], "sessionid=theirs; csrftoken=theirs; a=b");
    })
    .await;
}

#[tokio::test]
async fn r02_a_browser_stays_signed_in_by_a_cookie_of_this_host() {
    on_each_database_with(setup("hardened"), async |server| {
        server.add(&Z1).await;
        let client = server.client();
        let body = json!({"email": Z1.email, "password": PASSWORD, "remember": true});
        let answer = here(client.post("/api/auth/login")).json(&body).send().await;
        let line = answer.set_cookie("__Host-remember").unwrap();
        let attributes = "; Max-Age=2592000; Path=/; SameSite=Lax; Secure; HttpOnly";
        assert!(line.ends_with(attributes), "{line}");
        let remember = client.cookie("__Host-remember").unwrap();
        // The bare name is the application's, in both directions.
        let bare = format!("remember={remember}");
        let get = async |cookies: &str| {
            here(server.client().get("/api/leads")).header("cookie", cookies).send().await
        };
        assert_eq!(get(&bare).await.verdict(), "401 credential_missing");
        let both = format!("remember=theirs; __Host-remember={remember}");
        let theirs = http::Response::builder()
            .header("set-cookie", "remember=theirs")
            .header("set-cookie", "__Host-remember=tossed");
        server.upstream.answer_next(theirs.body(bytes::Bytes::new().into()).unwrap());
        let answer = get(&both).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(server.upstream.last().headers["cookie"], "remember=theirs");
        assert!(answer.set_cookie("remember").is_some(), "{answer:?}");
        let next = answer.set_cookie("__Host-remember").unwrap();
        assert!(next.ends_with(attributes) && !next.contains("tossed"), "{next}");
    })
    .await;
}

#[tokio::test]
async fn an_anonymous_token_is_bound_to_the_browser() {
    on_each_database_with(setup("hardened"), async |server| {
        let visitor = server.client();
        let answer = here(visitor.get("/api/csrf")).send().await;
        let pre = answer.set_cookie("__Host-pre").unwrap();
        assert!(pre.contains("; Max-Age=43200; Path=/; SameSite=Lax; Secure; HttpOnly"), "{pre}");
        assert!(answer.set_cookie("__Host-csrftoken").is_some(), "{answer:?}");

        let (client, _) = sign_in(server).await;
        let session = client.cookie("__Host-sessionid").unwrap();
        let token = visitor.cookie("__Host-csrftoken").unwrap();
        let send = async |pre: &str| {
            let line = format!("__Host-sessionid={session}; __Host-csrftoken={token}; {pre}");
            let request = here(post_job(&client)).header("x-csrftoken", &token);
            request.header("cookie", &line).send().await.verdict()
        };
        assert_eq!(send("a=b").await, "403 csrf_invalid");
        assert_eq!(send(&format!("__Host-pre={}", "0".repeat(32))).await, "403 csrf_invalid");
        let held = visitor.cookie("__Host-pre").unwrap();
        assert_eq!(send(&format!("__Host-pre={held}")).await, "201");
    })
    .await;
}

#[tokio::test]
async fn c39_secure_exactly_where_the_address_is_https() {
    on_each_database_with(setup("compat"), async |server| {
        let (_, answer) = sign_in(server).await;
        for name in ["sessionid", "csrftoken"] {
            let line = answer.set_cookie(name).unwrap();
            assert!(line.contains("; Secure"), "{line}");
        }
    })
    .await;
    on_each_database(async |server| {
        server.add(&Z1).await;
        let body = json!({"username": "Fredkiss3", "password": PASSWORD});
        let answer = server.client().post("/api/auth/login").json(&body).send().await;
        for name in ["sessionid", "csrftoken"] {
            let line = answer.set_cookie(name).unwrap();
            assert!(!line.contains("Secure"), "{line}");
        }
        assert_eq!(answer.header("strict-transport-security"), None);
    })
    .await;
}

async fn sign_in(server: &TestApp) -> (Client, Answer) {
    server.add(&Z1).await;
    let client = server.client();
    let body = json!({"username": "Fredkiss3", "password": PASSWORD});
    let answer = here(client.post("/api/auth/login")).json(&body).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    (client, answer)
}

fn here(sending: Sending<'_>) -> Sending<'_> {
    sending.header("host", HOST)
}
