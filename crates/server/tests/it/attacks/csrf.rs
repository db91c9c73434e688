//! A01–A11: requests that another site makes a browser send, and tokens that are not what they
//! seem. The races of A04 are in [`super::races`].

use http::Method;

use super::{JOBS, reaches, refused};
use crate::harness::people::{STAFF, Z1};
use crate::harness::{Setup, on_each_database, on_each_database_with};

const JOB: &str = r#"{"title":"Boiler repair"}"#;

#[tokio::test]
async fn a01_a_cookie_without_a_token_does_nothing() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let post = || browser.post(JOBS).body("application/json", JOB);
        refused(server, post(), "403 csrf_missing", "the application").await;
        let logout = browser.post("/api/auth/logout").send().await;
        assert_eq!(logout.verdict(), "403 csrf_missing");
        assert_eq!(browser.get("/api/auth/me").send().await.status, 200, "the session lives");
        let token = browser.fetch_csrf().await;
        reaches(server, post().header("x-csrf-token", &token), "control").await;
    })
    .await;
}

#[tokio::test]
async fn a02_a_token_of_another_session_is_none() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let same_person = server.sign_in(&Z1).await;
        let other_person = server.by_cookie(&STAFF).await;
        for (other, why) in [(&same_person, "same person"), (&other_person, "other person")] {
            for path in ["/api/security/csrf-token", "/api/security/csrf-token?use=session"] {
                let answer = other.get(path).send().await.json();
                let token = answer["data"]["token"].as_str().unwrap();
                let post = || browser.post(JOBS).body("application/json", JOB);
                let foreign = post().header("x-csrf-token", token);
                refused(server, foreign, "403 csrf_invalid", why).await;
                let own = other.post(JOBS).body("application/json", JOB);
                reaches(server, own.header("x-csrf-token", token), "control").await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a03_a_fetched_token_is_good_once() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let token = browser.fetch_csrf().await;
        let post = |token: &str| {
            browser.post(JOBS).header("x-csrf-token", token).body("application/json", JOB)
        };
        let first = reaches(server, post(&token), "control").await;
        let again = refused(server, post(&token), "403 csrf_used", "the second use").await;
        for (answer, why) in [(first, "after a use"), (again, "after a refusal")] {
            let fresh = answer.header("x-csrf-token").unwrap().to_owned();
            reaches(server, post(&fresh), why).await;
        }
        refused(server, post(&token), "403 csrf_used", "the third use").await;
    })
    .await;
}

#[tokio::test]
async fn a05_a_token_in_the_query_is_not_looked_for() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let token = browser.fetch_csrf().await;
        for name in ["csrf_token", "X-CSRF-Token", "csrfmiddlewaretoken"] {
            let path = format!("{JOBS}?{name}={token}");
            let post = browser.post(&path).body("application/json", JOB);
            refused(server, post, "403 csrf_missing", name).await;
        }
        let post = browser.post(JOBS).header("x-csrf-token", &token);
        reaches(server, post.body("application/json", JOB), "control: it was not spent").await;
    })
    .await;
}

#[tokio::test]
async fn a06_double_submit_needs_both_halves() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let session = browser.cookie("sessionid").unwrap();
        let token = browser.cookie("csrftoken").unwrap();
        let other = server.sign_in(&Z1).await.cookie("csrftoken").unwrap();
        let check = async |cookie: Option<&str>, header: Option<&str>, expected: &str| {
            let cookies = match cookie {
                Some(value) => format!("sessionid={session}; csrftoken={value}"),
                None => format!("sessionid={session}"),
            };
            let client = server.client();
            let mut sending = client.post(JOBS).header("cookie", &cookies);
            if let Some(value) = header {
                sending = sending.header("x-csrftoken", value);
            }
            let sending = sending.body("application/json", JOB);
            let why = format!("{cookie:?} {header:?}");
            match expected {
                "201" => drop(reaches(server, sending, &why).await),
                expected => drop(refused(server, sending, expected, &why).await),
            }
        };
        check(Some(&token), None, "403 csrf_missing").await;
        check(Some(&token), Some(""), "403 csrf_missing").await;
        check(None, Some(&token), "403 csrf_cookie_missing").await;
        check(Some(&other), Some(&token), "403 csrf_cookie_mismatch").await;
        check(Some(&token), Some(&other), "403 csrf_invalid").await;
        check(Some(&other), Some(&other), "403 csrf_invalid").await;
        check(Some(&token), Some(&token), "201").await;
    })
    .await;
}

#[tokio::test]
async fn a07_a_good_token_does_not_help_another_site() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let own = format!("http://{}", server.address);
        let check = async |headers: &[(&str, &str)], is_allowed: bool| {
            let token = browser.fetch_csrf().await;
            let mut post = browser.post(JOBS).header("x-csrf-token", &token);
            for (name, value) in headers {
                post = post.header(name, value);
            }
            let post = post.body("application/json", JOB);
            let why = format!("{headers:?}");
            if is_allowed {
                reaches(server, post, &why).await;
            } else {
                refused(server, post, "403 csrf_origin", &why).await;
            }
        };
        check(&[("sec-fetch-site", "cross-site")], false).await;
        check(&[("sec-fetch-site", "same-site")], false).await;
        check(&[("sec-fetch-site", "")], false).await;
        check(&[("sec-fetch-site", "Same-Origin")], false).await;
        check(&[("sec-fetch-site", "cross-site"), ("origin", &own)], false).await;
        let twice = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")];
        check(&twice, false).await;
        check(&[("sec-fetch-site", "same-origin")], true).await;
        check(&[("sec-fetch-site", "none")], true).await;
    })
    .await;
}

