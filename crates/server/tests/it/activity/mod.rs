//! The activity log: what is listed and found, taken along, sent to other systems and shown.

mod export;
mod filters;
mod hostile;
mod list;
pub(crate) mod page;
mod webhooks;

use std::time::Duration;

use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;
use portcullis_store::events;
use serde_json::Value;

use crate::harness::TestApp;
use crate::harness::client::Client;

const LOG: &str = "/api/admin/activity-log";

/// Writes an event, and gives it its place.
async fn happen(server: &TestApp, event: &Event, context: &Context, at: Time) {
    write(server, event, context, at).await;
    server.app.audit.settle(server.app.clock.now()).await.unwrap();
}

async fn write(server: &TestApp, event: &Event, context: &Context, at: Time) {
    let id = server.app.random.row_id(at);
    let mut tx = server.app.db.write().await.unwrap();
    events::append(&mut tx, event, context, &id, at).await.unwrap();
    tx.commit().await.unwrap();
}

/// Many events, a hundred a millisecond, named by the network that they forgive.
async fn forgive(server: &TestApp, names: impl Iterator<Item = usize>, context: &Context) {
    let mut tx = server.app.db.write().await.unwrap();
    for (count, name) in names.enumerate() {
        if count % 100 == 99 {
            server.advance(Duration::from_millis(1));
        }
        let now = server.app.clock.now();
        let event = Event::AddressForgiven { network: Text::clip(&name.to_string()) };
        let id = server.app.random.row_id(now);
        events::append(&mut tx, &event, context, &id, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    server.app.audit.settle(server.app.clock.now()).await.unwrap();
}

fn about(user: UserId) -> Context {
    Context { subject: Some(user), ..Context::default() }
}

/// The answer to a question; it must be one.
async fn ask(client: &Client, query: &str) -> Value {
    let answer = client.get(&format!("{LOG}{query}")).send().await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()
}

/// The names of the events of an answer, newest first.
fn actions(body: &Value) -> Vec<&str> {
    rows(body).iter().map(|row| row["action"].as_str().unwrap()).collect()
}

fn rows(body: &Value) -> &[Value] {
    body["data"].as_array().unwrap()
}
