//! How things stand now: what somebody should look at, each with why, how much it matters and where
//! it can be changed. Pure: the numbers come in. Not here: what happened in a period.

use std::time::Duration;

use serde::Serialize;

/// Days after which a session or a token that nobody used is worth a look, and then is one to end.
pub const UNUSED_DAYS: (u64, u64) = (30, 90);
/// Days after which a remembered browser that did not come back is worth a look.
pub const UNUSED_BROWSER_DAYS: u64 = 14;
/// Days that a session may be alive without being worth a look.
pub const LONG_DAYS: u64 = 90;
/// Days after which the password of somebody on the staff is old.
pub const OLD_PASSWORD_DAYS: u64 = 365;
/// Days for which mail that never went out is told of.
pub const MAIL_DAYS: u64 = 7;
/// How long mail may wait.
pub const MAIL_WAITS: Duration = Duration::from_hours(1);
/// How old the last checkpoint may be.
const CHECKPOINT_AGE: Duration = Duration::from_hours(3);
/// How long ago the log may have been verified.
const VERIFICATION_AGE: Duration = Duration::from_hours(3 * 24);
/// How many owners are few enough.
const FEW_OWNERS: i64 = 5;

/// A number that was counted as far as was cheap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounded {
    pub count: i64,
    /// There may be more.
    pub at_least: bool,
}

impl From<i64> for Bounded {
    fn from(count: i64) -> Self {
        Self { count, at_least: false }
    }
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Open accounts with the role `owner` that somebody can sign in to.
    pub owners: i64,
    /// Those of them who sign in by a password alone.
    pub owners_without_factor: i64,
    /// Open staff accounts, owners among them, that have a password and no second factor.
    pub staff_without_factor: Bounded,
    /// Open accounts that have a second factor.
    pub with_factor: Bounded,
    /// Roles that hold every permission by `*`, without the role `owner`.
    pub roles_with_everything: i64,
    /// Open accounts that hold every permission by another role or by themselves.
    pub people_with_everything: Bounded,
    pub old_staff_passwords: Bounded,
    pub without_password: Bounded,
    /// Accounts that take no password after too many wrong ones.
    pub passwords_disabled: Bounded,
    pub disabled: Bounded,
    pub locked_out: Bounded,
    pub unproved_addresses: Bounded,
    pub blacklisted: i64,
    /// Live sessions that nobody used for the first and for the second of [`UNUSED_DAYS`].
    pub unused_sessions: (Bounded, Bounded),
    pub long_sessions: Bounded,
    pub unused_api_tokens: Bounded,
    /// API keys that nobody used for the second of [`UNUSED_DAYS`].
    pub unused_keys: Bounded,
    pub unused_browsers: Bounded,
    pub mail_given_up: Bounded,
    pub mail_waiting: Bounded,
    /// New alerts of watched files, the worst severity first.
    pub file_alerts: [i64; 4],
    pub audit: Audit,
}

/// How the log stands.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Events that are not in the log yet.
    pub unsequenced: i64,
    /// How long ago the last checkpoint was signed.
    pub checkpoint_age: Option<Duration>,
    /// Entries behind the last checkpoint.
    pub unsigned: i64,
    pub size: i64,
    /// How long ago it was last verified, and how much was not in order then.
    pub verified: Option<(Duration, i64)>,
    /// What a server knows of its own; `None` where no server was asked.
    pub node: Option<Node>,
}

/// What a server found out about the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The log does not continue what was signed of it.
    pub is_discontinued: bool,
    /// The file of the last checkpoint cannot be read or written.
    pub is_anchor_lost: bool,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Concern {
    /// To be put right now.
    Critical,
    /// To be put right.
    Warning,
    /// To be known.
    Note,
    /// As it should be.
    Ok,
}

impl Concern {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Ok => "ok",
        }
    }
}

/// One line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The stable word for what was looked at.
    pub check: &'static str,
    pub severity: Concern,
    pub count: i64,
    /// There may be more than `count`, which was as far as was cheap to count.
    pub at_least: bool,
    /// What is counted.
    pub title: &'static str,
    /// What it means, and what to do.
    pub meaning: &'static str,
    /// The page where one can act.
    pub page: Option<&'static str>,
    /// The command that shows more or acts, where there is no page.
    pub command: Option<&'static str>,
}

/// The list, with what matters most first.
pub fn posture(now: &Standing) -> Vec<Line> {
    let mut lines = accounts(now);
    lines.extend(powers(now));
    lines.extend(factors(now));
    lines.extend(credentials(now));
    lines.extend(mail(now));
    lines.extend(files(&now.file_alerts));
    lines.extend(log(&now.audit));
    // Stable: what matters alike stays in this order.
    lines.sort_by_key(|line| line.severity);
    lines
}

