//! A record as the cells of a table that people open in a spreadsheet. A cell that a spreadsheet
//! would take for a formula is made a text by an apostrophe in front, and what steers text is made
//! visible, so a record is one line. Not here: how cells are quoted.

use serde_json::Value;

use super::{Record, SCHEMA, Somebody, to_the_millisecond, worded};
use crate::event::ocsf::Resource;
use crate::text::visible;

/// The heads of the columns.
pub const HEADER: [&str; 22] = [
    "schema",
    "index",
    "at",
    "event",
    "outcome",
    "severity",
    "actor_id",
    "actor_name",
    "subject_id",
    "subject_name",
    "resource_type",
    "resource_id",
    "ip_address",
    "peer",
    "user_agent",
    "session",
    "request_id",
    "detail",
    "erased",
    "logged",
    "id",
    "leaf_hash",
];

/// The cells, in the order of [`HEADER`].
pub fn cells(record: &Record) -> [String; HEADER.len()] {
    let id = |somebody: &Option<Somebody>| {
        let somebody = somebody.as_ref();
        somebody.and_then(|it| it.user_id).map(|id| id.0.to_string()).unwrap_or_default()
    };
    let name = |somebody: &Option<Somebody>| {
        somebody.as_ref().and_then(|it| it.name.clone()).unwrap_or_default()
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells = [
        SCHEMA.to_string(),
        record.index.to_string(),
        to_the_millisecond(record.at),
        record.event.clone(),
        record.outcome.clone(),
        record.severity.clone(),
        id(&record.actor),
        name(&record.actor),
        id(&record.subject),
        name(&record.subject),
        record.resource().map(Resource::as_str).unwrap_or_default().to_owned(),
        record.resource_id().unwrap_or_default(),
        text(&record.ip),
        text(&record.peer),
        text(&record.user_agent),
        text(&record.session),
        text(&record.request_id),
        detail(record),
        (if record.is_erased { "true" } else { "" }).to_owned(),
        to_the_millisecond(record.logged),
        record.id.clone(),
        record.leaf_hash.to_string(),
    ];
    cells.map(|cell| visible(&inert(cell)))
}

/// JSON, so that nothing is lost; empty where there is none.
fn detail(record: &Record) -> String {
    if record.detail.is_empty() {
        return String::new();
    }
    worded(&Value::Object(record.detail.clone()))
}

/// A cell that no spreadsheet computes: what begins like a formula, in the usual or the wide
/// characters, gets an apostrophe in front, and so does what only white space separates from that.
pub fn inert(cell: String) -> String {
    let first = cell.trim_start_matches([' ', '\u{a0}', '\u{feff}']).chars().next();
    let begins = first.is_some_and(|first| {
        matches!(first, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '|' | '%')
            || matches!(first, '＝' | '＋' | '－' | '＠')
    });
    if begins { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_texts_and_everything_else_stays() {
        let check = |cell: &str, expected: &str| assert_eq!(inert(cell.to_owned()), expected);
        for formula in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "\u{feff}=1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            "|cmd",
            "%0a",
        ] {
            check(formula, &format!("'{formula}"));
        }
        for text in ["", "a=1", "Ada", "192.0.2.1", "2026-11-22T01:02:03.000Z", "{\"a\":1}", "'=1"]
        {
            check(text, text);
        }
    }
}
