//! What each event is for other people's tools: its class and activity in the Open Cybersecurity
//! Schema Framework (OCSF), and which kind of thing it is about. One table, one line an event or one
//! of its kinds. Not here: the whole record in that schema (`crate::activity::ocsf`).

use serde_json::{Map, Value};

use Activity::{ByGrant, ByMethod, Known, Other};
use Class::{
    AccountChange, ApiActivity, ApplicationLifecycle, Authentication, DetectionFinding,
    EntityManagement, GroupManagement, UserAccess,
};
use Resource::{
    Address, Baseline, Device, File, Letter, Limit, Link, Log, Permission, Place, Role, Route,
    Server, Session, Token, User,
};
use When::{Always, HasBoth, Is};

/// The version of the schema that the numbers below are from. Later ones keep them.
pub const SCHEMA_VERSION: &str = "1.3.0";

/// What an event is in the words of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The name in the log.
    pub name: &'static str,
    /// Which of the events of this name.
    when: When,
    /// What it is about.
    pub resource: Resource,
    pub class: Class,
    activity: Activity,
}

/// Which events of a name a line is for, by their detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// Both members are there.
    HasBoth(&'static str, &'static str),
    /// A member is this word, or this truth.
    Is(&'static str, &'static str),
}

/// A class of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    AccountChange,
    Authentication,
    EntityManagement,
    UserAccess,
    GroupManagement,
    ApplicationLifecycle,
    ApiActivity,
    /// A finding of a detection.
    DetectionFinding,
}

/// An activity within a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    /// One that the schema numbers.
    Known(u8),
    /// One that it has no number for, in our own words.
    Other(&'static str),
    /// What the method of the request would have done.
    ByMethod,
    /// Privileges were given or taken away.
    ByGrant,
}

/// What kind of thing an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    Address,
    Baseline,
    Device,
    File,
    Letter,
    Limit,
    Link,
    Log,
    Permission,
    Place,
    Role,
    Route,
    Server,
    Session,
    Token,
    User,
}

/// The line for an event; `None` for a name that this version does not know.
pub fn mapping(name: &str, detail: &Map<String, Value>) -> Option<&'static Mapping> {
    MAPPINGS.iter().find(|line| line.name == name && line.when.holds(detail))
}

/// The names of the events about this kind of thing.
pub fn names_of(resource: Resource) -> impl Iterator<Item = &'static str> {
    let mut last = "";
    let about_it = MAPPINGS.iter().filter(move |line| line.resource == resource);
    // The lines of one name stand together.
    about_it.map(|line| line.name).filter(move |name| std::mem::replace(&mut last, name) != *name)
}

/// The names of all events.
pub fn names() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    MAPPINGS
        .iter()
        .map(|line| line.name)
        .filter(move |name| std::mem::replace(&mut last, name) != *name)
}

impl Mapping {
    /// The number of the activity; 99 for one that the schema does not number.
    pub fn activity_id(&self, detail: &Map<String, Value>) -> u8 {
        match self.activity {
            Known(id) => id,
            Other(_) => OTHER,
            ByGrant if Is("granted", "true").holds(detail) => 1,
            ByGrant => 2,
            ByMethod => match detail.get("method").and_then(Value::as_str) {
                Some("POST") => 1,
                Some("GET" | "HEAD") => 2,
                Some("PUT" | "PATCH") => 3,
                Some("DELETE") => 4,
                _ => OTHER,
            },
        }
    }

    /// What the activity is called.
    pub fn activity_name(&self, detail: &Map<String, Value>) -> &'static str {
        match self.activity {
            Other(name) => name,
            Known(_) | ByGrant | ByMethod => {
                self.class.activity(self.activity_id(detail)).unwrap_or("Other")
            }
        }
    }
}

/// The number of an activity without one.
const OTHER: u8 = 99;

impl When {
    fn holds(self, detail: &Map<String, Value>) -> bool {
        match self {
            Always => true,
            HasBoth(one, other) => detail.contains_key(one) && detail.contains_key(other),
            Is(member, word) => match detail.get(member) {
                Some(Value::String(text)) => text == word,
                Some(Value::Bool(truth)) => (if *truth { "true" } else { "false" }) == word,
                _ => false,
            },
        }
    }
}

