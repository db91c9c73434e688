//! One of every event, for tests and for tables that must not leave one out. That none is missing is
//! what the test below sees to.

use super::{
    BackupFailure, EndReason, Event, FactorMethod, FactorRefusal, FactorRemover, LimitName,
    LinkRefusal, MagicCodeRefusal, PasswordChanger, PlaceRefusal, SignInFailure, Text, TokenKind,
};
use crate::account::{AccountStatus, AccountType};
use crate::audit::entry::Person;
use crate::csrf;
use crate::delivery::Undelivered;
use crate::id::{CheckId, DeploymentId, KeyId};
use crate::integrity::{CheckState, DeploymentState, Origin, alert};
use crate::one_time_link::LinkPurpose;
use crate::session::SignInForm;
use crate::time::Time;

/// One of every variant, in their order.
pub fn samples() -> Vec<Event> {
    [
        sign_ins(),
        factors(),
        tokens(),
        requests(),
        accounts(),
        rights(),
        places(),
        files(),
        servers(),
    ]
    .concat()
}

fn sign_ins() -> Vec<Event> {
    let (form, reason) = (SignInForm::Page, SignInFailure::WrongPassword);
    vec![
        Event::SignedIn { form },
        Event::SignedInAfterFailures { form, failures: 3 },
        Event::SignInFailed { form, reason, known: true },
        Event::SignInLimited { form },
        Event::SignInLocked { until: LATER },
        Event::ProvedAgain,
        Event::NotProvedAgain { reason },
        Event::PasswordResetAsked { known: true },
        Event::PasswordResetCodeRefused { known: false },
        Event::PasswordChanged { by: PasswordChanger::Owner },
        Event::PasswordBreached { source: "offline", count: 42 },
        Event::PasswordDisabled,
    ]
}

fn factors() -> Vec<Event> {
    vec![
        Event::FactorAsked { form: SignInForm::Page },
        Event::FactorSetUpAsked { form: SignInForm::Mobile },
        Event::FactorPassed { method: FactorMethod::BackupCode, left: Some(9) },
        Event::FactorRefused { reason: FactorRefusal::Wrong },
        Event::FactorLocked { until: LATER },
        Event::FactorExhausted,
        Event::FactorEnabled { sessions: 2 },
        Event::FactorRemoved { by: FactorRemover::Owner, sessions: 1 },
        Event::BackupCodesRenewed { sessions: 0 },
    ]
}

fn tokens() -> Vec<Event> {
    let (purpose, key) = (LinkPurpose::PasswordReset, KeyId::from_random([7; 12]));
    vec![
        Event::TokenCreated {
            kind: TokenKind::Mobile,
            platform: Some(text("ios")),
            device_type: None,
            app_version: Some(text("1.2")),
        },
        Event::TokenRevoked { kind: TokenKind::Api },
        Event::TokenReused { kind: TokenKind::Remember },
        Event::ApiKeyCreated { key, prefix: text("sk_0123456789"), scopes: text("read") },
        Event::ApiKeyChanged { key },
        Event::ApiKeyRegenerated { key, prefix: text("sk_0123456789"), overlap_s: 60 },
        Event::ApiKeyRevoked { key },
        Event::ApiKeyResumed { key },
        Event::LinkCreated { purpose, until: LATER },
        Event::LinkUsed { purpose },
        Event::LinkRevoked { purpose },
        Event::LinkRefused { purpose, reason: LinkRefusal::Expired },
        Event::MagicLinkAsked { known: true },
        Event::MagicLinkElsewhere,
        Event::MagicCodeRefused { reason: MagicCodeRefusal::WrongCode },
    ]
}

fn requests() -> Vec<Event> {
    let (method, path) = (text("GET"), text("/api/leads"));
    vec![
        Event::AccessDenied {
            rule: Some(text("leads")),
            reason: "permission_missing",
            method: method.clone(),
            path: path.clone(),
        },
        Event::SessionCreated { form: SignInForm::Page },
        Event::SessionRenewed { until: LATER },
        Event::SessionEnded { reason: EndReason::Terminated },
        Event::OtherSessionsEnded { reason: EndReason::Logout, others: 2 },
        Event::CsrfFailed { refusal: csrf::Refusal::Used, method, path },
        Event::CredentialRefused { code: "session_expired" },
        Event::CookieTossed { cookie: "sessionid" },
        Event::LimitExceeded { limit: LimitName::Login },
        Event::LimitChanged {
            limit: "login",
            before: text("5/60s"),
            after: text("9/60s"),
            is_configured: false,
        },
        Event::AddressForgiven { network: text("192.0.2.0/24") },
    ]
}

fn accounts() -> Vec<Event> {
    let (account_type, role) = (AccountType::Staff, text("staff"));
    vec![
        Event::UserCreated { account_type, role: role.clone() },
        Event::UserImported { account_type, role, status: AccountStatus::Active },
        Event::UserDisabled { sessions: 3 },
        Event::UserEnabled,
        Event::EmailChanged,
        Event::UserBlacklisted { reason: Some(text("left")), sessions: 2 },
        Event::BlacklistReasonChanged { reason: None },
        Event::UserUnblacklisted,
        Event::ProfileChanged { fields: vec!["phone"] },
        Event::AccountTypeChanged { account_type },
    ]
}

