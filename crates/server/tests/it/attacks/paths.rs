//! A73 and CVE-2025-71399: a path has one reading, and what could have two is refused.

use crate::harness::on_each_database;
use crate::harness::people::{AGENT, STAFF};
use crate::harness::raw::exchange;
use crate::harness::{Setup, TestApp, on_each_database_with};

/// The status of a raw target, sent with this session; and what the application saw of it.
async fn get(server: &TestApp, target: &str, session: &str) -> (u16, Option<String>) {
    let before = server.upstream.seen().len();
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {}\r\nCookie: sessionid={session}\r\n\
         Connection: close\r\n\r\n",
        server.address
    );
    let status = exchange(server.address, request.as_bytes()).await.status();
    let reached = server.upstream.seen().len() > before;
    (status, reached.then(|| server.upstream.last().target))
}

#[tokio::test]
async fn a73_a_path_that_could_be_read_in_two_ways_is_refused() {
    on_each_database(async |server| {
        let session = server.by_cookie(&STAFF).await.cookie("sessionid").unwrap();
        for target in [
            "/public/../admin",
            "/public/%2e%2e/admin",
            "/public/.%2E/admin",
            "/public/..;/admin",
            "/public/..%3b/admin",
            "/public/%2e%2e%2fadmin",
            "//admin",
            "/public//../admin",
            "/public//admin",
            "/admin;x",
            "/admin;jsessionid=1",
            "/admin%2f",
            "/public%2f..%2fadmin",
            "/public%5c..%5cadmin",
            "/public\\..\\admin",
            "\\admin",
            "/admin/.",
            "/./admin",
            "/%2e/admin",
            "/admin/%2E",
            "/public/%252e%252e/admin",
            "/%2561dmin",
            "/public/%25%32%65%25%32%65/admin",
            "/admin%00",
            "/admin%0d%0aX: y",
            "/admin%0a",
            "/public/%c0%ae%c0%ae/admin",
            "/public/%ff",
            "/admin%",
            "/admin%2",
            "/admin%zz",
            "/admin#x",
            "/public/\u{e9}",
            "/public/\"x\"",
            "admin",
            "*",
            "http://evil.example/admin",
            "http://user@localhost/admin",
            "?x",
        ] {
            let (status, reached) = get(server, target, &session).await;
            assert_eq!((status, reached), (400, None), "{target:?}");
        }
        // Controls: what stands behind the question mark is never a path.
        for (target, seen) in [
            ("/admin", "/admin"),
            ("/admin/x?a=../../b//c;d%2f", "/admin/x?a=../../b//c;d%2f"),
            ("/%61dmin", "/admin"),
            ("/adm%69n/%7euser", "/admin/~user"),
            ("/public/caf%c3%a9", "/public/caf%C3%A9"),
        ] {
            assert_eq!(get(server, target, &session).await, (200, Some(seen.to_owned())));
        }
    })
    .await;
}

#[tokio::test]
async fn a73_the_rule_is_that_of_the_true_target() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let staff = server.sign_in(&STAFF).await.cookie("sessionid").unwrap();
        let agent = server.by_cookie(&AGENT).await.cookie("sessionid").unwrap();
        for target in [
            "/admin",
            "/admin/",
            "/%61dmin",
            "/%61%64%6D%69%6E/x",
            "/admin/x",
            "/admin?/public",
            "/admin?x=/../public",
        ] {
            assert_eq!(get(server, target, &agent).await, (403, None), "{target}");
            assert_eq!(get(server, target, &staff).await.0, 200, "control: {target}");
            assert_eq!(get(server, target, "").await, (401, None), "{target}");
        }
        // Another name is another path, and it goes on as it was judged.
        for target in ["/ADMIN", "/administrator", "/admin.", "/admin%20"] {
            let (status, seen) = get(server, target, &agent).await;
            assert_eq!((status, seen.as_deref()), (200, Some(target)));
        }
    })
    .await;
}

/// Every spelling of the sign-in's path is either that path, with its counter, or none.
#[tokio::test]
async fn one_sign_in_has_one_counter() {
    on_each_database_with(Setup::with("[limits]\nlogin = \"3/60s\""), async |server| {
        let post = async |target: &str| {
            let body = r#"{"username":"staff","password":"wrong wrong wrong"}"#;
            let request = format!(
                "POST {target} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                server.address,
                body.len()
            );
            exchange(server.address, request.as_bytes()).await.status()
        };
        assert_eq!(post("/api/auth/login").await, 401, "control");
        assert_eq!(post("/api/auth/login/").await, 401);
        assert_eq!(post("/api/auth/%6Cogin?x=1").await, 401);
        for target in ["/api/auth/login", "/api/auth/login/", "/api/%61uth/login"] {
            assert_eq!(post(target).await, 429, "{target}");
        }
        for target in
            ["//api/auth/login", "/./api/auth/login", "/api/auth/login//", "/api/auth;/login"]
        {
            assert_eq!(post(target).await, 400, "{target}");
        }
        assert_eq!(
            post("/api/auth/LOGIN").await,
            401,
            "the application's, and nobody is signed in"
        );
        assert!(server.upstream.seen().is_empty());
    })
    .await;
}

#[tokio::test]
async fn hosts_that_are_not_served() {
    on_each_database(async |server| {
        let session = server.by_cookie(&STAFF).await.cookie("sessionid").unwrap();
        let port = server.address.port();
        let check = async |host: &str, expected: u16| {
            let request = format!(
                "GET /admin HTTP/1.1\r\nHost: {host}\r\nCookie: sessionid={session}\r\n\
                 Connection: close\r\n\r\n"
            );
            let answer = exchange(server.address, request.as_bytes()).await;
            assert_eq!(answer.status(), expected, "{host:?}: {}", answer.text);
        };
        check(&format!("127.0.0.1:{port}"), 200).await;
        check(&format!("LOCALHOST:{port}"), 200).await;
        check("localhost.", 200).await;
        check("evil.example", 421).await;
        check("127.0.0.1.evil.example", 421).await;
        check("localhost:x", 400).await;
        check("localhost@evil.example", 400).await;
        check("localhost/evil", 400).await;
        check("localhost, evil.example", 400).await;
        check("", 400).await;
    })
    .await;
}
