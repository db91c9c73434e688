//! What is asked of breached passwords stands nowhere: neither a prefix, nor a password, nor its hash, in the
//! log at its loudest, in an event, in a figure or in any other file of the server.

use std::path::Path;

use http::Method;
use portcullis_breach::Sha1;
use portcullis_domain::audit::note::SigningKey;
use serde_json::{Value, json};

use super::checks::PATH;
use super::offline::write;
use super::service::{Manner, Service};
use crate::harness::client::{Answer, Client};
use crate::telemetry::served::Served;

/// Each known to another source, the last to none.
const PASSWORDS: [&str; 4] =
    ["qwertyuiop", "a quiet canary harbour", "a hoarse canary", "a canary of nobody's"];
/// Asked for while the service is down, in each way that is told of in another sentence.
const WHILE_DOWN: [(Manner, &str); 5] = [
    (Manner::Status(503), "canary one"),
    (Manner::Html, "canary two"),
    (Manner::Short, "canary three"),
    (Manner::Endless, "canary four"),
    (Manner::Silent, "canary five"),
];
/// What is sent as a prefix, and whether it is one. No number, which would stand somewhere as a port.
const PREFIXES: [(&str, bool); 11] = [
    ("FADED", true),
    ("facad", true),
    ("%46ACED", true),
    ("BEADEDE", false),
    ("bead", false),
    ("DEAFG", false),
    ("DECAF%0A", false),
    ("+CAFED", false),
    ("ABACE&hash_prefix=DECADE", true),
    ("FEEDA%00", false),
    ("", false),
];

/// A server that can write all that it knows, and has an index.
async fn start(folder: &Path, service: &Service, more: &str) -> Served {
    let sources = service.config(r#""list", "offline", "online""#);
    let index = folder.join("index");
    let config = format!(
        "[log]\nrequests = \"all\"\nformat = \"json\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n\
         {sources}offline_index = \"{}\"\n{more}",
        index.display()
    );
    Served::start(&config, &[("RUST_LOG", "trace")]).await
}

/// Asks in every way that is answered or refused.
async fn ask(served: &Served, service: &Service) -> Vec<Answer> {
    let (owner, stranger) = (served.signed_in().await, served.client());
    let mut said = Vec::new();
    for (prefix, is_one) in PREFIXES {
        for client in [&owner, &stranger] {
            said.push(client.get(&format!("{PATH}?hash_prefix={prefix}")).send().await);
        }
        let answer = &said[said.len() - 2];
        assert_eq!(answer.status == 200, is_one, "{prefix}: {answer:?}");
    }
    for password in PASSWORDS {
        let body = json!({ "password": password });
        let answer = owner.act(Method::POST, PATH, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        said.push(answer);
        // Without a CSRF token, and by nobody.
        for client in [&owner, &stranger] {
            said.push(client.post(PATH).json(&body).send().await);
        }
        said.push(owner.post(&format!("{PATH}?password=canary")).json(&body).send().await);
    }
    said.extend(refused(&owner).await);
    for (manner, password) in WHILE_DOWN {
        service.is(manner);
        let prefix = Sha1::of(password.as_bytes()).prefix().digits().to_lowercase();
        said.push(owner.get(&format!("{PATH}?hash_prefix={prefix}")).send().await);
        said.push(owner.act(Method::POST, PATH, &json!({ "password": password })).await);
    }
    said
}

/// Bodies that are none.
async fn refused(owner: &Client) -> Vec<Answer> {
    let token = owner.fetch_csrf().await;
    let mut said = Vec::new();
    for body in [
        json!({ "password": ["canary in a list"] }).to_string(),
        json!({ "password": "canary".repeat(200) }).to_string(),
        json!({ "password": "canary count", "return_count": "canary" }).to_string(),
        r#"{"password": "canary without an end"#.to_owned(),
    ] {
        let sending = owner.post(PATH).header("x-csrf-token", &token);
        let answer = sending.body("application/json", body).send().await;
        assert_ne!(answer.status, 200, "{answer:?}");
        said.push(answer);
    }
    said
}

/// Whether it stands there, in whatever case, and not as a part of a longer word.
fn stands(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let is_apart = |next: Option<char>| !next.is_some_and(|next| next.is_ascii_alphanumeric());
    text.match_indices(&word).any(|(at, _)| {
        is_apart(text[..at].chars().next_back()) && is_apart(text[at + word.len()..].chars().next())
    })
}

/// All that was asked, in each spelling.
fn secrets() -> Vec<String> {
    let passwords = PASSWORDS.into_iter().chain(WHILE_DOWN.map(|(_, password)| password));
    let hashed = passwords.flat_map(|password| {
        let hash = Sha1::of(password.as_bytes());
        let (prefix, suffix) = (hash.prefix().digits(), hash.suffix());
        assert!(prefix.parse::<u32>().is_err(), "{password}: the prefix may be a port");
        [password.to_owned(), format!("{prefix}{suffix}"), prefix, suffix]
    });
    let sent = PREFIXES.into_iter().flat_map(|(sent, _)| sent.split(['%', '&', '=', '+']));
    // Four digits may be a part of an id.
    let sent = sent.filter(|part| part.len() > 4 && *part != "hash_prefix").map(str::to_owned);
    hashed.chain(sent).chain(["FACED", "canary"].map(str::to_owned)).collect()
}

#[tokio::test]
async fn what_is_asked_stands_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), PASSWORDS[1], 7, "2025-01-31");
    let key = SigningKey::from_seed("nobody", &[7; 32]).unwrap();
    let refuses_the_index = format!("index_key = \"{}\"\n", key.verifier());
    for more in ["", &refuses_the_index] {
        let service = Service::start(&[(PASSWORDS[2], 3)]).await;
        let mut served = start(folder.path(), &service, more).await;
        let said = ask(&served, &service).await;
        for status in [200, 400, 401, 403] {
            assert!(said.iter().any(|answer| answer.status == status), "control: no {status}");
        }
        let owner = served.signed_in().await;
        let events = owner.get("/api/admin/activity-log?limit=200").send().await;
        assert_eq!(events.status, 200, "{events:?}");
        assert!(events.text().contains("ada"), "control: the events are there");
        let figures = Client::new(served.metrics.unwrap()).get("/metrics").send().await;
        assert!(figures.text().contains("portcullis_"), "control: the figures are there");
        assert_eq!(served.stop().await, 0);
        let log = served.log();
        controls(&log, said.len(), !more.is_empty());
        let written = String::from_utf8_lossy(&served.written()).into_owned();
        assert!(stands(&written, PATH), "control: what is written is found");
        for secret in secrets() {
            for text in [&written, &events.text(), &figures.text()] {
                assert!(!stands(text, &secret), "{secret} stands in\n{}", around(text, &secret));
            }
        }
    }
}

/// The log has all but what is secret: every request, and what became of the service and the index.
#[track_caller]
fn controls(log: &str, asked: usize, is_refused: bool) {
    assert!(log.contains("\"TRACE\""), "control: it is loud");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told = lines.filter(|line| line["target"] == "portcullis::request" && line["path"] == PATH);
    assert_eq!(told.count(), asked, "{log}");
    assert!(log.contains("the service does not answer"), "{log}");
    let refused = log.contains("is not signed by the key nobody+");
    assert_eq!(refused, is_refused, "{log}");
}

/// The lines in which it stands.
fn around(text: &str, secret: &str) -> String {
    text.lines().filter(|line| stands(line, secret)).take(5).collect::<Vec<_>>().join("\n")
}
