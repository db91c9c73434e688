//! Entity tags (RFC 9110, section 8.8.3) of answers made here, and whether whoever asks has the answer
//! already. Not here: what upstreams send of theirs, which passes unchanged.

use aws_lc_rs::digest::{SHA256, digest};
use http::StatusCode;
use http::header::{ETAG, IF_NONE_MATCH};

use super::reply::{Reply, empty_reply, set_header};
use super::request::Facts;

/// The tag of an answer that says this.
pub fn tag(says: &str) -> String {
    let digest = digest(&SHA256, says.as_bytes());
    format!("\"{}\"", hex::encode(digest.as_ref().get(..16).unwrap_or_default()))
}

/// The answer with its tag; 304 without a body where the request names that tag. Compared weakly, as the
/// RFC has it for reading.
pub fn tagged(facts: &Facts, tag: &str, answer: impl FnOnce() -> Reply) -> Reply {
    let is_known = is_known(facts, tag);
    let mut reply = if is_known { empty_reply(StatusCode::NOT_MODIFIED) } else { answer() };
    set_header(&mut reply, ETAG, tag);
    reply
}

fn is_known(facts: &Facts, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = facts.headers.get_all(IF_NONE_MATCH).iter();
    known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
}
