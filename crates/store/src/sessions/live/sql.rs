//! The statements of the list. The parameters are the same in all of them, whether a statement uses
//! them or not: `$1` now; `$2` to `$5` user, address, form and handle; `$6` and `$7` patterns of a
//! person; `$8` to `$27` the users whom those mean, if they are few; `$28` and `$29` the place in the
//! list to go on from; `$30` and `$31` limit and offset; `$32` the status of an account in order.

use super::super::life::{has_good_credential, listed};

/// The most users whom a person may mean that are few. Where there are fewer, nobody fills the row.
pub(super) const FEW: usize = 20;

/// The condition that finds the fewest by an index; the others are looked at row by row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    Handle,
    User,
    Ip,
    FewPeople,
    ManyPeople,
    Form,
    Nothing,
}

/// One more than are few of the users whom the patterns mean.
pub(super) const PEOPLE: &str = concat!("SELECT id FROM (", people!(), ") few LIMIT $8");

/// How many there are, with this lead.
pub(super) fn count(lead: Lead) -> &'static str {
    match lead {
        Lead::Handle => count_sql!("s.handle = $5 AND ", rest!()),
        Lead::User => count_sql!("s.user_id = $2 AND ", rest!()),
        Lead::Ip => count_sql!("s.ip = $3 AND ", rest!()),
        Lead::FewPeople => count_sql!(few_people!(), rest!()),
        // The people are looked for once.
        Lead::ManyPeople => count_sql!(many_people!("s.user_id"), rest_but_people!()),
        Lead::Form => count_sql!("s.form = $4 AND ", rest!()),
        Lead::Nothing => count_sql!("", rest!()),
    }
}

/// The same where the lead is the only condition and an index answers it by itself: those who die
/// just now are counted and taken off.
pub(super) fn count_by_index(lead: Lead) -> Option<&'static str> {
    match lead {
        Lead::Nothing => Some(difference_sql!("", "")),
        // What is no bare column keeps the database from coming by its index.
        Lead::Ip => Some(difference_sql!(" AND s.ip = $3", " AND s.ip || '' = $3")),
        Lead::Form => Some(difference_sql!(" AND s.form = $4", " AND s.form || '' = $4")),
        Lead::Handle | Lead::User | Lead::FewPeople | Lead::ManyPeople => None,
    }
}

/// A page, with this lead.
pub(super) fn page(lead: Lead) -> &'static str {
    match lead {
        Lead::Handle => page_sql!("s.handle = $5 AND ", rest!(), "DESC"),
        Lead::User => page_sql!("s.user_id = $2 AND ", rest!(), "DESC"),
        Lead::Ip => page_sql!("s.ip = $3 AND ", rest!(), "DESC"),
        Lead::FewPeople => page_sql!(few_people!(), rest!(), "DESC"),
        Lead::ManyPeople => page_sql!(many_people!("s.user_id"), rest_but_people!(), "DESC"),
        Lead::Form => page_sql!("s.form = $4 AND ", rest!(), "DESC"),
        Lead::Nothing => page_sql!("", rest!(), "DESC"),
    }
}

/// A page where nothing is asked for, from the newest on.
pub(super) const OF_ALL: &str = page_sql!("", "", "DESC");
/// The same from the oldest on.
pub(super) const OF_ALL_BACKWARDS: &str = page_sql!("", "", "ASC");

macro_rules! people {
    () => {
        "SELECT u.id FROM users u WHERE u.email_folded LIKE $6 ESCAPE '!'
            OR u.username_folded LIKE $6 ESCAPE '!' OR u.name_folded LIKE $6 ESCAPE '!'
            OR u.name_folded LIKE $7 ESCAPE '!'"
    };
}

macro_rules! many_people {
    ($user:literal) => {
        concat!($user, " IN (", people!(), ") AND ")
    };
}

macro_rules! few_people {
    () => {
        "s.user_id IN ($8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
         $23, $24, $25, $26, $27) AND "
    };
}

/// Every condition that is given. The plus keeps the database from coming by way of the users.
macro_rules! rest {
    () => {
        concat!(
            rest_but_people!(),
            "($8 IS NULL OR ",
            few_people!(),
            "TRUE) AND ($6 IS NULL OR $8 IS NOT NULL OR ",
            many_people!("+s.user_id"),
            "TRUE) AND "
        )
    };
}

macro_rules! rest_but_people {
    () => {
        "($2 IS NULL OR s.user_id = $2) AND ($3 IS NULL OR s.ip = $3)
        AND ($4 IS NULL OR s.form = $4) AND ($5 IS NULL OR s.handle = $5) AND "
    };
}

macro_rules! alive {
    () => {
        concat!(listed!(), " AND (s.live_until > $1 OR ", has_good_credential!("$1"), ")")
    };
}

macro_rules! count_sql {
    ($lead:expr, $rest:expr) => {
        concat!("SELECT count(*) AS count FROM sessions s WHERE ", $lead, $rest, alive!())
    };
}

/// Two counts, of which the second is short.
macro_rules! difference_sql {
    ($by_index:literal, $not_by_index:literal) => {
        concat!(
            "SELECT (SELECT count(*) FROM sessions s WHERE ",
            listed!(),
            $by_index,
            ") - (SELECT count(*) FROM sessions s WHERE ",
            listed!(),
            " AND s.live_until <= $1",
            $not_by_index,
            " AND NOT ",
            has_good_credential!("$1"),
            ") AS count"
        )
    };
}

/// The rows are found first, as far as possible within an index, and only those of the page are read.
/// The plus keeps the database from coming by way of the users, of whom nearly all are in order.
macro_rules! page_sql {
    ($lead:expr, $rest:expr, $order:literal) => {
        concat!(
            "SELECT s.handle, s.user_id, u.email, u.username, u.first_name, u.last_name,
                u.account_type, s.form, s.ip, s.user_agent, s.platform, s.device_type,
                s.app_version, s.second_factor, s.remember_series IS NOT NULL AS is_remembered, s.created_at,
                COALESCE((SELECT MAX(c.last_active) FROM credentials c
                    WHERE c.session_id = s.id AND c.ended_at IS NULL), s.created_at) AS last_active,
                COALESCE((SELECT MAX(c.expires_at) FROM credentials c
                    WHERE c.session_id = s.id AND c.ended_at IS NULL), s.created_at) AS expires_at
            FROM (SELECT s.id AS listed_id FROM sessions s WHERE ",
            $lead,
            $rest,
            alive!(),
            " AND (s.created_at, s.id) < ($28, $29) ORDER BY s.created_at ",
            $order,
            ", s.id ",
            $order,
            " LIMIT $30 OFFSET $31) page JOIN sessions s ON s.id = page.listed_id
            JOIN users u ON u.id = s.user_id AND +u.status = $32 AND u.epoch = s.user_epoch
            ORDER BY s.created_at ",
            $order,
            ", s.id ",
            $order
        )
    };
}

use {
    alive, count_sql, difference_sql, few_people, many_people, page_sql, people, rest,
    rest_but_people,
};