const USERS: Option<&str> = Some("/-/admin/users");
const ROLES: Option<&str> = Some("/-/admin/roles");
const SESSIONS: Option<&str> = Some("/-/admin/sessions");
const LIMITS: Option<&str> = Some("/-/admin/limits");
const BLACKLIST: Option<&str> = Some("/-/admin/blacklist");
const FILES: Option<&str> = Some("/-/admin/files");

fn powers(now: &Standing) -> Vec<Line> {
    let owners = match now.owners {
        0 => Concern::Critical,
        1 => Concern::Note,
        number if number <= FEW_OWNERS => Concern::Ok,
        _ => Concern::Warning,
    };
    vec![
        Line {
            check: "owners",
            severity: owners,
            count: now.owners,
            at_least: false,
            title: "Owners who can sign in",
            meaning: "Owners may do everything. With one alone nobody is there when he is not; \
                      more than five are more doors than anybody watches.",
            page: USERS,
            command: None,
        },
        line(
            "roles_with_everything",
            now.roles_with_everything.into(),
            Concern::Warning,
            "Other roles that hold *",
            "Each makes an owner of everybody who has it. Give the permissions that are needed.",
            ROLES,
        ),
        line(
            "people_with_everything",
            now.people_with_everything,
            Concern::Warning,
            "People who hold * without being owners",
            "They may do all that an owner may, and no list of owners names them.",
            USERS,
        ),
    ]
}

fn accounts(now: &Standing) -> Vec<Line> {
    vec![
        line(
            "staff_passwords_old",
            now.old_staff_passwords,
            Concern::Note,
            "Staff whose password is older than a year",
            "Age alone harms no password. Ask whether it may have been used elsewhere.",
            USERS,
        ),
        line(
            "accounts_without_password",
            now.without_password,
            Concern::Note,
            "Accounts without a password",
            "Nobody signs in to them until one is set by mail. Delete those that nobody waits for.",
            USERS,
        ),
        line(
            "passwords_disabled",
            now.passwords_disabled,
            Concern::Warning,
            "Accounts that take no password any more",
            "A hundred wrong passwords in a row: somebody is guessing. Ask the user, then unlock.",
            LIMITS,
        ),
        line(
            "locked_out",
            now.locked_out,
            Concern::Warning,
            "Accounts locked for a network just now",
            "Many wrong passwords from one place. It ends by itself; many at once are an attack.",
            LIMITS,
        ),
        line(
            "accounts_disabled",
            now.disabled,
            Concern::Note,
            "Disabled accounts",
            "Nobody signs in to them. Delete those that will not come back.",
            USERS,
        ),
        line(
            "addresses_unproved",
            now.unproved_addresses,
            Concern::Note,
            "Accounts whose e-mail address nobody proved",
            "A password reset goes there: a wrong address gives the account to a stranger.",
            USERS,
        ),
        line(
            "blacklisted",
            now.blacklisted.into(),
            Concern::Note,
            "People on the blacklist",
            "They are kept out. Look now and then whether each still has to be.",
            BLACKLIST,
        ),
    ]
}

fn factors(now: &Standing) -> Vec<Line> {
    let with_factor = line(
        "people_with_second_factor",
        now.with_factor,
        Concern::Ok,
        "People with a second factor",
        "Their password alone signs nobody in.",
        USERS,
    );
    vec![
        line(
            "owners_without_second_factor",
            now.owners_without_factor.into(),
            Concern::Warning,
            "Owners without a second factor",
            "One stolen password, and somebody else may do everything. They set one up on their \
             account page.",
            USERS,
        ),
        line(
            "staff_without_second_factor",
            now.staff_without_factor,
            Concern::Note,
            "Staff without a second factor",
            "Their password alone signs anybody in who knows it. They set one up on their account \
             page.",
            USERS,
        ),
        with_factor,
    ]
}

fn credentials(now: &Standing) -> Vec<Line> {
    vec![
        line(
            "sessions_unused_90_days",
            now.unused_sessions.1,
            Concern::Warning,
            "Sessions that nobody used for 90 days",
            "They still open the door, on devices that may be lost or sold. End them.",
            SESSIONS,
        ),
        line(
            "sessions_unused_30_days",
            now.unused_sessions.0,
            Concern::Note,
            "Sessions that nobody used for 30 days",
            "Those of 90 days are among them. A shorter life for mobile tokens ends them by itself.",
            SESSIONS,
        ),
        line(
            "sessions_long",
            now.long_sessions,
            Concern::Note,
            "Sessions that began more than 90 days ago",
            "Whoever signed in then is believed until now. tokens.mobile says how long that is.",
            SESSIONS,
        ),
        line(
            "api_tokens_unused",
            now.unused_api_tokens,
            Concern::Warning,
            "API tokens that nobody used for 30 days",
            "A token that no program needs is one that only a thief uses. End its session.",
            SESSIONS,
        ),
        Line {
            command: Some("portcullis key list"),
            ..line(
                "api_keys_unused",
                now.unused_keys,
                Concern::Warning,
                "API keys that nobody used for 90 days",
                "A key that no program needs is one that only a thief uses. Revoke it.",
                None,
            )
        },
        line(
            "browsers_unused",
            now.unused_browsers,
            Concern::Note,
            "Remembered browsers that did not come back for 14 days",
            "They sign in by themselves when they do. session.remember says how long.",
            USERS,
        ),
    ]
}

