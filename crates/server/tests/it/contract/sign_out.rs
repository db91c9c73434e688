//! The three documented ways out (C8): their methods do not collide, and each clears the cookie.

use http::Method;

use super::{assert_signed_out, assert_z, me};
use crate::harness::client::Answer;
use crate::harness::on_each_database;
use crate::harness::people::Z1;

const LOGOUT: &str = "/api/auth/logout";

#[tokio::test]
async fn tz15_delete_answers_nothing_and_clears_the_cookie() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let kept = client.cookie("sessionid").unwrap();
        let without = client.request(Method::DELETE, LOGOUT).send().await;
        assert_z(&without, 403, "permission_denied", "CSRF Failed: CSRF token missing.");
        assert_eq!(me(&client).await, 200);
        let token = client.cookie("csrftoken").unwrap();
        let request = client.request(Method::DELETE, LOGOUT).header("x-csrftoken", &token);
        let answer = request.send().await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert!(answer.body.is_empty(), "{answer:?}");
        assert_cleared(&answer);
        assert_signed_out(&client.get("/api/auth/me").send().await);
        client.set_cookie("sessionid", &kept);
        let replayed = client.get("/api/auth/me").send().await;
        assert_eq!(replayed.verdict(), "401 session_ended");
    })
    .await;
}

#[tokio::test]
async fn tz16_delete_without_a_sign_in_is_401() {
    on_each_database(async |server| {
        for method in [Method::DELETE, Method::POST] {
            let client = server.client();
            let answer = client.request(method.clone(), LOGOUT).send().await;
            assert_eq!(answer.verdict(), "401 credential_missing", "{method}");
            assert_signed_out(&answer);
            // The double submit of a stranger changes nothing about that.
            client.get("/api/csrf").send().await;
            let token = client.cookie("csrftoken").unwrap();
            let answer = client.request(method, LOGOUT).header("x-csrftoken", &token).send().await;
            assert_signed_out(&answer);
        }
    })
    .await;
}

#[tokio::test]
async fn c08_three_ways_out() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let ways = [
            (Method::POST, LOGOUT, 201),
            (Method::DELETE, LOGOUT, 204),
            (Method::GET, "/logout", 302),
            (Method::POST, "/-/sign-out", 303),
        ];
        for (method, path, status) in ways {
            let client = server.sign_in(&Z1).await;
            let other = server.sign_in(&Z1).await;
            let token = client.cookie("csrftoken").unwrap();
            let request = client.request(method.clone(), path).header("x-csrftoken", &token);
            let answer = request.send().await;
            assert_eq!(answer.status.as_u16(), status, "{method} {path}: {answer:?}");
            assert_cleared(&answer);
            if path != LOGOUT {
                assert_eq!(answer.header("location"), Some("/-/sign-in"), "{method} {path}");
            }
            assert_eq!((me(&client).await, me(&other).await), (401, 200), "{method} {path}");
        }
        let put = server.client().request(Method::PUT, LOGOUT).send().await;
        assert_eq!(put.verdict(), "405 method_not_allowed");
        assert_eq!(put.header("allow"), Some("DELETE, POST"));
    })
    .await;
}

#[tokio::test]
async fn p22_logout_without_a_session_leads_to_the_sign_in_page() {
    on_each_database(async |server| {
        let answer = server.client().get("/logout").send().await;
        assert_eq!(answer.status, 302, "{answer:?}");
        assert_eq!(answer.header("location"), Some("/-/sign-in"));
    })
    .await;
}

#[track_caller]
fn assert_cleared(answer: &Answer) {
    let line = answer.set_cookie("sessionid").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(line.starts_with("sessionid=; expires=Thu, 01 Jan 1970"), "{line}");
    assert!(line.contains("; Max-Age=0; Path=/"), "{line}");
}
