//! `/api/account/places`: where somebody signed in before, and taking a place back. One's own only:
//! those of others do not exist.

use http::StatusCode;
use portcullis_store::places::Verified;
use serde_json::{Value, json};

use crate::flows::places::{self, Removal};
use crate::web::caller::SignedIn;
use crate::web::error::Error;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const LIST: Doc = Doc {
    id: "list_places",
    summary: "The places where you signed in and no code is asked for.",
    answer: (
        200,
        r#"{"success":true,"data":[{"id":"…","network":"192.0.2.0/24","user_agent":"Mozilla/5.0 …","first_seen":"2026-11-22T01:02:03Z","last_seen":"2026-11-22T01:02:03Z"}],"count":1}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/account/places`.
pub async fn list(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let places = places::list(&call.app.db, caller.user_id()).await?;
    let data: Vec<Value> = places.iter().map(value).collect();
    let count = data.len();
    Ok(json_reply(StatusCode::OK, &json!({"success": true, "data": data, "count": count})))
}

pub const REMOVE: Doc = Doc {
    id: "remove_place",
    summary: "Asks for a code again at this place. Whoever is signed in there stays so.",
    answer: (200, r#"{"success":true}"#),
    ..Doc::USUAL
};

/// `DELETE /api/account/places/{id}`.
pub async fn remove(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let id = call.facts.target.path().segments().last().ok_or(Error::NotFound)?;
    let context = call.facts.context_of(&caller);
    match places::remove(&call.app, caller.user_id(), id, &context).await? {
        Removal::Done => Ok(json_reply(StatusCode::OK, &json!({"success": true}))),
        Removal::Unknown => Err(Error::NotFound),
    }
}

fn value(place: &Verified) -> Value {
    json!({
        "id": place.id,
        "network": place.place.to_string(),
        "user_agent": place.user_agent,
        "first_seen": place.first_seen.iso(),
        "last_seen": place.last_seen.iso(),
    })
}
