//! A77: after signing in, people are led to our own pages or an origin that the operator named.

use url::form_urlencoded;

use crate::harness::people::{PASSWORD, STAFF};
use crate::harness::{Setup, on_each_database_with};

const CONFIG: &str = "[sign_in]\nredirect_origins = [\"https://app.example:8443\"]";

/// Places elsewhere, and spellings that a browser reads as elsewhere.
const ELSEWHERE: [&str; 34] = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "https:///evil.example",
    "https:\\\\evil.example",
    "HTTPS://EVIL.EXAMPLE",
    "https://app.example:8443@evil.example",
    "https://app.example:8443.evil.example",
    "https://app.example:8443\\@evil.example/",
    "https://app.example:8443%2f@evil.example",
    "https://user@app.example:8443/",
    "https://app.example",
    "https://app.example:443/",
    "https://app.example:8444/",
    "http://app.example:8443/",
    "https://sub.app.example:8443/",
    "javascript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "evil.example",
    "/x\r\nSet-Cookie: a=b",
    "/\u{2028}x",
    "/%2f/evil.example",
    "/..//evil.example",
];

/// Places to go on to, and what becomes of them.
const ALLOWED: [(&str, &str); 6] = [
    ("/", "/"),
    ("/jobs?page=2&back=https://evil.example", "/jobs?page=2&back=https://evil.example"),
    ("/%6aobs", "/jobs"),
    ("https://app.example:8443", "https://app.example:8443/"),
    ("https://APP.example:8443/x?y=1", "https://app.example:8443/x?y=1"),
    ("/-/account", "/-/account"),
];

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn a77_redirect_to_of_the_login() {
    on_each_database_with(Setup::with(CONFIG), async |server| {
        server.add(&STAFF).await;
        let login = async |place: &str| {
            let path = format!("/api/auth/login?redirect_to={}", encoded(place));
            let client = server.client();
            client.post(&path).form(&[("username", "staff"), ("password", PASSWORD)]).send().await
        };
        for place in ELSEWHERE {
            let answer = login(place).await;
            assert_eq!(answer.verdict(), "400 invalid", "{place:?}");
            assert_eq!(answer.header("location"), None, "{place:?}");
            assert_eq!(answer.header("set-cookie"), None, "{place:?}");
        }
        for (place, expected) in ALLOWED {
            let answer = login(place).await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (302, Some(expected)));
        }
    })
    .await;
}

#[tokio::test]
async fn a77_next_of_the_sign_in_page() {
    on_each_database_with(Setup::with(CONFIG), async |server| {
        server.add(&STAFF).await;
        // Once as the address of the page, once as the field of its form.
        let sign_in = async |place: &str| {
            let client = server.client();
            let page = client.get(&format!("/-/sign-in?next={}", encoded(place))).send().await;
            let text = page.text();
            let value = |name: &str| {
                let rest = text.split(&format!("name=\"{name}\" value=\"")).nth(1);
                rest.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
            };
            let (token, next) = (value("csrf_token"), value("next"));
            let fields = [
                ("username", "staff"),
                ("password", PASSWORD),
                ("csrf_token", &token),
                ("next", place),
            ];
            let answer = client.post("/-/sign-in").form(&fields).from_own_page().send().await;
            assert_eq!(answer.status, 303, "{place:?}: {answer:?}");
            let policy = page.header("content-security-policy").unwrap().to_owned();
            assert!(!policy.contains("evil"), "{place:?}: {policy}");
            (next, answer.header("location").unwrap().to_owned())
        };
        for place in ELSEWHERE {
            assert_eq!(sign_in(place).await, ("/".to_owned(), "/".to_owned()), "{place:?}");
        }
        for (place, expected) in ALLOWED {
            let (next, location) = sign_in(place).await;
            assert_eq!(location, expected, "{place:?}");
            assert_eq!(next.replace("&#38;", "&").replace("&amp;", "&"), expected, "{place:?}");
        }
    })
    .await;
}