fn rights() -> Vec<Event> {
    let (role, key) = (text("clerks"), text("leads.view"));
    vec![
        Event::RoleAssigned { role: role.clone(), from: text("user") },
        Event::OwnPermissionsChanged { key: key.clone(), granted: true },
        Event::UserSignedOut { sessions: 2 },
        Event::UserDeleted { sessions: 1 },
        Event::EmailVerified,
        Event::UserUnlocked,
        Event::RoleCreated { role: role.clone(), level: 20 },
        Event::RoleLevelChanged { role: role.clone(), level: 30 },
        Event::RoleRenamed { role: role.clone(), from: text("clerk") },
        Event::RoleDeleted { role: role.clone() },
        Event::PermissionsChanged { role, key, granted: false },
    ]
}

fn places() -> Vec<Event> {
    let network = text("192.0.2.0/24");
    vec![
        Event::PlaceAsked { network: network.clone() },
        Event::PlaceConfirmed { network: network.clone() },
        Event::PlaceRefused { reason: PlaceRefusal::WrongCode },
        Event::PlaceTold { network: network.clone() },
        Event::PlaceRemoved { network: network.clone() },
        Event::PlaceTrusted { network },
        Event::PlacesForgotten { count: 2 },
        Event::DeviceTrusted { id: text("0199"), until: LATER },
        Event::DeviceUntrusted { id: text("0199") },
    ]
}

fn servers() -> Vec<Event> {
    vec![
        Event::MailUndelivered { id: text("01"), reason: Undelivered::Refused },
        Event::Heartbeat,
        Event::ClockBehind { by_ms: 12_000 },
        Event::PersonErased {
            person: Person::from_number(9),
            entries: 3,
            basis: text("request 7"),
        },
        Event::PersonalExpired { below: 7 },
        Event::LogPruned { from: 0, to: 256, bundle_sha256: text("ab") },
        Event::PendingRejected { count: 2, ids: text("01, 02") },
        Event::RejectedCleared { count: 2 },
        Event::AuditUpgraded { people: 3, waiting: 1 },
        Event::CheckpointRefused { reason: "shorter" },
        Event::AnchorReplaced { reason: "shorter", anchored: Some(9), size: 7 },
        Event::VerifyFailed { reason: "altered", index: Some(3), faults: 1 },
        Event::BundleExported { first: 0, end: 7, personal: false },
        Event::BackupCreated { file: text("backup.zst"), bytes: 4096, rows: 7 },
        Event::BackupFailed { reason: BackupFailure::Full },
        Event::BackupRestored { taken_at: LATER, sessions: 2 },
        Event::SigningKeyMade { kid: text("k"), algorithm: "EdDSA" },
        Event::SigningKeysWithdrawn { count: 2 },
        Event::ActivityExported { format: "csv", first: 0, end: 7 },
        Event::Started { version: "0.1.0", binary_sha256: text("ab") },
        Event::Stopped,
    ]
}

fn files() -> Vec<Event> {
    vec![
        Event::FileAlertOpened {
            alert: 12,
            root: text("app"),
            file_path: text("public/index.php"),
            kind: alert::Kind::Modified,
            severity: alert::Severity::Critical,
            rule: text("program"),
            reopened: false,
            deployment: None,
        },
        Event::FileAlertResolved { alert: 12, resolution: Some(alert::Resolution::Reverted) },
        Event::FileAlertReverted { alert: 12 },
        Event::FileAlertIgnored { alert: 12, until: LATER },
        Event::FileAlertDeleted {
            alert: 12,
            root: text("app"),
            file_path: text("public/index.php"),
            kind: alert::Kind::Added,
            fingerprint: text("ab"),
            was: text(""),
            found: text("pipe 0600 0 0 - - public/index.php"),
        },
        Event::FileDiffViewed { alert: 12 },
        Event::BaselineProposed {
            root: text("app"),
            number: 2,
            origin: Origin::Declared,
            digest: text("ab"),
        },
        Event::BaselineActivated {
            root: text("app"),
            number: 2,
            origin: Origin::Declared,
            digest: text("ab"),
            entries: 70,
        },
        Event::DeploymentOpened {
            deployment: DeploymentId::from_random([7; 12]),
            root: text("app"),
            number: 2,
            until: LATER,
        },
        Event::DeploymentClosed {
            deployment: DeploymentId::from_random([7; 12]),
            root: text("app"),
            state: DeploymentState::Complete,
            reached: 3,
            pending: 0,
            unexpected: 0,
        },
        Event::FilesChecked {
            check: CheckId::from_random([7; 12]),
            state: CheckState::Complete,
            scanned: 70,
            violations: 1,
            alerts: 1,
            unverifiable: 0,
        },
        Event::FilesUnchecked { root: text("app"), since: LATER, until: LATER },
        Event::WatchOverflowed { root: text("app") },
        Event::CoverageChanged { root: text("app"), narrowed: true },
    ]
}

const LATER: Time = Time(1_795_309_323_000);

fn text(text: &str) -> Text {
    Text::clip(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The variants by their names; `class.rs` has a line for each, or it does not compile.
    fn variants() -> BTreeSet<String> {
        let lines = include_str!("class.rs").lines();
        let lines = lines.filter_map(|line| line.trim_start().strip_prefix("Self::"));
        let named = lines.filter(|line| line.contains("=> ("));
        let name = |line: &str| line.chars().take_while(char::is_ascii_alphanumeric).collect();
        named.map(name).collect()
    }

    #[test]
    fn there_is_one_of_every_event() {
        let name = |event: &Event| {
            let shown = format!("{event:?}");
            shown.chars().take_while(char::is_ascii_alphanumeric).collect::<String>()
        };
        let samples: Vec<String> = samples().iter().map(name).collect();
        assert_eq!(samples.iter().cloned().collect::<BTreeSet<_>>(), variants());
        assert!(samples.len() == variants().len() && samples.len() > 50, "one is there twice");
    }
}
