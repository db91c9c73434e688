//! Tells the caller what arrived. For the gate's tests: it shows every header that got through.

use axum::Json;
use axum::extract::Request;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

/// How much of the body is shown; the rest is only counted.
const SHOWN: usize = 1024;

/// Any method: 200 `{method, target, headers: [[name, value]], body_length, body}`, with the body's
/// first KiB as text. `body_complete` is false when the body broke off. Uses constant memory.
pub(crate) async fn echo(request: Request) -> Json<Value> {
    let (parts, body) = request.into_parts();
    let headers: Vec<[String; 2]> = parts
        .headers
        .iter()
        .map(|(name, value)| {
            [name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()]
        })
        .collect();

    let mut length = 0;
    let mut shown = Vec::new();
    let mut complete = true;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else {
            complete = false;
            break;
        };
        length += chunk.len();
        let room = SHOWN - shown.len();
        shown.extend(chunk.iter().take(room));
    }

    Json(json!({
        "method": parts.method.as_str(),
        "target": parts.uri.path_and_query().map_or("/", |target| target.as_str()),
        "headers": headers,
        "body_length": length,
        "body": String::from_utf8_lossy(&shown),
        "body_complete": complete,
    }))
}