impl Class {
    /// The number of the class.
    pub fn uid(self) -> u32 {
        match self {
            AccountChange => 3001,
            Authentication => 3002,
            EntityManagement => 3004,
            UserAccess => 3005,
            GroupManagement => 3006,
            ApplicationLifecycle => 6002,
            ApiActivity => 6003,
            DetectionFinding => 2004,
        }
    }

    /// What the class is called.
    pub fn caption(self) -> &'static str {
        match self {
            AccountChange => "Account Change",
            Authentication => "Authentication",
            EntityManagement => "Entity Management",
            UserAccess => "User Access Management",
            GroupManagement => "Group Management",
            ApplicationLifecycle => "Application Lifecycle",
            ApiActivity => "API Activity",
            DetectionFinding => "Detection Finding",
        }
    }

    /// The number and the name of the category.
    pub fn category(self) -> (u32, &'static str) {
        match self {
            AccountChange | Authentication | EntityManagement | UserAccess | GroupManagement => {
                (3, "Identity & Access Management")
            }
            DetectionFinding => (2, "Findings"),
            ApplicationLifecycle | ApiActivity => (6, "Application Activity"),
        }
    }

    /// What the schema calls an activity of the class, for those that are in the table.
    fn activity(self, id: u8) -> Option<&'static str> {
        let name = match (self, id) {
            (AccountChange | EntityManagement | ApiActivity | DetectionFinding, 1) => "Create",
            (AccountChange, 2) => "Enable",
            (AccountChange, 3) => "Password Change",
            (AccountChange, 4) => "Password Reset",
            (AccountChange, 5) => "Disable",
            (AccountChange, 6) | (EntityManagement | ApiActivity, 4) => "Delete",
            (AccountChange, 9) => "Lock",
            (AccountChange, 10) => "MFA Factor Enable",
            (AccountChange, 11) => "MFA Factor Disable",
            (Authentication, 1) => "Logon",
            (Authentication, 2) => "Logoff",
            (Authentication, 3) => "Authentication Ticket",
            (Authentication, 5) => "Service Ticket Renew",
            (Authentication, 6) => "Preauth",
            (EntityManagement | ApiActivity, 2) => "Read",
            (EntityManagement | ApiActivity, 3) | (DetectionFinding, 2) => "Update",
            (UserAccess | GroupManagement, 1) => "Assign Privileges",
            (UserAccess | GroupManagement, 2) => "Revoke Privileges",
            (DetectionFinding, 3) => "Close",
            (ApplicationLifecycle, 3) => "Start",
            (ApplicationLifecycle, 4) => "Stop",
            _ => return None,
        };
        Some(name)
    }
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Address, Baseline, Device, File, Letter, Limit, Link, Log, Permission, Place, Role, Route,
        Server, Session, Token, User,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Address => "address",
            Baseline => "baseline",
            Device => "device",
            File => "file",
            Letter => "letter",
            Limit => "limit",
            Link => "link",
            Log => "log",
            Permission => "permission",
            Place => "place",
            Role => "role",
            Route => "route",
            Server => "server",
            Session => "session",
            Token => "token",
            User => "user",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.as_str() == word)
    }
}

const fn line(
    name: &'static str,
    when: When,
    resource: Resource,
    class: Class,
    activity: Activity,
) -> Mapping {
    Mapping { name, when, resource, class, activity }
}

