//! The attacks of the security reference that a proxy in between could make possible, under their
//! ids. A73 is `d1_16`, and the other spellings of A71 are `d1_08`.

use serde_json::json;

use super::{Front, with_each};
use crate::harness::people::{STAFF, Z1};
use crate::harness::raw::exchange;

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

/// A second request hidden in the body of the first reaches nobody, whoever reads the length.
#[tokio::test]
async fn a76_a_request_in_a_body_stays_a_body() {
    with_each(&Front::ALL, async |fronted| {
        fronted.server.add(&STAFF).await;
        let session = fronted.sign_in(&STAFF).await.cookie("sessionid").unwrap();
        let hidden = format!("GET /admin/hidden HTTP/1.1\r\nHost: {}\r\n\r\n", fronted.address);
        let length = hidden.len();
        for framing in [
            format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", length + 5),
            format!("Content-Length: 0\r\nContent-Length: {length}\r\n"),
            "Transfer-Encoding: xchunked\r\n".to_owned(),
            format!("Content-Length: {length}\r\nTransfer-Encoding: identity\r\n"),
            "Transfer-Encoding : chunked\r\n".to_owned(),
        ] {
            let head = format!(
                "POST /public/x HTTP/1.1\r\nHost: {}\r\nCookie: sessionid={session}\r\n{framing}\
                 \r\n0\r\n\r\n{hidden}",
                fronted.address
            );
            let answer = exchange(fronted.address, head.as_bytes()).await;
            let seen = fronted.server.upstream.seen();
            let is_split = seen.iter().any(|seen| seen.target == "/admin/hidden");
            assert!(!is_split, "{:?} {framing}: {answer:?}", fronted.front);
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
