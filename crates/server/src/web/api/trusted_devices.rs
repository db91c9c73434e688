//! `/api/auth/2fa/trusted-devices` and `/api/two-factor/trusted-devices` (contract S8): devices where a
//! sign-in is not asked for the second factor. One's own only: those of others do not exist.

use http::StatusCode;
use portcullis_domain::text::Name;
use portcullis_domain::trusted_device::MAX_FINGERPRINT;
use portcullis_store::trusted_devices::Device;
use serde_json::{Value, json};

use crate::flows::trusted_devices::{self as flow, Add, Described, Removal};
use crate::web::caller::{Fresh, SignedIn};
use crate::web::error::{Documented, Error, Fault};
use crate::web::input::Fields;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

/// The list, and one device in it, in both spellings.
pub const PATHS: [(&str, &str); 2] = [
    ("/api/auth/2fa/trusted-devices", "/api/auth/2fa/trusted-devices/{id}"),
    ("/api/two-factor/trusted-devices", "/api/two-factor/trusted-devices/{id}"),
];

/// The longest name or type that is looked at, in characters.
const MAX_NAME: usize = 150;
const FIELDS: [&str; 3] = ["deviceName", "deviceType", "deviceFingerprint"];

pub const LIST: Doc = Doc {
    id: "list_trusted_devices",
    summary: "Your devices where a sign-in is not asked for the second factor.",
    answer: (
        200,
        r#"[{"id":"0199…","deviceName":"Work laptop","deviceType":"desktop","deviceFingerprint":"…","ipAddress":"192.0.2.7","createdAt":"2026-11-22T01:02:03Z","expiresAt":"2026-12-22T01:02:03Z","lastUsedAt":null}]"#,
    ),
    ..Doc::USUAL
};

/// `GET …/trusted-devices`.
pub async fn list(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let now = call.app.clock.now();
    let devices = flow::list(&call.app.db, caller.user_id(), now).await?;
    Ok(json_reply(StatusCode::OK, &devices.iter().map(shown).collect::<Value>()))
}

pub const ADD: Doc = Doc {
    id: "trust_device",
    summary: "Trusts a device for 30 days. It proves itself by the deviceToken, which is shown once \
              and goes along as a field of the sign-in; the fingerprint proves nothing.",
    fields: &[
        ("deviceFingerprint", true, "What the device is known by, for you to read."),
        ("deviceName", false, "What you call it."),
        ("deviceType", false, "What kind of device it is."),
    ],
    answer: (
        201,
        r#"{"success":true,"id":"0199…","deviceName":"Work laptop","deviceType":"desktop","deviceFingerprint":"…","createdAt":"2026-11-22T01:02:03Z","expiresAt":"2026-12-22T01:02:03Z","deviceToken":"…"}"#,
    ),
    ..Doc::USUAL
};

pub const NO_FACTOR: Documented = Documented {
    status: StatusCode::BAD_REQUEST,
    code: "second_factor_not_enabled",
    text: "Two-factor authentication is not enabled",
};

/// `POST …/trusted-devices`.
pub async fn add(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    let described = described(&call.fields).map_err(Error::Invalid)?;
    let context = call.facts.context_of(&caller);
    match flow::add(&call.app, caller.user_id(), &described, &context).await? {
        Add::NoFactor => Err(Error::Documented(NO_FACTOR)),
        Add::Done(trusted) => {
            let body = json!({
                "success": true,
                "id": trusted.id,
                "deviceName": described.name.as_str(),
                "deviceType": described.device_type.as_str(),
                "deviceFingerprint": described.fingerprint,
                "createdAt": trusted.at.iso(),
                "expiresAt": trusted.until.iso(),
                "deviceToken": trusted.secret.reveal(),
            });
            Ok(json_reply(StatusCode::CREATED, &body))
        }
    }
}

pub const REMOVE: Doc = Doc {
    id: "distrust_device",
    summary: "Trusts a device no more. Whoever is signed in there stays so.",
    answer: (200, r#"{"success":true}"#),
    ..Doc::USUAL
};

/// `DELETE …/trusted-devices/{id}`.
pub async fn remove(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let context = call.facts.context_of(&caller);
    let id = call.facts.last_segment();
    match flow::remove(&call.app, caller.user_id(), id, &context).await? {
        Removal::Done => Ok(json_reply(StatusCode::OK, &json!({"success": true}))),
        Removal::Unknown => Err(Error::NotFound),
    }
}

/// What a device tells of itself: all faults at once.
fn described(fields: &Fields) -> Result<Described<'_>, Vec<Fault>> {
    let others = fields.others_than(&FIELDS);
    let fingerprint = fields.required("deviceFingerprint", MAX_FINGERPRINT);
    match (name(fields, "deviceName"), name(fields, "deviceType"), fingerprint) {
        (Ok(name), Ok(device_type), Ok(fingerprint)) if others.is_empty() => {
            Ok(Described { name, device_type, fingerprint })
        }
        (name, device_type, fingerprint) => {
            let faults = name.err().into_iter().chain(device_type.err()).chain(fingerprint.err());
            Err(others.into_iter().chain(faults).collect())
        }
    }
}

fn name(fields: &Fields, field: &'static str) -> Result<Name, Fault> {
    const DETAIL: &str = "must be at most 150 characters, none of them control characters";
    let text = fields.optional(field, MAX_NAME)?.unwrap_or_default();
    Name::parse(text).map_err(|_| Fault::invalid(field, DETAIL))
}

fn shown(device: &Device) -> Value {
    json!({
        "id": device.id,
        "deviceName": device.name,
        "deviceType": device.device_type,
        "deviceFingerprint": device.fingerprint,
        "ipAddress": device.ip,
        "createdAt": device.created_at.iso(),
        "expiresAt": device.expires_at.iso(),
        "lastUsedAt": device.last_used_at.map(portcullis_domain::time::Time::iso),
    })
}
