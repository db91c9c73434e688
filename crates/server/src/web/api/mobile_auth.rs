//! `/api/security/mobile-auth`: bearer tokens for mobile applications, in both documented shapes
//! (contract P17–P19, C18, ruling: a token may be exchanged for one session token per device).

use http::StatusCode;
use portcullis_domain::csrf::{AuthKind, Kind};
use portcullis_domain::secret::Opaque;
use portcullis_domain::session::SignInForm;
use portcullis_store::credentials::{CredentialKind, Found};
use serde_json::{Value, json};

use super::login;
use crate::flows::credentials::{Device, token_kind};
use crate::flows::mobile::{self, Bearer};
use crate::flows::sign_in::SignedIn as SignedInUser;
use crate::flows::sign_out;
use crate::web::caller::{
    Access as _, Allowed, Anyone, CallerKind as _, InSession, MobileAuthUse, SignedIn,
};
use crate::web::door;
use crate::web::error::{Error, Fault};
use crate::web::identify::{identify, look_up_bearer};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

/// What the documents answer to an action.
const DONE: &str = "Operation completed successfully";
/// The longest of the texts that describe a device, in characters.
const MAX_TEXT: usize = 64;

pub const POST: Doc = Doc {
    id: "mobile_auth",
    summary: "By e-mail and password: a bearer token for 365 days. With action: exchanges a bearer \
              for a session token (validate_token), or ends it (logout).",
    family: Family::P,
    csrf: Csrf::Exempt,
    fields: &[
        ("email", false, "The e-mail address, when no action is given."),
        ("password", false, "The password, when no action is given."),
        ("action", false, "validate_token or logout; needs a bearer."),
        ("token", false, "The token to validate, or to end with the session."),
        ("platform", false, "ios or android."),
        ("device_type", false, "The device, such as iPhone."),
        ("app_version", false, "The application's version."),
        ("twoFactorCode", false, "The code of the authenticator app, or a backup code."),
        ("deviceToken", false, "Of a trusted device, where no such code is asked for."),
    ],
    answer: (
        200,
        r#"{"success":true,"data":{"token":"…"},"message":"Mobile authentication token issued"}"#,
    ),
};

/// `POST /api/security/mobile-auth`: with `action` an act of a bearer (P18), otherwise a sign-in
/// by e-mail and password (P17).
pub async fn post(call: Call, _: Anyone) -> Answer {
    if !call.fields.has("action") {
        return sign_in(call).await;
    }
    let who = identify(&call.app, &call.facts).await?;
    let known = who.as_ref().ok().cloned();
    let caller = match Allowed::<MobileAuthUse>::admit(who) {
        Ok(Allowed(caller, ..)) => caller,
        Err(error) => {
            return Err(door::record_denial(&call.app, &call.facts, known.as_ref(), error).await);
        }
    };
    if caller.auth != AuthKind::Bearer {
        return Err(Error::SignIn("bearer_required"));
    }
    let caller = InSession::of(caller)?;
    match call.fields.text("action") {
        Some("validate_token") => validate(&call, &caller).await,
        Some("logout") => logout(&call, &caller).await,
        Some(_) | None => {
            let detail = "must be validate_token or logout";
            Err(Error::Invalid(vec![Fault::invalid("action", detail)]))
        }
    }
}

