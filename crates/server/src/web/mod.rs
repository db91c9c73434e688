//! What the server offers over HTTP: the table of routes, the door in front of them, the forms of
//! answers and refusals. What things mean lives in `flows` and `domain`.

pub mod acting;
pub mod activity;
pub mod administering;
pub mod api;
pub mod caller;
pub mod cookies;
pub mod door;
pub mod error;
pub mod etag;
pub mod forward_auth;
pub mod framing;
pub mod front;
pub mod hosts;
pub mod identify;
pub mod input;
pub mod key_use;
pub mod lasting;
pub mod limits;
pub mod pages;
pub mod query;
pub mod refusal;
pub mod remember;
pub mod renewal;
pub mod reply;
pub mod report;
pub mod request;
pub mod routes;
pub mod sessions;
pub mod socket;
pub mod table;
