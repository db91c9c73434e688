//! Every event that is written down: what happened, as typed fields, under the names of the OWASP
//! Logging Vocabulary, with a few of our own in its style. Not here: who did it from where beyond
//! [`Context`], and the row it is stored in.
//!
//! No event has room for a secret: words come from our own tables, and what comes from outside is a
//! [`Text`], clipped. What a person typed as their name at sign-in has no field at all, because people
//! type passwords there; `known` says whether it was somebody's.

mod class;
mod detail;
pub mod ocsf;
mod samples;
#[cfg(test)]
mod tests;
mod words;

use serde::{Serialize, Serializer};

use crate::account::{AccountStatus, AccountType};
use crate::audit::entry::Person;
use crate::csrf;
use crate::delivery::Undelivered;
use crate::id::{CheckId, DeploymentId, KeyId, UserId};
use crate::integrity::{self, alert};
use crate::one_time_link::LinkPurpose;
use crate::session::SignInForm;
use crate::time::Time;

pub use samples::samples;
pub use words::{
    BackupFailure, EndReason, FactorMethod, FactorRefusal, FactorRemover, LimitName, LinkRefusal,
    MagicCodeRefusal, Outcome, PasswordChanger, PlaceRefusal, Severity, SignInFailure, Text,
    TokenKind,
};

/// Who did it to whom, and from where. Stored in columns beside the event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// Who acted; `None` for somebody unknown and for the server itself.
    pub actor: Option<UserId>,
    /// Whose account it is about.
    pub subject: Option<UserId>,
    /// The public handle of the session, never its id; or the id of the API key, never the key.
    pub session: Option<String>,
    /// The address of the client.
    pub ip: Option<String>,
    /// The address that the connection came from, which may be a proxy.
    pub peer: Option<String>,
    /// As the client sent it. See [`Text::clip`].
    pub user_agent: Option<String>,
    /// The id of the request, which the answer carries too.
    pub request_id: Option<String>,
}

