//! The fields of each event, as the JSON object that is stored beside it.

use serde_json::{Value, json};

use super::Event;

impl Event {
    /// The typed fields as a JSON object; times are RFC 3339 in UTC.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are told by their own fields")]
    pub fn detail(&self) -> Value {
        match self {
            Self::UserDisabled => json!({ "field": "status", "value": "disabled" }),
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
}
