//! The API reference for people, made from the same table of routes as the router and
//! `/-/openapi.json`, so that none of the three can say what the others do not.

use std::fmt::Write as _;

use askama::Template;
use http::{Method, StatusCode};
use serde_json::{Map, Value};

use crate::web::caller::{Anyone, Level};
use crate::web::door::is_safe;
use crate::web::refusal::Family;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc, Row};

pub(super) const SHOW: Doc =
    Doc { id: "show_docs", summary: "This reference, as a page.", ..Doc::USUAL };

/// `GET /-/docs`.
pub(super) async fn show(call: Call, _: Anyone) -> Answer {
    let base = call.app.public_url.to_string();
    let rows: Vec<&Row> = call.app.routes.rows().collect();
    super::show(StatusCode::OK, &Docs { chapters: chapters(&rows, &base) })
}

#[derive(Template)]
#[template(path = "docs.html")]
pub(super) struct Docs {
    chapters: Vec<Chapter>,
}

struct Chapter {
    id: &'static str,
    title: &'static str,
    about: &'static str,
    routes: Vec<Route>,
}

struct Route {
    id: &'static str,
    method: String,
    path: &'static str,
    /// Whether it is a method that changes something.
    writes: bool,
    summary: &'static str,
    who: String,
    csrf: Option<&'static str>,
    fields: &'static [(&'static str, bool, &'static str)],
    status: u16,
    example: String,
    curl: Option<String>,
}

/// The chapters that have routes, in the order in which somebody new reads them.
fn chapters(rows: &[&Row], base: &str) -> Vec<Chapter> {
    let all = [
        (
            "shared",
            "Shared by every family",
            "Paths that several families document. Answers and refusals carry the keys of all.",
            Group::Shared,
        ),
        (
            "family-p",
            "Family P",
            "Answers are {\"success\": true, \"data\": …}, refusals {\"success\": false, \
             \"error\": …}. A bearer or the session cookie signs in.",
            Group::Family(Family::P),
        ),
        (
            "family-s",
            "Family S",
            "Answers are bare objects, refusals {\"statusCode\": …, \"message\": …}. The access \
             token signs in.",
            Group::Family(Family::S),
        ),
        (
            "family-z",
            "Family Z",
            "Refusals are {\"type\": …, \"errors\": [{\"code\", \"detail\", \"attr\"}]}. The \
             cookies sessionid and csrftoken sign in. A slash at the end of a path does not matter.",
            Group::Family(Family::Z),
        ),
        ("own", "The gate itself", "Pages, health and descriptions of the gate.", Group::Own),
    ];
    all.into_iter()
        .map(|(id, title, about, group)| {
            let rows = rows.iter().filter(|row| group_of(row) == group);
            Chapter { id, title, about, routes: rows.map(|row| route(row, base)).collect() }
        })
        .filter(|chapter| !chapter.routes.is_empty())
        .collect()
}

#[derive(PartialEq, Eq)]
enum Group {
    Shared,
    Family(Family),
    Own,
}

fn group_of(row: &Row) -> Group {
    match row.doc.family {
        Family::Every if row.path.starts_with("/api/") => Group::Shared,
        Family::Every => Group::Own,
        family @ (Family::P | Family::S | Family::Z) => Group::Family(family),
    }
}

fn route(row: &Row, base: &str) -> Route {
    Route {
        id: row.doc.id,
        method: row.method.to_string(),
        path: row.path,
        writes: !is_safe(&row.method),
        summary: row.doc.summary,
        who: who(row),
        csrf: csrf(row),
        fields: row.doc.fields,
        status: row.doc.answer.0,
        example: example(row.doc.answer.1),
        curl: (!is_form(row)).then(|| curl(row, base)),
    }
}

fn who(row: &Row) -> String {
    let who = match row.level {
        Level::Anyone | Level::Visitor => "Anyone".to_owned(),
        Level::SignedIn => "Anyone who is signed in".to_owned(),
        Level::Allowed(key) => format!("Whoever holds {key}"),
        Level::Superuser => "Whoever may do everything".to_owned(),
        Level::Staff(None) => "Staff".to_owned(),
        Level::Staff(Some(key)) => format!("Staff who hold {key}"),
    };
    if row.fresh { format!("{who}, after a fresh sign-in") } else { who }
}

/// What is said of CSRF tokens: nothing where no token could ever be asked for.
fn csrf(row: &Row) -> Option<&'static str> {
    let is_public = matches!(row.level, Level::Anyone | Level::Visitor);
    match row.doc.csrf {
        _ if is_safe(&row.method) => None,
        Csrf::Exempt if is_form(row) => Some("The form's own"),
        Csrf::Exempt => Some("Not needed, but pages of other sites are refused"),
        Csrf::Required if is_public => Some("Needed beside a session cookie"),
        Csrf::Required => {
            Some("Needed with a cookie or a bearer token; with an access token only in a browser")
        }
    }
}