pub const DELETE: Doc = Doc {
    id: "revoke_mobile_token",
    summary: "Ends the bearer token that is sent.",
    family: Family::P,
    csrf: Csrf::Exempt,
    answer: (200, r#"{"success":true,"message":"Token revoked"}"#),
    ..Doc::USUAL
};

/// `DELETE /api/security/mobile-auth` (P19): ends the bearer token that was sent.
pub async fn delete(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let context = call.facts.context_of(&caller);
    match (caller.auth, caller.session().form) {
        // A cookie would make this an act that another site can cause.
        (AuthKind::Cookie | AuthKind::Key, _) => return Err(Error::SignIn("bearer_required")),
        (AuthKind::Bearer, SignInForm::Mobile) => {
            end_mobile(&call, &caller).await?;
        }
        (AuthKind::Bearer | AuthKind::Jwt, _) => {
            let kind = token_kind(caller.credential().kind);
            sign_out::revoke_token(&call.app, caller.user_id(), &caller.mac, kind, &context)
                .await?;
        }
    }
    Ok(json_reply(StatusCode::OK, &json!({"success": true, "message": "Token revoked"})))
}

async fn sign_in(call: Call) -> Answer {
    let (name, password) = match login::name_and_password(&call.fields, "email") {
        Ok(read) => read,
        Err(faults) => {
            login::count_nameless(&call).await?;
            return Err(Error::Invalid(faults));
        }
    };
    let device = device(&call)?;
    let signed_in = login::attempt(&call, SignInForm::Mobile, name, password, device).await?;
    issued(&signed_in)
}

/// The answer to a sign-in of a mobile application (P17).
pub fn issued(signed_in: &SignedInUser) -> Answer {
    let Some((secret, life)) = &signed_in.issued.mobile_token else { return Err(Error::Internal) };
    let mut data = json!({"token": secret.reveal(), "expires_at": life.expires_at.iso()});
    if let (Some(trusted), Some(keys)) = (&signed_in.trusted, data.as_object_mut()) {
        keys.insert("deviceToken".to_owned(), trusted.secret.reveal().into());
    }
    if let (Some((key, due)), Some(keys)) = (login::factor_due(signed_in), data.as_object_mut()) {
        keys.insert(key, due);
    }
    let message = "Mobile authentication token issued";
    let body = json!({"success": true, "data": data, "message": message});
    Ok(json_reply(StatusCode::OK, &body))
}

/// Both tokens must be live and the same user's.
async fn validate(call: &Call, caller: &InSession) -> Answer {
    let text = call.fields.required("token", 256).map_err(|fault| Error::Invalid(vec![fault]))?;
    let device = device(call)?;
    let token = Opaque::parse(text).ok_or(Error::SignIn("credential_unknown"))?;
    let other = look_up_bearer(&call.app, &token).await?.map_err(Error::SignIn)?;
    if other.user_id() != caller.user_id() {
        return Err(Error::SignIn("credential_unknown"));
    }
    let session_token = session_token(call, caller, &device).await?;
    let body = json!({
        "success": true,
        "message": DONE,
        "session_token": session_token,
        "csrf_token": door::mint(&call.app, caller.session(), Kind::Session),
        "user": user(caller.found()),
        "data": {"token": session_token},
    });
    Ok(json_reply(StatusCode::OK, &body))
}

/// A session token that comes as the bearer stays what it is; any other bearer is exchanged.
async fn session_token(call: &Call, caller: &InSession, device: &Device) -> Result<String, Error> {
    if caller.credential().kind == CredentialKind::Child {
        return call.facts.bearer_text().map(ToOwned::to_owned).ok_or(Error::Internal);
    }
    let bearer = Bearer {
        user: &caller.found().user,
        session: &caller.session().id,
        credential: caller.credential(),
        mac: &caller.mac,
    };
    let context = call.facts.context_of(caller);
    let made = mobile::session_token(&call.app, &bearer, device, &context);
    let secret = made.await?.ok_or(Error::SignIn("session_ended"))?;
    Ok(secret.reveal())
}

/// Ends the bearer's session, and the session of `token` if one is given that is the same user's.
async fn logout(call: &Call, caller: &InSession) -> Answer {
    let token = call.fields.optional("token", 256).map_err(|fault| Error::Invalid(vec![fault]))?;
    if let Some(token) = token.and_then(Opaque::parse) {
        let other = look_up_bearer(&call.app, &token).await?.ok();
        let other = other.and_then(|other| InSession::of(other).ok());
        if let Some(other) = other.filter(|other| other.user_id() == caller.user_id()) {
            end_mobile(call, &other).await?;
        }
    }
    end_mobile(call, caller).await?;
    Ok(json_reply(StatusCode::OK, &json!({"success": true, "message": DONE})))
}

async fn end_mobile(call: &Call, caller: &InSession) -> Result<(), Error> {
    let context = call.facts.context_of(caller);
    sign_out::end_session(&call.app, caller.user_id(), &caller.session().id, &context).await?;
    Ok(())
}

fn device(call: &Call) -> Result<Device, Error> {
    let read = |name| call.fields.optional(name, MAX_TEXT).map(|text| text.map(ToOwned::to_owned));
    let platform = read("platform").and_then(|platform| match platform.as_deref() {
        None | Some("ios" | "android") => Ok(platform),
        Some(_) => Err(Fault::invalid("platform", "must be ios or android")),
    });
    match (platform, read("device_type"), read("app_version")) {
        (Ok(platform), Ok(device_type), Ok(app_version)) => {
            Ok(Device { platform, device_type, app_version })
        }
        (platform, device_type, app_version) => {
            let faults = [platform.err(), device_type.err(), app_version.err()];
            Err(Error::Invalid(faults.into_iter().flatten().collect()))
        }
    }
}

/// The thirteen documented keys, `ID` in capitals included.
fn user(found: &Found) -> Value {
    let user = &found.user;
    json!({
        "ID": user.id,
        "uuid": user.uuid,
        "first_name": user.first_name.as_str(),
        "last_name": user.last_name.as_str(),
        "email": user.email.as_str(),
        "phone": user.phone,
        "account_type_id": user.account_type.id(),
        "account_type_name": user.account_type.name(),
        "account_status_id": user.status.id(),
        "account_status_name": user.status.title(),
        "branch_id": user.branch_id,
        "role_id": user.role_id,
        "created_at": user.created_at.iso(),
    })
}
