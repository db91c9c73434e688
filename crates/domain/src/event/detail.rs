//! The fields of each event, as the JSON object that is stored beside it.

use serde_json::{Value, json};

use super::{Event, Text};

impl Event {
    /// The typed fields as a JSON object; times are RFC 3339 in UTC, absent fields are left out, but
    /// that a blacklisting has no reason is said.
    pub fn detail(&self) -> Value {
        let mut fields = match self {
            Self::SignedIn { form }
            | Self::SignInLimited { form }
            | Self::SessionCreated { form } => json!({ "form": form.as_str() }),
            Self::SignedInAfterFailures { form, failures } => {
                json!({ "form": form.as_str(), "failures": failures })
            }
            Self::SignInFailed { form, reason, known } => {
                json!({ "form": form.as_str(), "reason": reason.as_str(), "known": known })
            }
            Self::SignInLocked { until } | Self::SessionRenewed { until } => {
                json!({ "until": until.iso() })
            }
            Self::PasswordChanged { by } => json!({ "by": by.as_str() }),
            Self::TokenCreated { kind, platform, device_type, app_version } => json!({
                "kind": kind.as_str(),
                "platform": text(platform.as_ref()),
                "device_type": text(device_type.as_ref()),
                "app_version": text(app_version.as_ref()),
            }),
            Self::TokenRevoked { kind } | Self::TokenReused { kind } => {
                json!({ "kind": kind.as_str() })
            }
            Self::LinkCreated { purpose, until } => {
                json!({ "purpose": purpose.as_str(), "until": until.iso() })
            }
            Self::LinkUsed { purpose } => json!({ "purpose": purpose.as_str() }),
            Self::LinkRefused { purpose, reason } => {
                json!({ "purpose": purpose.as_str(), "reason": reason.as_str() })
            }
            Self::AccessDenied { rule, reason, method, path } => json!({
                "rule": text(rule.as_ref()),
                "reason": reason,
                "method": method.as_str(),
                "path": path.as_str(),
            }),
            Self::SessionEnded { reason } => json!({ "reason": reason.as_str() }),
            Self::CsrfFailed { refusal, method, path } => json!({
                "code": refusal.code(),
                "method": method.as_str(),
                "path": path.as_str(),
            }),
            Self::CredentialRefused { code } => json!({ "code": code }),
            Self::CookieTossed { cookie } => json!({ "cookie": cookie }),
            Self::LimitExceeded { limit } => json!({ "limit": limit.as_str() }),
            Self::UserCreated { account_type, role } => {
                json!({ "account_type": account_type.name(), "role": role.as_str() })
            }
            Self::UserImported { account_type, role, status } => json!({
                "account_type": account_type.name(),
                "role": role.as_str(),
                "status": status.name(),
                "origin": "import",
            }),
            Self::UserDisabled => json!({ "field": "status", "value": "disabled" }),
            Self::UserEnabled => json!({ "field": "status", "value": "active" }),
            Self::UserBlacklisted { reason, sessions } => {
                return json!({ "reason": text(reason.as_ref()), "sessions": sessions });
            }
            Self::BlacklistReasonChanged { reason } => {
                return json!({ "reason": text(reason.as_ref()) });
            }
            Self::EmailChanged => json!({ "field": "email" }),
            Self::RoleCreated { role, level } | Self::RoleLevelChanged { role, level } => {
                json!({ "role": role.as_str(), "level": level })
            }
            Self::PermissionsChanged { role, key, granted } => {
                json!({ "role": role.as_str(), "key": key.as_str(), "granted": granted })
            }
            Self::Started { version, binary_sha256 } => {
                json!({ "version": version, "binary_sha256": binary_sha256.as_str() })
            }
            Self::PasswordDisabled
            | Self::UserUnblacklisted
            | Self::UserUnlocked
            | Self::Stopped => json!({}),
        };
        if let Value::Object(fields) = &mut fields {
            fields.retain(|_, value| !value.is_null());
        }
        fields
    }
}

fn text(field: Option<&Text>) -> Option<&str> {
    field.map(Text::as_str)
}