/// Whether the route takes what a page of ours sends, and nothing else.
fn is_form(row: &Row) -> bool {
    row.path.starts_with("/-/") && row.method == Method::POST
}

/// The example answer, spread over lines where it is one that does not fit into one.
fn example(text: &str) -> String {
    let value: Result<Value, _> = serde_json::from_str(text);
    match value {
        Ok(value) if text.len() > 60 => {
            serde_json::to_string_pretty(&value).unwrap_or_else(|_| text.to_owned())
        }
        Ok(_) | Err(_) => text.to_owned(),
    }
}

/// A command line that calls the route, in the style of its family.
fn curl(row: &Row, base: &str) -> String {
    let mut line = String::from("curl");
    if row.method != Method::GET {
        push(&mut line, format_args!(" -X {}", row.method));
    }
    push(&mut line, format_args!(" {base}{}", row.path));
    let of_query = row.doc.fields.iter().filter(|(_, required, _)| *required);
    for (name, ..) in of_query.filter(|_| is_safe(&row.method)) {
        push(&mut line, format_args!("?{name}=…"));
    }
    for part in credentials(row) {
        push(&mut line, format_args!(" \\\n  {part}"));
    }
    if let Some(body) = body(row) {
        push(&mut line, format_args!(" \\\n  -H 'Content-Type: application/json' -d '{body}'"));
    }
    line
}

/// Writing to a text cannot fail.
fn push(line: &mut String, part: std::fmt::Arguments<'_>) {
    line.write_fmt(part).unwrap_or_default();
}

fn credentials(row: &Row) -> Vec<&'static str> {
    if matches!(row.level, Level::Anyone | Level::Visitor) {
        return Vec::new();
    }
    let needs_token = !is_safe(&row.method) && row.doc.csrf == Csrf::Required;
    match (row.doc.family, needs_token) {
        (Family::Z, true) => {
            vec!["-b \"sessionid=$SESSIONID; csrftoken=$CSRF\"", "-H \"X-CSRFToken: $CSRF\""]
        }
        (Family::Z, false) => vec!["-b \"sessionid=$SESSIONID\""],
        // An access token needs no CSRF token outside a browser.
        (Family::S, _) | (_, false) => vec!["-H \"Authorization: Bearer $TOKEN\""],
        (Family::P | Family::Every, true) => {
            vec!["-H \"Authorization: Bearer $TOKEN\"", "-H \"X-CSRF-Token: $CSRF\""]
        }
    }
}

/// A body with the fields that are required. Address and password are among them where they are
/// only one of several ways to call, because it is the way to begin with.
fn body(row: &Row) -> Option<String> {
    if is_safe(&row.method) {
        return None;
    }
    let is_shown = |name: &str, required: bool| required || matches!(name, "email" | "password");
    let fields = row.doc.fields.iter().filter(|(name, required, _)| is_shown(name, *required));
    let body: Map<String, Value> =
        fields.map(|(name, ..)| ((*name).to_owned(), Value::from("…"))).collect();
    (!body.is_empty()).then(|| Value::Object(body).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::routes;

    #[test]
    fn every_route_is_in_one_chapter() {
        let rows = routes::rows();
        let rows: Vec<&Row> = rows.iter().collect();
        let chapters = chapters(&rows, "http://localhost:8080");
        let shown: usize = chapters.iter().map(|chapter| chapter.routes.len()).sum();
        assert_eq!(shown, rows.len());
        let html = Docs { chapters }.render().unwrap();
        for row in rows {
            assert!(html.contains(&format!("<code>{}</code>", row.path)), "{}", row.path);
        }
    }

    #[test]
    fn command_lines() {
        let check = |id: &str, expected: Option<&str>| {
            let rows = routes::rows();
            let row = rows.iter().find(|row| row.doc.id == id).unwrap();
            assert_eq!(route(row, "http://localhost:8080").curl.as_deref(), expected, "{id}");
        };
        check("alive", Some("curl http://localhost:8080/healthz"));
        check("submit_sign_in", None);
        check(
            "list_sessions",
            Some(
                "curl http://localhost:8080/api/security/sessions?action=… \\\n  \
                 -H \"Authorization: Bearer $TOKEN\"",
            ),
        );
        check(
            "sign_in",
            Some(
                "curl -X POST http://localhost:8080/api/auth/login \\\n  \
                 -H 'Content-Type: application/json' -d '{\"email\":\"…\",\"password\":\"…\"}'",
            ),
        );
        check(
            "sign_out",
            Some(
                "curl -X POST http://localhost:8080/api/auth/logout \\\n  \
                 -H \"Authorization: Bearer $TOKEN\" \\\n  -H \"X-CSRF-Token: $CSRF\"",
            ),
        );
    }
}