#[tokio::test]
async fn a08_origins_that_look_like_ours() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let port = server.address.port();
        let foreign = [
            format!("http://127.0.0.1:{port}.evil.tld"),
            format!("http://127.0.0.1.evil.tld:{port}"),
            format!("http://evil.tld#127.0.0.1:{port}"),
            format!("http://user@127.0.0.1:{port}"),
            format!("https://127.0.0.1:{port}"),
            format!("http://127.0.0.1:{}", port ^ 1),
            format!("http://127.0.0.1:{port}/"),
            format!("http://127.0.0.1:{port}, http://evil.tld"),
            "http://127.0.0.1".to_owned(),
            "null".to_owned(),
            String::new(),
        ];
        let post = async |origin: &str| {
            let token = browser.fetch_csrf().await;
            let post = browser.post(JOBS).header("x-csrf-token", &token).header("origin", origin);
            (post.body("application/json", JOB), origin.to_owned())
        };
        for origin in foreign {
            let (post, why) = post(&origin).await;
            refused(server, post, "403 csrf_origin", &why).await;
        }
        for own in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"] {
            let (post, why) = post(&format!("http://{own}:{port}")).await;
            reaches(server, post, &why).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a09_json_that_says_it_is_text() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let token = browser.fetch_csrf().await;
        let logout = |kind: &str| {
            browser.post("/api/auth/logout").header("x-csrf-token", &token).body(kind, "{}")
        };
        for kind in ["text/plain", "text/plain; charset=application/json", "application/jsonp"] {
            assert_eq!(logout(kind).send().await.verdict(), "415 unsupported_type", "{kind}");
        }
        // The application may take text, but a token inside it is not one that we can see.
        let body = format!(r#"{{"csrf_token":"{token}"}}"#);
        let hidden = browser.post(JOBS).body("text/plain", body);
        refused(server, hidden, "403 csrf_missing", "a token inside text").await;
        assert_eq!(browser.get("/api/auth/me").send().await.status, 200, "the session lives");
        assert_eq!(logout("application/json; charset=utf-8").send().await.status, 201, "control");
    })
    .await;
}

#[tokio::test]
async fn a10_an_anonymous_token_beside_a_session() {
    for (setting, as_script) in [("compat", "201"), ("strict", "403 csrf_invalid")] {
        let config = format!("[csrf]\nanonymous_with_session = \"{setting}\"");
        on_each_database_with(Setup::with(&config), async |server| {
            let session = server.by_cookie(&Z1).await.cookie("sessionid").unwrap();
            let stranger = server.client();
            assert_eq!(stranger.get("/api/csrf").send().await.status, 200);
            let token = stranger.cookie("csrftoken").unwrap();
            let cookies = format!("sessionid={session}; csrftoken={token}");
            let client = server.client();
            let post = || {
                let post = client.post(JOBS).header("cookie", &cookies);
                post.header("x-csrftoken", &token).body("application/json", JOB)
            };
            let sibling = post().header("origin", "http://sibling.localhost");
            refused(server, sibling, "403 csrf_origin", "a sibling's origin").await;
            let sibling = post().header("sec-fetch-site", "same-site");
            refused(server, sibling, "403 csrf_origin", "a sibling").await;
            let hidden = post().header("referer", "http://sibling.localhost/");
            refused(server, hidden, "403 csrf_invalid", "a browser that says nothing").await;
            let script = post().send().await;
            assert_eq!(script.verdict(), as_script, "{setting}: {script:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a11_no_verb_goes_without_a_token() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        for verb in ["PUT", "PATCH", "DELETE", "FOO", "PROPFIND", "QUERY"] {
            let method = Method::from_bytes(verb.as_bytes()).unwrap();
            let send = || browser.request(method.clone(), "/api/jobs/7");
            refused(server, send(), "403 csrf_missing", verb).await;
            let token = browser.fetch_csrf().await;
            reaches(server, send().header("x-csrf-token", &token), verb).await;
            assert_eq!(server.upstream.last().method, verb);
        }
        let own = browser.request(Method::from_bytes(b"FOO").unwrap(), "/api/auth/logout");
        assert_eq!(own.send().await.verdict(), "405 method_not_allowed");
        // Some applications read methods in any case, and rules name them in capitals.
        for verb in ["get", "Post", "delete"] {
            let method = Method::from_bytes(verb.as_bytes()).unwrap();
            let token = browser.fetch_csrf().await;
            let send = browser.request(method, "/api/leads").header("x-csrf-token", &token);
            refused(server, send, "405 method_not_allowed", verb).await;
        }
    })
    .await;
}
