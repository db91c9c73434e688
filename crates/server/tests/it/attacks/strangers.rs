//! What people who are not signed in can make the gate do: write, remember, answer for others.

use http::Response;
use http_body_util::Full;

use crate::harness::on_each_database;
use crate::harness::people::Z1;

/// Refusals that are written down one by one, of one network in a minute.
const WRITTEN: usize = 20;

#[tokio::test]
async fn refusals_of_strangers_do_not_fill_the_store() {
    on_each_database(async |server| {
        for _ in 0..WRITTEN * 3 {
            let stranger = server.client();
            let sending = stranger.post("/api/jobs/manage");
            let answer = sending.header("sec-fetch-site", "cross-site").send().await;
            assert_eq!(answer.verdict(), "403 csrf_origin");
        }
        let told = server.events("excess_rate_limit_exceeded", 1).await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].detail["limit"], "refusals");
        assert_eq!(server.events("csrf_fail", WRITTEN).await.len(), WRITTEN);
        // Whoever is signed in is written down every time.
        let browser = server.by_cookie(&Z1).await;
        for _ in 0..5 {
            assert_eq!(browser.post("/api/jobs/manage").send().await.verdict(), "403 csrf_missing");
        }
        assert_eq!(server.events("csrf_fail", WRITTEN + 5).await.len(), WRITTEN + 5);
    })
    .await;
}

#[tokio::test]
async fn a_refused_credential_is_written_down_without_it() {
    on_each_database(async |server| {
        let secret = "0123456789abcdef".repeat(4);
        let answer = server.client().bearer(&secret).get("/api/auth/me").send().await;
        assert_eq!(answer.verdict(), "401 credential_unknown");
        let events = server.events("authn_credential_fail", 1).await;
        assert_eq!(events[0].detail["code"], "credential_unknown");
        assert!(!events[0].detail.to_string().contains(&secret));
    })
    .await;
}

#[tokio::test]
async fn our_secrets_never_ride_on_an_answer_that_a_cache_may_share() {
    on_each_database(async |server| {
        let cacheable = || {
            let response = Response::builder().header("cache-control", "public, max-age=600");
            response.body(Full::default()).unwrap()
        };
        let bearer = server.by_bearer(&Z1).await;
        let token = bearer.fetch_csrf().await;
        server.upstream.answer_next(cacheable());
        let post = bearer.post("/api/jobs/manage").header("x-csrf-token", &token).send().await;
        assert!(post.header("x-csrf-token").is_some(), "{post:?}");
        assert_eq!(post.header("cache-control"), Some("no-store"));
        // An answer that carries nothing of ours is the application's own.
        server.upstream.answer_next(cacheable());
        let get = bearer.get("/api/jobs/manage").send().await;
        assert_eq!(get.header("cache-control"), Some("public, max-age=600"));
    })
    .await;
}

#[tokio::test]
async fn another_port_does_not_reach_the_links_of_the_application() {
    on_each_database(async |server| {
        let client = server.client();
        let port = server.address.port();
        let check = async |host: &str, status: u16| {
            let answer = client.get("/public/about").header("host", host).send().await;
            assert_eq!(answer.status, status, "{host}: {answer:?}");
        };
        check(&format!("127.0.0.1:{port}"), 200).await;
        check(&format!("LOCALHOST.:{port}"), 200).await;
        assert_eq!(server.upstream.last().headers["host"], format!("localhost:{port}"));
        check("localhost", 200).await;
        check(&format!("localhost:{}", port ^ 1), 421).await;
        check("evil.example", 421).await;
    })
    .await;
}
