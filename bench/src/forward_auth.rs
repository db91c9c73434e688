//! Decisions for another proxy: what Caddy asks for every request that it lets through.

use crate::checks::BARE;
use crate::load::Load;
use crate::portcullis::Credentials;
use crate::process::Server;
use crate::report::{Figure, Row, ratio};

pub(crate) const DECIDE: &str = "/forward-auth/caddy";
const COOKIE: &str = "forward-auth, cookie";
const TOKEN: &str = "forward-auth, token";
const OWED: f64 = 0.6;

/// What Caddy says of the request that it asks about, whole header lines.
pub(crate) const ASKED: &str = "x-forwarded-for: 192.0.2.7\r\nx-forwarded-proto: http\r\n\
    x-forwarded-host: 127.0.0.1\r\nx-forwarded-method: GET\r\nx-forwarded-uri: /page?id=7\r\n";

pub(crate) fn rows(server: &Server, who: &Credentials) -> Vec<Row> {
    [(COOKIE, &who.cookie), (TOKEN, &who.bearer)]
        .map(|(name, credential)| Row::of(Load::checked(name, server, DECIDE, (credential, ASKED))))
        .into()
}

pub(crate) fn figures(rows: &[Row]) -> Vec<Figure> {
    [COOKIE, TOKEN].into_iter().filter_map(|case| ratio(rows, case, BARE, OWED)).collect()
}
