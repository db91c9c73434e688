//! The fields of each event as JSON: words of our own, which are hashed into the log for ever, apart
//! from what came from outside, which may be about a person and can be erased.

use serde_json::{Map, Value, json};

use super::Event;

impl Event {
    /// The typed fields as a JSON object; times are RFC 3339 in UTC.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are told by their own fields")]
    pub fn detail(&self) -> Value {
        match self {
            Self::UserDisabled { sessions } => {
                json!({ "field": "status", "value": "disabled", "sessions": sessions })
            }
            Self::UserEnabled => json!({ "field": "status", "value": "active" }),
            Self::AccountTypeChanged { account_type } => {
                json!({ "field": "account_type", "value": account_type })
            }
            Self::EmailChanged => json!({ "field": "email" }),
            Self::EmailVerified => json!({ "field": "email_verified" }),
            Self::UserImported { account_type, role, status } => json!({
                "account_type": account_type,
                "role": role,
                "status": status,
                "origin": "import",
            }),
            own => match serde_json::to_value(own) {
                Ok(fields @ Value::Object(_)) => fields,
                // A variant without fields.
                Ok(_) | Err(_) => json!({}),
            },
        }
    }

    /// The same in two parts: words of our own, and what came from outside. A [`super::Text`] is of the
    /// second kind unless it names something of the deployment's own, such as a role.
    pub fn parts(&self) -> (Map<String, Value>, Map<String, Value>) {
        let Value::Object(members) = self.detail() else { return Default::default() };
        let outside = self.outside();
        members.into_iter().partition(|(name, _)| !outside.contains(&name.as_str()))
    }

    /// The members of the detail that came from outside.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most events have words of our own only")]
    fn outside(&self) -> &'static [&'static str] {
        match self {
            Self::TokenCreated { .. } => &["platform", "device_type", "app_version"],
            Self::AccessDenied { .. } | Self::CsrfFailed { .. } => &["method", "path"],
            Self::PersonErased { .. } => &["basis"],
            Self::PendingRejected { .. } => &["ids"],
            Self::UserBlacklisted { .. } | Self::BlacklistReasonChanged { .. } => &["reason"],
            Self::FileAlertOpened { .. } => &["file_path"],
            Self::FileAlertDeleted { .. } => &["file_path", "was", "found"],
            Self::AddressForgiven { .. }
            | Self::PlaceAsked { .. }
            | Self::PlaceConfirmed { .. }
            | Self::PlaceTold { .. }
            | Self::PlaceRemoved { .. }
            | Self::PlaceTrusted { .. } => &["network"],
            _ => &[],
        }
    }
}