fn mail(now: &Standing) -> Vec<Line> {
    const LIST: Option<&str> = Some("portcullis mail list");
    let given_up = line(
        "mail_given_up",
        now.mail_given_up,
        Concern::Warning,
        "Letters of the last 7 days that never went out",
        "People wait for links and codes that do not come, and are not told of what happened.",
        None,
    );
    let waiting = line(
        "mail_waiting",
        now.mail_waiting,
        Concern::Warning,
        "Letters that wait for more than an hour",
        "The mail server does not take them. Codes and links run out meanwhile.",
        None,
    );
    vec![Line { command: LIST, ..given_up }, Line { command: LIST, ..waiting }]
}

fn files([critical, high, medium, low]: &[i64; 4]) -> [Line; 4] {
    const MEANING: &str =
        "Somebody changed what was not to be changed, or nobody has said yet that it was right.";
    let of = |check, count: i64, concern, title| {
        line(check, count.into(), concern, title, MEANING, FILES)
    };
    [
        of("files_critical", *critical, Concern::Critical, "New critical alerts of watched files"),
        of("files_high", *high, Concern::Warning, "New alerts of watched files, high"),
        of("files_medium", *medium, Concern::Warning, "New alerts of watched files, medium"),
        of("files_low", *low, Concern::Note, "New alerts of watched files, low"),
    ]
}

fn log(now: &Audit) -> Vec<Line> {
    const STATUS: Option<&str> = Some("portcullis audit status");
    let is_late = now.checkpoint_age.is_none_or(|age| age > CHECKPOINT_AGE);
    let is_unsigned = is_late && now.unsigned > 0;
    let unsigned = line(
        "log_unsigned",
        now.unsigned.into(),
        if is_unsigned { Concern::Critical } else { Concern::Ok },
        "Entries of the log behind its last checkpoint",
        "Until a checkpoint covers them they can be changed unseen. Servers sign one every minute; \
         none for hours means that signing stands still.",
        None,
    );
    let unsequenced = line(
        "log_unsequenced",
        now.unsequenced.into(),
        Concern::Warning,
        "Events that are not in the log yet",
        "They are kept, but not in order yet, and not in this report.",
        None,
    );
    let mut lines = vec![unsigned, unsequenced, faults(now), unverified(now)];
    if let Some(node) = now.node {
        lines.extend([
            line(
                "log_discontinued",
                i64::from(node.is_discontinued).into(),
                Concern::Critical,
                "The log does not continue what was signed of it",
                "It was cut off, changed or taken back to an older copy. Nothing more is signed until \
                 somebody looks.",
                None,
            ),
            line(
                "log_anchor",
                i64::from(node.is_anchor_lost).into(),
                Concern::Warning,
                "The file of the last checkpoint cannot be used",
                "Without it nobody notices a log that was taken back. See audit.anchor.",
                None,
            ),
        ]);
    }
    lines.into_iter().map(|line| Line { command: STATUS, ..line }).collect()
}

fn faults(now: &Audit) -> Line {
    let faults = now.verified.map_or(0, |(_, faults)| faults);
    line(
        "log_faults",
        faults.into(),
        Concern::Critical,
        "Things that the last verification of the log found not in order",
        "Somebody changed it, or a disk did. \"portcullis audit verify\" names each.",
        None,
    )
}

fn unverified(now: &Audit) -> Line {
    let is_verified = now.verified.is_some_and(|(age, _)| age <= VERIFICATION_AGE);
    let unverified = if is_verified { 0 } else { now.size };
    line(
        "log_unverified",
        unverified.into(),
        Concern::Warning,
        "Entries of a log that was not verified for three days, or never",
        "A log that nobody verifies proves nothing. See audit.verify_every.",
        None,
    )
}

/// A line that is as it should be where nothing was counted.
fn line(
    check: &'static str,
    counted: Bounded,
    concern: Concern,
    title: &'static str,
    meaning: &'static str,
    page: Option<&'static str>,
) -> Line {
    let Bounded { count, at_least } = counted;
    let severity = if count == 0 { Concern::Ok } else { concern };
    Line { check, severity, count, at_least, title, meaning, page, command: None }
}

#[cfg(test)]
mod tests;
