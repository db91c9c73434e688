//! The router: a table of rows, found by path and method. A row that is not in the table does not
//! exist, and a row cannot be written without a level of access (the type of its handler).

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::Method;
use hyper::body::Incoming;

use super::caller::{Access, Level};
use super::door;
use super::error::Error;
use super::refusal::Family;
use super::reply::Reply;
use super::request::{Call, Facts};
use super::routes;
use crate::app::App;
use crate::config::Families;

/// What a handler promises.
pub type Answer = Result<Reply, Error>;

type Run = Box<dyn Fn(App, Arc<Facts>, Incoming) -> Running + Send + Sync>;
type Running = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One row of the table.
pub struct Row {
    pub method: Method,
    /// The path; `{name}` stands for one segment.
    pub path: &'static str,
    pub level: Level,
    /// Whether it asks for a fresh proof of who is calling.
    pub fresh: bool,
    /// Whether API keys pass.
    pub takes_keys: bool,
    /// Whether one may come as the password of HTTP Basic.
    pub takes_basic: bool,
    pub doc: Doc,
    run: Run,
}

/// What the table says of a route, beside its method, path and level.
#[derive(Debug, Clone, Copy)]
pub struct Doc {
    /// The operation's id: verb and noun.
    pub id: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Whose clients it serves; decides the shape of refusals.
    pub family: Family,
    /// Whether unsafe methods of signed-in callers need a CSRF token.
    pub csrf: Csrf,
    /// The fields of its body, or of its query if the method changes nothing: name, whether it is
    /// required, what it is.
    pub fields: &'static [(&'static str, bool, &'static str)],
    /// The status of success and an example of its JSON body; empty where there is none.
    pub answer: (u16, &'static str),
}

impl Doc {
    /// What most rows are like; the others say where they differ.
    pub const USUAL: Self = Self {
        id: "",
        summary: "",
        family: Family::Every,
        csrf: Csrf::Required,
        fields: &[],
        answer: (200, ""),
    };
}

/// Whether a route asks for a CSRF token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Csrf {
    /// As the credential demands.
    Required,
    /// Exempt by route, as the contract's samples show (C14); the origin wall still stands.
    Exempt,
}

/// A row. Its level comes from the handler's own type.
pub fn row<A, F, Fut>(method: Method, path: &'static str, doc: Doc, handler: F) -> Row
where
    A: Access,
    F: Fn(Call, A) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    let csrf = doc.csrf;
    let run: Run =
        Box::new(move |app, facts, body| Box::pin(door::pass(app, facts, body, csrf, handler)));
    let (level, fresh) = (A::LEVEL, A::FRESH);
    let (takes_keys, takes_basic) = (A::TAKES_KEYS, A::TAKES_BASIC);
    Row { method, path, level, fresh, takes_keys, takes_basic, doc, run }
}

/// What the table says of a target.
pub enum Match<'t> {
    /// This row answers.
    Row(&'t Row),
    /// The path is ours, the method is not; the methods that are.
    OtherMethods(&'t str),
    /// Not ours: the upstream's.
    None,
}

/// The rows of the families that are switched on, found by path.
pub struct RouteTable {
    paths: matchit::Router<PathRows>,
    paths_in_order: Vec<&'static str>,
}

#[derive(Default)]
struct PathRows {
    rows: Vec<Row>,
    methods: String,
}

impl RouteTable {
    /// The table of the families that are switched on.
    pub fn new(families: Families) -> Self {
        let mut by_path: BTreeMap<&'static str, PathRows> = BTreeMap::new();
        for row in routes::rows().into_iter().filter(|row| is_on(row, families)) {
            by_path.entry(row.path).or_default().rows.push(row);
        }
        let mut paths = matchit::Router::new();
        let paths_in_order = by_path.keys().copied().collect();
        for (path, mut rows) in by_path {
            rows.methods = allowed(&rows.rows);
            // Two rows that clash would shadow each other; `routes_do_not_clash` says so first.
            if let Err(clash) = paths.insert(path, rows) {
                tracing::error!(path, %clash, "a route is shadowed by another");
            }
        }
        Self { paths, paths_in_order }
    }

    /// Every row that is switched on, by path.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.paths_in_order
            .iter()
            .filter_map(|path| self.paths.at(path).ok())
            .flat_map(|found| &found.value.rows)
    }

    /// Finds the row. One trailing slash does not matter: the Z clients send both.
    pub fn find(&self, method: &Method, path: &str) -> Match<'_> {
        let path = path.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(path);
        let Ok(found) = self.paths.at(path) else { return Match::None };
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        match found.value.rows.iter().find(|row| row.method == *wanted) {
            Some(row) => Match::Row(row),
            None => Match::OtherMethods(&found.value.methods),
        }
    }
}

impl Row {
    /// Takes the request through the door and to the handler.
    pub fn answer(&self, app: App, facts: Arc<Facts>, body: Incoming) -> Running {
        (self.run)(app, facts, body)
    }
}

/// Our own paths are always there; those that the families share, while any family is.
fn is_on(row: &Row, families: Families) -> bool {
    match row.doc.family {
        Family::P => families.p,
        Family::S => families.s,
        Family::Z => families.z,
        Family::Every => !row.path.starts_with("/api/") || families.p || families.s || families.z,
    }
}

fn allowed(rows: &[Row]) -> String {
    let mut methods: Vec<&str> = rows.iter().map(|row| row.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.join(", ")
}
