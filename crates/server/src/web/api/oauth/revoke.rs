//! `POST /-/oauth/revoke` (RFC 7009): a token is good no longer. Its owner may have that done, and whoever
//! may ask after tokens of others. One that is not good has nothing to lose, and is answered alike.

use http::StatusCode;
use portcullis_domain::event::TokenKind;

use super::{holder, refused, token};
use crate::flows::barrier;
use crate::flows::credentials::token_kind;
use crate::flows::sign_out;
use crate::web::api::session_acts::must_hold;
use crate::web::caller::{OrBasic, Somebody, TokensIntrospectUse};
use crate::web::reply::empty_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

pub const POST: Doc = Doc {
    id: "revoke_token",
    summary: "Ends a token (RFC 7009): one of your own, or, with api.tokens.introspect.use, any. The \
              answer is the same for one that is not good.",
    csrf: Csrf::Exempt,
    fields: &[
        ("token", true, "The token."),
        ("token_type_hint", false, "Not needed: tokens tell themselves apart."),
    ],
    answer: (200, ""),
    ..Doc::USUAL
};

/// `POST /-/oauth/revoke`.
pub async fn post(call: Call, OrBasic(Somebody(caller)): OrBasic<Somebody>) -> Answer {
    let Some(token) = token(&call.fields) else {
        return Ok(refused("invalid_request", "token is missing"));
    };
    if token.starts_with("sk_") {
        let description = "API keys are revoked where they are managed";
        return Ok(refused("unsupported_token_type", description));
    }
    let app = &call.app;
    let Some(holder) = holder(app, token).await? else { return Ok(empty_reply(StatusCode::OK)) };
    // A key does not speak for its owner's own account.
    let is_own = caller.session().is_some() && holder.user_id() == caller.user_id();
    if !is_own {
        must_hold::<TokensIntrospectUse>(&call, &caller).await?;
    }
    let kind = holder.found().session().map(|grounds| token_kind(grounds.credential.kind));
    let (kind, context) = (kind.unwrap_or(TokenKind::Access), call.facts.context_of(&caller));
    sign_out::revoke_token(app, holder.user_id(), &holder.mac, kind, &context).await?;
    barrier::felt_everywhere(app).await;
    Ok(empty_reply(StatusCode::OK))
}
