//! API keys: the documented endpoints, what a key may do and where, how it ends, and what must not be done
//! with one.

mod attacks;
mod gate;
mod life;
mod nodes;
mod owners;
mod people;
mod scopes;

use http::Method;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::people::Person;

const KEYS: &str = "/api/api-keys";

/// Makes a key as the document does, and gives the answer.
pub(crate) async fn create(owner: &Client, body: &Value) -> Value {
    let answer = owner.act(Method::POST, KEYS, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

/// A program with a key of these scopes, and the id of the key.
async fn program(server: &TestApp, person: &Person, scopes: &[&str]) -> (Client, String) {
    let owner = server.mobile(person).await;
    let made = create(&owner, &json!({"name": "program", "scopes": scopes})).await;
    (server.client().key(text(&made["key"])), text(&made["id"]).to_owned())
}

/// What the application answers to a method.
async fn ask(client: &Client, method: Method, path: &str) -> Answer {
    client.request(method, path).send().await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}
