//! A45: the value of an API key stands in one answer, and after that in nothing that a server writes or
//! says, whatever is done with it.

use http::Method;
use serde_json::json;

use super::served::Served;
use crate::harness::client::{Answer, Client};

const KEYS: &str = "/api/api-keys";
/// All that can be written: every request, and every level of ours and of the libraries.
const ALL: &str = "[log]\nrequests = \"all\"\n[metrics]\nlisten = \"127.0.0.1:0\"";
const LOUD: [(&str, &str); 1] = [("RUST_LOG", "trace")];

#[tokio::test]
async fn a45_a_key_stands_in_no_log_event_figure_or_refusal() {
    let mut served = Served::start(ALL, &LOUD).await;
    let owner = served.signed_in().await;
    let body = json!({"name": "canary", "rateLimit": 6});
    let made = owner.act(Method::POST, KEYS, &body).await;
    let key = made.json()["key"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned();
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let anew = owner.act(Method::POST, &format!("{KEYS}/{id}/regenerate"), &json!({})).await;
    let newer = anew.json()["key"].as_str().unwrap_or_else(|| panic!("{anew:?}")).to_owned();

    let (client, mut said) = (served.client(), Vec::new());
    for key in [&newer, &key] {
        said.extend(each_way(&client, key).await);
    }
    for path in [KEYS.to_owned(), format!("{KEYS}/{id}"), format!("{KEYS}/{id}/usage")] {
        said.push(owner.get(&path).send().await);
    }
    said.push(owner.act(Method::DELETE, &format!("{KEYS}/{id}"), &json!({})).await);
    said.push(client.key(&newer).get("/jobs").send().await);
    said.push(Client::new(served.metrics.unwrap()).get("/metrics").send().await);
    let statuses: Vec<_> = said.iter().map(|answer| answer.status.as_u16()).collect();
    for status in [200, 400, 401, 403, 429] {
        assert!(statuses.contains(&status), "control: no {status} in {statuses:?}");
    }
    assert_eq!(served.stop().await, 0);
    let written = String::from_utf8_lossy(&served.written()).into_owned();
    assert!(served.log().contains("DEBUG") || served.log().contains("TRACE"), "control: loud");
    for key in [&key, &newer] {
        assert!(written.contains(&key[..12]), "control: what is shown of it is kept");
        // What is not shown, in whatever spelling.
        let (lower, upper) = (key[12..44].to_owned(), key[12..44].to_uppercase());
        for secret in [lower, upper] {
            assert!(!written.contains(&secret), "it is written");
            for answer in &said {
                assert!(!format!("{answer:?}").contains(&secret), "{}", answer.status);
            }
        }
    }
}

/// The key wherever somebody may put it, and as often as is too often.
async fn each_way(client: &Client, key: &str) -> Vec<Answer> {
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("x:{key}"));
    let (bearer, upper) = (format!("Bearer {key}"), key.to_uppercase());
    let own = [("x-api-key", key)];
    let mut said = Vec::new();
    for (method, path, headers) in [
        (Method::GET, "/jobs", &own[..]),
        (Method::POST, "/jobs", &own),
        (Method::GET, "/nowhere", &own),
        (Method::GET, "/api/auth/me", &own),
        (Method::GET, "/-/account", &own),
        (Method::GET, "/jobs", &[("x-api-key", key), ("authorization", &bearer)]),
        (Method::GET, "/jobs", &[("x-api-key", key), ("x-api-key", key)]),
        (Method::GET, "/jobs", &[("authorization", &bearer)]),
        (Method::GET, "/jobs", &[("authorization", &format!("Basic {basic}"))]),
        (Method::POST, "/-/oauth/introspect", &[("authorization", &format!("Basic {basic}"))]),
        (Method::GET, "/jobs", &[("x-api-key", &upper)]),
        (Method::GET, "/jobs", &[("cookie", &format!("sessionid={}", &key[3..]))]),
        (Method::GET, "/jobs", &[("x-csrf-token", key)]),
        (Method::POST, "/api/auth/login", &[("x-csrf-token", key)]),
    ] {
        let mut sending = client.request(method, path);
        for (name, value) in headers {
            sending = sending.header(name, value);
        }
        said.push(sending.send().await);
    }
    for _ in 0..7 {
        said.push(client.key(key).get("/jobs").send().await);
    }
    said
}
