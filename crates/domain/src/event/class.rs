//! What each event is called in the log, whether it tells of something done or refused, and how much
//! it matters: one line an event. What gives power, and what only an attack explains, is worth a look.

use super::Event;
use super::words::Outcome::{self, Failure, Success};
use super::words::Severity::{self, Critical, Info, Warning};
use crate::integrity::alert::Severity as Bad;

/// The lines, which stand together as a table and are too many for a function.
#[rustfmt::skip]
macro_rules! class {
    ($event:expr) => {
        match $event {
            Self::SignedIn { .. } => ("authn_login_success", Success, Info),
            Self::SignedInAfterFailures { .. } => ("authn_login_successafterfail", Success, Warning),
            Self::SignInFailed { .. } => ("authn_login_fail", Failure, Warning),
            Self::SignInLimited { .. } => ("authn_login_fail_max", Failure, Warning),
            Self::SignInLocked { .. } => ("authn_login_lock", Failure, Warning),
            Self::ProvedAgain => ("authn_reauth_success", Success, Info),
            Self::NotProvedAgain { .. } => ("authn_reauth_fail", Failure, Warning),
            Self::PasswordResetAsked { .. } => ("authn_password_reset_asked", Success, Warning),
            Self::PasswordResetCodeRefused { .. } => ("authn_code_fail", Failure, Warning),
            Self::PasswordChanged { .. } => ("authn_password_change", Success, Info),
            Self::PasswordBreached { .. } => ("authn_password_breached", Failure, Warning),
            Self::PasswordDisabled => ("authn_password_disabled", Failure, Critical),
            Self::FactorAsked { .. } => ("authn_factor_asked", Success, Info),
            Self::FactorSetUpAsked { .. } => ("authn_factor_setup_asked", Success, Info),
            Self::FactorPassed { .. } => ("authn_factor_success", Success, Info),
            Self::FactorRefused { .. } => ("authn_factor_fail", Failure, Warning),
            Self::FactorLocked { .. } => ("authn_factor_lock", Failure, Warning),
            Self::FactorExhausted => ("authn_factor_exhausted", Failure, Critical),
            Self::FactorEnabled { .. } => ("authn_factor_enabled", Success, Warning),
            Self::FactorRemoved { .. } => ("authn_factor_removed", Success, Critical),
            Self::BackupCodesRenewed { .. } => ("authn_backup_codes_renewed", Success, Warning),
            Self::TokenCreated { .. } => ("authn_token_created", Success, Info),
            Self::TokenRevoked { .. } => ("authn_token_revoked", Success, Info),
            Self::TokenReused { .. } => ("authn_token_reuse", Failure, Critical),
            Self::LinkCreated { .. } => ("authn_link_created", Success, Warning),
            Self::LinkRevoked { .. } => ("authn_link_revoked", Success, Info),
            Self::LinkUsed { .. } => ("authn_link_used", Success, Info),
            Self::LinkRefused { .. } => ("authn_link_fail", Failure, Warning),
            Self::MagicLinkAsked { .. } => ("authn_magic_link_asked", Success, Info),
            Self::MagicLinkElsewhere => ("authn_magic_link_elsewhere", Success, Warning),
            Self::MagicCodeRefused { .. } => ("authn_magic_code_fail", Failure, Warning),
            Self::AccessDenied { .. } => ("authz_fail", Failure, Warning),
            Self::SessionCreated { .. } => ("session_created", Success, Info),
            Self::SessionRenewed { .. } => ("session_renewed", Success, Info),
            Self::SessionEnded { .. } => ("session_ended", Success, Info),
            Self::OtherSessionsEnded { .. } => ("session_ended", Success, Info),
            Self::CsrfFailed { .. } => ("csrf_fail", Failure, Warning),
            Self::CredentialRefused { .. } => ("authn_credential_fail", Failure, Warning),
            Self::CookieTossed { .. } => ("cookie_toss", Failure, Critical),
            Self::LimitExceeded { .. } => ("excess_rate_limit_exceeded", Failure, Warning),
            Self::LimitChanged { .. } => ("limit_changed", Success, Critical),
            Self::AddressForgiven { .. } => ("limit_address_forgiven", Success, Warning),
            Self::UserCreated { .. } => ("user_created", Success, Warning),
            Self::UserImported { .. } => ("user_created", Success, Warning),
            Self::UserDisabled { .. } => ("user_updated", Success, Warning),
            Self::UserEnabled => ("user_updated", Success, Warning),
            Self::EmailChanged => ("user_updated", Success, Warning),
            Self::UserBlacklisted { .. } => ("user_blacklisted", Success, Warning),
            Self::BlacklistReasonChanged { .. } => ("user_blacklist_updated", Success, Warning),
            Self::UserUnblacklisted => ("user_unblacklisted", Success, Warning),
            Self::ProfileChanged { .. } => ("user_updated", Success, Info),
            Self::AccountTypeChanged { .. } => ("user_updated", Success, Critical),
            Self::RoleAssigned { .. } => ("privilege_permissions_changed", Success, Critical),
            Self::OwnPermissionsChanged { .. } => ("privilege_permissions_changed", Success, Critical),
            Self::UserSignedOut { .. } => ("user_signed_out", Success, Warning),
            Self::UserDeleted { .. } => ("user_deleted", Success, Warning),
            Self::EmailVerified => ("user_updated", Success, Info),
            Self::UserUnlocked => ("user_unlocked", Success, Warning),
            Self::RoleCreated { .. } => ("role_created", Success, Warning),
            Self::RoleLevelChanged { .. } => ("role_updated", Success, Critical),
            Self::RoleRenamed { .. } => ("role_updated", Success, Warning),
            Self::RoleDeleted { .. } => ("role_deleted", Success, Warning),
            Self::PermissionsChanged { .. } => ("privilege_permissions_changed", Success, Critical),
            Self::PlaceAsked { .. } => ("authn_place_asked", Success, Warning),
            Self::PlaceConfirmed { .. } => ("authn_place_confirmed", Success, Info),
            Self::PlaceRefused { .. } => ("authn_place_fail", Failure, Warning),
            Self::PlaceTold { .. } => ("authn_place_told", Success, Warning),
            Self::PlaceRemoved { .. } => ("authn_place_removed", Success, Info),
            Self::PlaceTrusted { .. } => ("authn_place_trusted", Success, Warning),
            Self::PlacesForgotten { .. } => ("authn_places_forgotten", Success, Warning),
            Self::DeviceTrusted { .. } => ("authn_device_trusted", Success, Warning),
            Self::DeviceUntrusted { .. } => ("authn_device_untrusted", Success, Info),
            Self::MailUndelivered { .. } => ("mail_undelivered", Failure, Warning),
            Self::ApiKeyCreated { .. } => ("api_key_created", Success, Warning),
            Self::ApiKeyChanged { .. } => ("api_key_changed", Success, Warning),
            Self::ApiKeyRegenerated { .. } => ("api_key_regenerated", Success, Warning),
            Self::ApiKeyRevoked { .. } => ("api_key_revoked", Success, Info),
            Self::ApiKeyResumed { .. } => ("api_key_resumed", Success, Warning),
            Self::PersonErased { .. } => ("privacy_erased", Success, Critical),
            Self::PersonalExpired { .. } => ("audit_personal_expired", Success, Info),
            Self::LogPruned { .. } => ("audit_pruned", Success, Critical),
            Self::PendingRejected { .. } => ("audit_pending_rejected", Failure, Critical),
            Self::RejectedCleared { .. } => ("audit_rejected_cleared", Success, Critical),
            Self::AuditUpgraded { .. } => ("audit_upgraded", Success, Critical),
            Self::Heartbeat => ("sys_heartbeat", Success, Info),
            Self::ClockBehind { .. } => ("sys_clock_behind", Failure, Warning),
            Self::CheckpointRefused { .. } => ("audit_checkpoint_refused", Failure, Critical),
            Self::VerifyFailed { .. } => ("audit_verify_failed", Failure, Critical),
            Self::AnchorReplaced { .. } => ("audit_anchor_replaced", Success, Critical),
            Self::BackupCreated { .. } => ("backup_created", Success, Info),
            Self::BackupFailed { .. } => ("backup_failed", Failure, Warning),
            Self::BackupRestored { .. } => ("backup_restored", Success, Critical),
            Self::FileAlertOpened { severity: Bad::Critical, .. } => ("fim_alert_opened", Failure, Critical),
            Self::FileAlertOpened { severity: Bad::High, .. } => ("fim_alert_opened", Failure, Warning),
            Self::FileAlertOpened { .. } => ("fim_alert_opened", Failure, Info),
            Self::FileAlertResolved { .. } => ("fim_alert_resolved", Success, Warning),
            Self::FileAlertReverted { .. } => ("fim_alert_reverted", Success, Warning),
            Self::FileAlertIgnored { .. } => ("fim_alert_ignored", Success, Warning),
            Self::FileAlertDeleted { .. } => ("fim_alert_deleted", Success, Critical),
            Self::FileDiffViewed { .. } => ("fim_diff_viewed", Success, Info),
            Self::BaselineProposed { .. } => ("fim_baseline_proposed", Success, Warning),
            Self::BaselineActivated { .. } => ("fim_baseline_activated", Success, Critical),
            Self::DeploymentOpened { .. } => ("fim_deployment_opened", Success, Critical),
            Self::DeploymentClosed { .. } => ("fim_deployment_closed", Success, Warning),
            Self::FilesChecked { .. } => ("fim_checked", Success, Info),
            Self::FilesUnchecked { .. } => ("fim_unchecked", Failure, Warning),
            Self::WatchOverflowed { .. } => ("fim_watch_overflow", Failure, Warning),
            Self::CoverageChanged { narrowed: true, .. } => ("fim_coverage_changed", Success, Critical),
            Self::CoverageChanged { .. } => ("fim_coverage_changed", Success, Warning),
            Self::SigningKeyMade { .. } => ("sys_signing_key_made", Success, Info),
            Self::SigningKeysWithdrawn { .. } => ("sys_signing_keys_withdrawn", Success, Critical),
            Self::BundleExported { .. } => ("audit_exported", Success, Warning),
            Self::ActivityExported { .. } => ("audit_exported", Success, Warning),
            Self::Started { .. } => ("sys_startup", Success, Info),
            Self::Stopped => ("sys_shutdown", Success, Info),
        }
    };
}

impl Event {
    /// The name in the log.
    pub fn name(&self) -> &'static str {
        self.class().0
    }

    /// Whether something was done or refused.
    pub fn outcome(&self) -> Outcome {
        self.class().1
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.class().2
    }

    fn class(&self) -> (&'static str, Outcome, Severity) {
        class!(self)
    }
}