/// What happened. The fields of a variant are the members of its detail, by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// Somebody signed in.
    SignedIn { form: SignInForm },
    /// Somebody signed in after wrong passwords.
    SignedInAfterFailures { form: SignInForm, failures: u32 },
    /// A sign-in failed. `known`: the name belongs to an account.
    SignInFailed { form: SignInForm, reason: SignInFailure, known: bool },
    /// Too many attempts: one was turned away before its password was looked at.
    SignInLimited { form: SignInForm },
    /// The last wrong password in a row: the network is locked out for this account.
    SignInLocked {
        #[serde(serialize_with = "iso")]
        until: Time,
    },
    /// Somebody who is signed in proved again who they are.
    ProvedAgain,
    /// Somebody who is signed in was to prove again who they are, and did not.
    NotProvedAgain { reason: SignInFailure },
    /// A new password was asked for by address. `known`: it is somebody's who may have one.
    PasswordResetAsked { known: bool },
    /// Somebody typed a code for a new password that is not good (any longer).
    PasswordResetCodeRefused { known: bool },
    /// A password was set.
    PasswordChanged { by: PasswordChanger },
    /// Somebody signed in with a password that is breached. `source`: who says so; `count`: how often it was
    /// found, at least.
    PasswordBreached { source: &'static str, count: i64 },
    /// Too many wrong passwords in a row from everywhere: the account takes none any more.
    PasswordDisabled,
    /// Somebody with the password, or a link, has to give a second factor.
    FactorAsked { form: SignInForm },
    /// Somebody with the password, or a link, has to set a second factor up first: his role asks for it.
    FactorSetUpAsked { form: SignInForm },
    /// A second factor was given, and was right. `left`: codes for a lost phone that were not used.
    FactorPassed {
        method: FactorMethod,
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<i64>,
    },
    /// A second factor was given, and was refused.
    FactorRefused { reason: FactorRefusal },
    /// The last wrong code in a row: nobody tries another for this account until then.
    FactorLocked {
        #[serde(serialize_with = "iso")]
        until: Time,
    },
    /// Too many wrong codes in a row: those of the app are not taken any more.
    FactorExhausted,
    /// A second factor is asked for from now on, which ended so many sessions.
    FactorEnabled { sessions: u64 },
    /// A second factor is not asked for any more, which ended so many sessions.
    FactorRemoved { by: FactorRemover, sessions: u64 },
    /// Other codes for a lost phone took the place of all earlier ones.
    BackupCodesRenewed { sessions: u64 },
    /// A bearer or access token was made.
    TokenCreated {
        kind: TokenKind,
        #[serde(skip_serializing_if = "Option::is_none")]
        platform: Option<Text>,
        #[serde(skip_serializing_if = "Option::is_none")]
        device_type: Option<Text>,
        #[serde(skip_serializing_if = "Option::is_none")]
        app_version: Option<Text>,
    },
    /// A token was ended.
    TokenRevoked { kind: TokenKind },
    /// A token that is used once came again: two have it. What hung on it was ended.
    TokenReused { kind: TokenKind },
    /// An API key was made. `prefix`: the beginning of it, which is shown.
    ApiKeyCreated { key: KeyId, prefix: Text, scopes: Text },
    /// What an API key is called, or may do, was changed.
    ApiKeyChanged { key: KeyId },
    /// An API key has another value; the one before goes on for so many seconds.
    ApiKeyRegenerated { key: KeyId, prefix: Text, overlap_s: u64 },
    /// An API key was taken back.
    ApiKeyRevoked { key: KeyId },
    /// An API key that came back with a backup is used again.
    ApiKeyResumed { key: KeyId },
    /// A one-time link was made; it can be used until then.
    LinkCreated {
        purpose: LinkPurpose,
        #[serde(serialize_with = "iso")]
        until: Time,
    },
    /// A one-time link was used.
    LinkUsed { purpose: LinkPurpose },
    /// A one-time link was taken back before anybody used it.
    LinkRevoked { purpose: LinkPurpose },
    /// The code of a one-time link was sent that is not good (any longer).
    LinkRefused { purpose: LinkPurpose, reason: LinkRefusal },
    /// A link to sign in was asked for by address. `known`: it is somebody's who may sign in.
    MagicLinkAsked { known: bool },
    /// A link to sign in was opened elsewhere than it was asked for, and showed its code.
    MagicLinkElsewhere,
    /// Somebody typed a code of such a link that is not good (any longer).
    MagicCodeRefused { reason: MagicCodeRefusal },
    /// A caller was refused. `rule`: the gate's rule or our own route; `reason`: the stable code.
    AccessDenied {
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<Text>,
        reason: &'static str,
        method: Text,
        path: Text,
    },
    /// A session began.
    SessionCreated { form: SignInForm },
    /// The cookie of a session got more time.
    SessionRenewed {
        #[serde(serialize_with = "iso")]
        until: Time,
    },
    /// A session was ended.
    SessionEnded { reason: EndReason },
    /// Somebody ended all sessions of his own but one.
    OtherSessionsEnded { reason: EndReason, others: u64 },
    /// A request was refused by the origin wall or for its CSRF token.
    CsrfFailed {
        #[serde(rename = "code", serialize_with = "code")]
        refusal: csrf::Refusal,
        method: Text,
        path: Text,
    },
    /// A bearer or access token was sent that is not good (any longer). `code`: why.
    CredentialRefused { code: &'static str },
    /// One cookie of ours came with several values, as when a sibling site tosses one in.
    CookieTossed { cookie: &'static str },
    /// A limit was exceeded.
    LimitExceeded { limit: LimitName },
    /// A limit was changed while the server runs. `is_configured`: the configuration's is back.
    LimitChanged { limit: &'static str, before: Text, after: Text, is_configured: bool },
    /// What was counted against an address was forgotten.
    AddressForgiven { network: Text },
    /// An account was made.
    UserCreated { account_type: AccountType, role: Text },
    /// An account was made from the record of another system.
    UserImported { account_type: AccountType, role: Text, status: AccountStatus },
    /// An account was disabled, which ended so many sessions.
    UserDisabled { sessions: u64 },
    /// An account was enabled again.
    UserEnabled,
    /// An account was given another e-mail address.
    EmailChanged,
    /// A user was put on the blacklist, which ended so many sessions.
    UserBlacklisted { reason: Option<Text>, sessions: u64 },
    /// The blacklist says anew why it holds a user.
    BlacklistReasonChanged { reason: Option<Text> },
    /// A user was taken off the blacklist.
    UserUnblacklisted,
    /// What describes an account was changed; which of it.
    ProfileChanged { fields: Vec<&'static str> },
    /// An account was made one of another type.
    AccountTypeChanged { account_type: AccountType },
    /// An account was given another role.
    RoleAssigned { role: Text, from: Text },
    /// An account was given a permission beside its role, or lost one.
    OwnPermissionsChanged { key: Text, granted: bool },
    /// Everything that was signed in to an account was ended: so many sessions.
    UserSignedOut { sessions: u64 },
    /// An account was deleted, which ended so many sessions.
    UserDeleted { sessions: u64 },
    /// The e-mail address of an account was proved.
    EmailVerified,
    /// Wrong passwords were forgiven.
    UserUnlocked,
    /// A role was made.
    RoleCreated { role: Text, level: u8 },
    /// A role was given another level.
    RoleLevelChanged { role: Text, level: u8 },
    /// A role was given another name.
    RoleRenamed { role: Text, from: Text },
    /// A role was deleted.
    RoleDeleted { role: Text },
    /// A role was given a permission, or lost one.
    PermissionsChanged { role: Text, key: Text, granted: bool },
    /// Somebody with the password has to confirm a new place.
    PlaceAsked { network: Text },
    /// Somebody confirmed a new place.
    PlaceConfirmed { network: Text },
    /// A new place was not confirmed.
    PlaceRefused { reason: PlaceRefusal },
    /// Somebody signed in at a new place, and the user was told.
    PlaceTold { network: Text },
    /// A place was taken from the user's own.
    PlaceRemoved { network: Text },
    /// An operator vouched for a place.
    PlaceTrusted { network: Text },
    /// An operator had every place of an account forgotten.
    PlacesForgotten { count: u64 },
    /// A sign-in is not asked for the second factor on this device until then.
    DeviceTrusted {
        id: Text,
        #[serde(serialize_with = "iso")]
        until: Time,
    },
    /// A device is trusted no more.
    DeviceUntrusted { id: Text },
    /// A message never went out. `id`: that of its row.
    MailUndelivered { id: Text, reason: Undelivered },
    /// Nothing else happened for an hour.
    Heartbeat,
    /// The clock is behind what was written down before, as when somebody set it back.
    ClockBehind { by_ms: i64 },
    /// A person was taken out of the log and of everything else. `person`: the number that stood for him,
    /// if there was one; `entries`: how many had personal data of his.
    PersonErased {
        #[serde(skip_serializing_if = "Option::is_none")]
        person: Option<Person>,
        entries: u64,
        basis: Text,
    },
    /// The personal data of entries below this one went with its age.
    PersonalExpired { below: u64 },
    /// Entries from `from` up to and without `to` were taken out of the database. A bundle has them.
    LogPruned { from: u64, to: u64, bundle_sha256: Text },
    /// Rows waited for their place that this program did not write, or wrote otherwise: they were put
    /// aside. `ids`: what they say they are called.
    PendingRejected { count: u64, ids: Text },
    /// An operator has looked at so many rows that were put aside, and had them deleted.
    RejectedCleared { count: u64 },
    /// A database of an older version came to the one in which what waits is vouched for, and people are
    /// bound to users: so many of each were believed as they were.
    AuditUpgraded { people: u64, waiting: u64 },
    /// The audit log does not continue what was signed of it, so nothing more is signed.
    CheckpointRefused { reason: &'static str },
    /// An operator put a file of the last checkpoint aside that the log does not continue. `anchored`:
    /// how many entries it was of; `size`: how many there are.
    AnchorReplaced { reason: &'static str, anchored: Option<u64>, size: u64 },
    /// The log was verified, and is not in order: the first thing that was found, and how many.
    VerifyFailed {
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        index: Option<u64>,
        faults: u64,
    },
    /// Entries from `first` up to and without `end` were handed on in a bundle.
    BundleExported { first: u64, end: u64, personal: bool },
    /// A backup was made.
    BackupCreated { file: Text, bytes: u64, rows: u64 },
    /// A backup could not be made.
    BackupFailed { reason: BackupFailure },
    /// The database was filled from a backup of that moment, which ended what was signed in.
    BackupRestored {
        #[serde(serialize_with = "iso")]
        taken_at: Time,
        sessions: u64,
    },
    /// There is a new key for access tokens.
    SigningKeyMade { kid: Text, algorithm: &'static str },
    /// Keys were taken out of use at once, with every access token that they had signed.
    SigningKeysWithdrawn { count: u64 },
    /// A file is not as the baseline has it, or something keeps it from being looked at: an alert is new,
    /// or open again.
    FileAlertOpened {
        alert: i64,
        root: Text,
        file_path: Text,
        kind: alert::Kind,
        severity: alert::Severity,
        rule: Text,
        reopened: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        deployment: Option<DeploymentId>,
    },
    /// Somebody took an alert for done.
    FileAlertResolved {
        alert: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        resolution: Option<alert::Resolution>,
    },
    /// What an alert tells of is no more.
    FileAlertReverted { alert: i64 },
    /// The difference of an alert is of no interest, until a day.
    FileAlertIgnored {
        alert: i64,
        #[serde(serialize_with = "iso")]
        until: Time,
    },
    /// An alert was deleted. What it told of stays here.
    FileAlertDeleted {
        alert: i64,
        root: Text,
        file_path: Text,
        kind: alert::Kind,
        fingerprint: Text,
        was: Text,
        found: Text,
    },
    /// Somebody looked at what a file and the good one differ in.
    FileDiffViewed { alert: i64 },
    /// There is a new baseline, which is not in force.
    BaselineProposed { root: Text, number: i64, origin: integrity::Origin, digest: Text },
    /// A baseline was put in force.
    BaselineActivated {
        root: Text,
        number: i64,
        origin: integrity::Origin,
        digest: Text,
        entries: i64,
    },
    /// A deployment began.
    DeploymentOpened {
        deployment: DeploymentId,
        root: Text,
        number: i64,
        #[serde(serialize_with = "iso")]
        until: Time,
    },
    /// A deployment came to an end.
    DeploymentClosed {
        deployment: DeploymentId,
        root: Text,
        state: integrity::DeploymentState,
        reached: i64,
        pending: i64,
        unexpected: i64,
    },
    /// A check of the files came to an end.
    FilesChecked {
        check: CheckId,
        state: integrity::CheckState,
        scanned: i64,
        violations: i64,
        alerts: i64,
        unverifiable: i64,
    },
    /// Nobody looked at the files of a root for longer than was planned.
    FilesUnchecked {
        root: Text,
        #[serde(serialize_with = "iso")]
        since: Time,
        #[serde(serialize_with = "iso")]
        until: Time,
    },
    /// More files of a root changed at once than the system tells of, so that all of it is looked at.
    WatchOverflowed { root: Text },
    /// Other files of a root are looked at than before.
    CoverageChanged { root: Text, narrowed: bool },
    /// Somebody takes entries of the log along: those from one index on and before another, as far as
    /// they were asked for.
    ActivityExported { format: &'static str, first: u64, end: u64 },
    /// The server began to serve.
    Started { version: &'static str, binary_sha256: Text },
    /// The server stopped on request.
    Stopped,
}

/// RFC 3339 in UTC.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn iso<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&time.iso())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn code<S: Serializer>(refusal: &csrf::Refusal, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(refusal.code())
}