/// The first line that fits counts.
#[rustfmt::skip]
const MAPPINGS: &[Mapping] = &[
    line("authn_login_success", Always, User, Authentication, Known(1)),
    line("authn_login_successafterfail", Always, User, Authentication, Known(1)),
    line("authn_login_fail", Always, User, Authentication, Known(1)),
    line("authn_login_fail_max", Always, User, Authentication, Known(1)),
    line("authn_login_lock", Always, User, Authentication, Other("Lock out")),
    line("authn_reauth_success", Always, User, Authentication, Other("Prove again")),
    line("authn_reauth_fail", Always, User, Authentication, Other("Prove again")),
    line("authn_password_reset_asked", Always, User, AccountChange, Other("Ask for a new password")),
    line("authn_code_fail", Always, User, Authentication, Other("Use a code")),
    line("authn_password_change", Is("by", "link"), User, AccountChange, Known(4)),
    line("authn_password_change", Always, User, AccountChange, Known(3)),
    line("authn_password_breached", Always, User, Authentication, Other("Breached password")),
    line("authn_password_disabled", Always, User, Authentication, Other("Close to passwords")),
    line("authn_factor_asked", Always, User, Authentication, Known(6)),
    line("authn_factor_setup_asked", Always, User, Authentication, Known(6)),
    line("authn_factor_success", Always, User, Authentication, Known(6)),
    line("authn_factor_fail", Always, User, Authentication, Known(6)),
    line("authn_factor_lock", Always, User, Authentication, Other("Lock out")),
    line("authn_factor_exhausted", Always, User, Authentication, Other("Close to codes")),
    line("authn_factor_enabled", Always, User, AccountChange, Known(10)),
    line("authn_factor_removed", Always, User, AccountChange, Known(11)),
    line("authn_backup_codes_renewed", Always, User, AccountChange, Other("Renew the backup codes")),
    line("authn_token_created", Always, Token, Authentication, Known(3)),
    line("authn_token_revoked", Always, Token, Authentication, Other("Revoke a token")),
    line("api_key_created", Always, Token, AccountChange, Other("Make an API key")),
    line("api_key_changed", Always, Token, AccountChange, Other("Change an API key")),
    line("api_key_regenerated", Always, Token, AccountChange, Other("Make an API key anew")),
    line("api_key_revoked", Always, Token, AccountChange, Other("Revoke an API key")),
    line("api_key_resumed", Always, Token, AccountChange, Other("Use an API key again")),
    line("authn_token_reuse", Always, Token, Authentication, Other("Use a token twice")),
    line("authn_link_created", Always, Link, Authentication, Other("Make a link")),
    line("authn_link_revoked", Always, Link, Authentication, Other("Revoke a link")),
    line("authn_link_used", Always, Link, Authentication, Other("Use a link")),
    line("authn_link_fail", Always, Link, Authentication, Other("Use a link")),
    line("authn_magic_link_asked", Always, User, Authentication, Other("Ask for a link")),
    line("authn_magic_link_elsewhere", Always, Link, Authentication, Known(6)),
    line("authn_magic_code_fail", Always, Link, Authentication, Other("Use a code")),
    line("authz_fail", Always, Route, ApiActivity, ByMethod),
    line("session_created", Always, Session, Authentication, Known(3)),
    line("session_renewed", Always, Session, Authentication, Known(5)),
    line("session_ended", Always, Session, Authentication, Known(2)),
    line("csrf_fail", Always, Route, ApiActivity, ByMethod),
    line("authn_credential_fail", Always, Token, Authentication, Other("Use a token")),
    line("cookie_toss", Always, Device, Authentication, Other("Toss a cookie")),
    line("excess_rate_limit_exceeded", Always, Limit, ApiActivity, Other("Exceed a limit")),
    line("limit_changed", Always, Limit, EntityManagement, Known(3)),
    line("limit_address_forgiven", Always, Address, EntityManagement, Known(3)),
    line("user_created", Always, User, AccountChange, Known(1)),
    line("user_updated", Is("value", "active"), User, AccountChange, Known(2)),
    line("user_updated", Is("value", "disabled"), User, AccountChange, Known(5)),
    line("user_updated", Always, User, AccountChange, Other("Update")),
    line("user_blacklisted", Always, User, AccountChange, Known(9)),
    line("user_blacklist_updated", Always, User, AccountChange, Other("Update")),
    line("user_unblacklisted", Always, User, AccountChange, Other("Unlock")),
    line("user_signed_out", Always, User, Authentication, Known(2)),
    line("user_deleted", Always, User, AccountChange, Known(6)),
    line("user_unlocked", Always, User, AccountChange, Other("Unlock")),
    line("role_created", Always, Role, EntityManagement, Known(1)),
    line("role_updated", Always, Role, EntityManagement, Known(3)),
    line("role_deleted", Always, Role, EntityManagement, Known(4)),
    line("privilege_permissions_changed", HasBoth("role", "from"), Permission, UserAccess, Known(1)),
    line("privilege_permissions_changed", HasBoth("role", "granted"), Permission, GroupManagement, ByGrant),
    line("privilege_permissions_changed", Always, Permission, UserAccess, ByGrant),
    line("fim_alert_opened", Always, File, DetectionFinding, Known(1)),
    line("fim_alert_resolved", Always, File, DetectionFinding, Known(3)),
    line("fim_alert_reverted", Always, File, DetectionFinding, Known(3)),
    line("fim_alert_ignored", Always, File, DetectionFinding, Known(2)),
    line("fim_alert_deleted", Always, File, DetectionFinding, Other("Delete")),
    line("fim_diff_viewed", Always, File, EntityManagement, Known(2)),
    line("fim_baseline_proposed", Always, Baseline, EntityManagement, Known(1)),
    line("fim_baseline_activated", Always, Baseline, EntityManagement, Known(3)),
    line("fim_deployment_opened", Always, Baseline, EntityManagement, Other("Begin a deployment")),
    line("fim_deployment_closed", Always, Baseline, EntityManagement, Other("End a deployment")),
    line("fim_checked", Always, Server, ApplicationLifecycle, Other("Check the files")),
    line("fim_unchecked", Always, Server, ApplicationLifecycle, Other("Miss checks of the files")),
    line("fim_watch_overflow", Always, Server, ApplicationLifecycle, Other("Miss changes of files")),
    line("fim_coverage_changed", Always, Baseline, EntityManagement, Known(3)),
    line("authn_place_asked", Always, Place, Authentication, Known(6)),
    line("authn_place_confirmed", Always, Place, Authentication, Known(6)),
    line("authn_place_fail", Always, Place, Authentication, Known(6)),
    line("authn_place_told", Always, Place, Authentication, Other("Sign in at a new place")),
    line("authn_place_removed", Always, Place, AccountChange, Other("Remove a place")),
    line("authn_place_trusted", Always, Place, AccountChange, Other("Trust a place")),
    line("authn_places_forgotten", Always, Place, AccountChange, Other("Forget the places")),
    line("authn_device_trusted", Always, Device, AccountChange, Other("Trust a device")),
    line("authn_device_untrusted", Always, Device, AccountChange, Other("Trust a device no more")),
    line("mail_undelivered", Always, Letter, ApiActivity, Other("Send a letter")),
    line("sys_heartbeat", Always, Server, ApplicationLifecycle, Other("Be there")),
    line("sys_clock_behind", Always, Server, ApplicationLifecycle, Other("Fall behind")),
    line("privacy_erased", Always, User, AccountChange, Other("Erase a person")),
    line("audit_personal_expired", Always, Log, ApiActivity, Known(4)),
    line("audit_pruned", Always, Log, ApiActivity, Known(4)),
    line("audit_pending_rejected", Always, Log, ApiActivity, Other("Refuse what waited")),
    line("audit_rejected_cleared", Always, Log, ApiActivity, Known(4)),
    line("audit_upgraded", Always, Log, ApiActivity, Other("Upgrade the log")),
    line("audit_checkpoint_refused", Always, Log, ApiActivity, Other("Sign the log")),
    line("audit_anchor_replaced", Always, Log, ApiActivity, Other("Go on without the anchor")),
    line("audit_verify_failed", Always, Log, ApiActivity, Other("Verify the log")),
    line("sys_signing_key_made", Always, Server, ApiActivity, Other("Make a signing key")),
    line("sys_signing_keys_withdrawn", Always, Server, ApiActivity, Other("Withdraw signing keys")),
    line("backup_created", Always, Server, ApiActivity, Other("Back up")),
    line("backup_failed", Always, Server, ApiActivity, Other("Back up")),
    line("backup_restored", Always, Server, ApiActivity, Other("Restore")),
    line("audit_exported", Always, Log, ApiActivity, Known(2)),
    line("sys_startup", Always, Server, ApplicationLifecycle, Known(3)),
    line("sys_shutdown", Always, Server, ApplicationLifecycle, Known(4)),
];
