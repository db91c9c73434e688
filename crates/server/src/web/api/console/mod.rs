//! `/api/console/`: what a superuser of the Z family looks after (contract Z14), as pages of rows
//! with the addresses of the next and the previous page. What may be done to whose account is the
//! flows'.

pub mod password_tokens;
pub mod users;

use http::StatusCode;
use serde_json::{Value, json};

use crate::web::error::{Error, Fault};
use crate::web::input::whole_number;
use crate::web::reply::{Reply, json_reply};
use crate::web::request::Call;

/// Rows of a page where nothing is asked for.
const USUAL: i64 = 10;
/// Rows of a page at most.
const MOST: i64 = 100;

/// Which part of a list is asked for.
struct Paging {
    /// From 1.
    page: i64,
    per_page: i64,
}

impl Paging {
    /// Reads `page` and `per_page`.
    fn read(call: &Call) -> Result<Self, Error> {
        let page = positive(call, "page", 1)?;
        Ok(Self { page, per_page: positive(call, "per_page", USUAL)?.min(MOST) })
    }

    /// Rows before the page.
    fn offset(&self) -> i64 {
        (self.page - 1).saturating_mul(self.per_page)
    }

    /// The page; past the end of the list the documented empty shape.
    fn answer(&self, call: &Call, count: i64, results: &[Value]) -> Reply {
        if results.is_empty() {
            let empty = json!({"count": 0, "next": null, "previous": null, "results": []});
            return json_reply(StatusCode::OK, &empty);
        }
        let has_next = self.offset().saturating_add(self.per_page) < count;
        let next = has_next.then(|| self.address(call, self.page + 1));
        let previous = (self.page > 1).then(|| self.address(call, self.page - 1));
        let body = json!({"count": count, "next": next, "previous": previous, "results": results});
        json_reply(StatusCode::OK, &body)
    }

    fn address(&self, call: &Call, page: i64) -> String {
        let (public_url, path) = (&call.app.public_url, call.facts.target.path().as_str());
        format!("{public_url}{path}?page={page}&per_page={}", self.per_page)
    }
}

fn positive(call: &Call, name: &'static str, usual: i64) -> Result<i64, Error> {
    let Some(text) = call.facts.query(name) else { return Ok(usual) };
    let number = whole_number(&text).filter(|number| *number > 0);
    number.ok_or_else(|| Error::Invalid(vec![Fault::invalid(name, "must be a number from 1")]))
}

/// The number of a user in the path; nonsense is nobody.
fn id_in_path(call: &Call, prefix: &str) -> Result<portcullis_domain::id::UserId, Error> {
    let path = call.facts.target.path().as_str();
    let rest = path.strip_prefix(prefix).unwrap_or_default();
    let segment = rest.split('/').next().unwrap_or_default();
    let id = whole_number(segment).filter(|id| *id > 0);
    id.map(portcullis_domain::id::UserId).ok_or(Error::NotFound)
}
