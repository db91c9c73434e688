//! The description of the API, made from the table of routes, so that it cannot say anything that
//! the server does not do.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::web::caller::{Anyone, Level};
use crate::web::door::is_safe;
use crate::web::forward_auth;
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc, Row};

pub const SHOW: Doc = Doc {
    id: "show_openapi",
    summary: "This description, as OpenAPI 3.1.",
    answer: (200, r#"{"openapi":"3.1.0"}"#),
    ..Doc::USUAL
};

/// `GET /-/openapi.json`.
pub async fn show(call: Call, _: Anyone) -> Answer {
    let (server, cookie) = (call.app.public_url.to_string(), call.app.cookies.session_name());
    Ok(json_reply(StatusCode::OK, &document(&server, cookie, call.app.routes.rows())))
}

/// The OpenAPI 3.1 document of these rows.
pub fn document<'r>(server: &str, cookie: &str, rows: impl Iterator<Item = &'r Row>) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for row in rows {
        let path = paths.entry(row.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(row.method.as_str().to_ascii_lowercase(), operation(row));
        }
    }
    paths.insert(format!("{}/{{proxy}}", forward_auth::PATH), decision());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portcullis",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Sign-in, sessions, tokens, CSRF protection and permissions in front \
                            of an application.",
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {"securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": cookie},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "basic": {"type": "http", "scheme": "basic",
                "description": "Any name; the password is an API key."},
        }},
    })
}

/// The one endpoint that is not in the table.
fn decision() -> Value {
    let kinds: Vec<_> = forward_auth::Kind::ALL.iter().map(|kind| kind.name()).collect();
    json!({"get": {
        "operationId": forward_auth::DOC.id,
        "summary": forward_auth::DOC.summary,
        "tags": [tag(forward_auth::DOC.family)],
        "parameters": [{
            "name": "proxy", "in": "path", "required": true,
            "schema": {"type": "string", "enum": kinds},
        }],
        "responses": responses(&forward_auth::DOC),
    }})
}

fn operation(row: &Row) -> Value {
    let mut operation = json!({
        "operationId": row.doc.id,
        "summary": row.doc.summary,
        "tags": [tag(row.doc.family)],
        "responses": responses(&row.doc),
    });
    let Value::Object(keys) = &mut operation else { return operation };
    if row.level.wants_credential() {
        keys.insert("security".into(), security(row));
    }
    if let Some(permission) = row.level.permission() {
        keys.insert("x-permission".into(), permission.into());
    }
    if row.level == Level::Superuser {
        keys.insert("x-permission".into(), "*".into());
    }
    if let Level::Staff(_) = row.level {
        keys.insert("x-account-type".into(), "staff".into());
    }
    if row.fresh {
        keys.insert("x-fresh-sign-in".into(), true.into());
    }
    if !is_safe(&row.method) {
        keys.insert("x-csrf".into(), json!(row.doc.csrf == Csrf::Required));
    }
    let parameters = parameters(row);
    if !parameters.is_empty() {
        keys.insert("parameters".into(), parameters.into());
    }
    if !row.doc.fields.is_empty() && !is_safe(&row.method) {
        keys.insert("requestBody".into(), request_body(row));
    }
    operation
}

/// The ways to show who calls: an API key is not one of them where the account or the session is what it
/// is about.
fn security(row: &Row) -> Value {
    let mut ways = vec![json!({"bearer": []}), json!({"session": []})];
    if row.takes_keys {
        ways.push(json!({"key": []}));
    }
    if row.takes_basic {
        ways.push(json!({"basic": []}));
    }
    ways.into()
}

/// What stands in the path, and in the query of a request that changes nothing.
fn parameters(row: &Row) -> Vec<Value> {
    let text = json!({"type": "string"});
    let names = row.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of_path =
        names.map(|name| json!({"name": name, "in": "path", "required": true, "schema": text}));
    let of_query = row.doc.fields.iter().filter(|_| is_safe(&row.method));
    let of_query = of_query.map(|(name, required, what)| {
        json!({"name": name, "in": "query", "required": required, "description": what,
            "schema": text})
    });
    of_path.chain(of_query).collect()
}

fn tag(family: Family) -> &'static str {
    match family {
        Family::P => "P",
        Family::S => "S",
        Family::Z => "Z",
        Family::Every => "Portcullis",
    }
}

fn request_body(row: &Row) -> Value {
    let properties: Map<String, Value> = row
        .doc
        .fields
        .iter()
        .map(|(name, _, text)| ((*name).to_owned(), json!({"type": "string", "description": text})))
        .collect();
    let required: Vec<_> = row
        .doc
        .fields
        .iter()
        .filter(|(_, required, _)| *required)
        .map(|(name, ..)| *name)
        .collect();
    let schema = json!({"type": "object", "properties": properties, "required": required});
    let content: Map<String, Value> =
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
            .into_iter()
            .map(|kind| (kind.to_owned(), json!({"schema": schema})))
            .collect();
    json!({"required": true, "content": content})
}

fn responses(doc: &Doc) -> Value {
    let (status, example) = doc.answer;
    let success = match serde_json::from_str::<Value>(example) {
        Ok(example) => {
            json!({"description": "Done.", "content": {"application/json": {"example": example}}})
        }
        Err(_) => json!({"description": "Done."}),
    };
    let refusal = json!({
        "description": "Refused. `code` is a stable word; the other keys are the family's own.",
        "content": {"application/json": {"schema": {
            "type": "object",
            "properties": {"code": {"type": "string"}, "requestId": {"type": "string"}},
            "required": ["code"],
        }}},
    });
    let mut responses = Map::new();
    responses.insert(status.to_string(), success);
    responses.insert("default".into(), refusal);
    Value::Object(responses)
}
