//! The WebSocket handshake (RFC 6455, section 4) on its way through the gate: read strictly, passed
//! on with the two hop-by-hop headers it needs and no other, and answered as the upstream answers.
//! No other protocol is switched to. What happens after the handshake is in [`super::tunnel`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Extensions, Method, Version};
use hyper::upgrade::OnUpgrade;
use portcullis_domain::csrf::{AuthKind, Refusal};
use portcullis_domain::origin::Signal;

use crate::app::App;
use crate::web::door;
use crate::web::error::{Error, Forbidden};
use crate::web::framing::PassThrough;
use crate::web::identify::Who;
use crate::web::request::Facts;

const REFUSED: Error = Error::Malformed("websocket_handshake");

/// The means to take a connection of HTTP/1.1 out of HTTP. Only requests with `Upgrade` have them.
pub struct Switch {
    connection: OnUpgrade,
    pass_through: PassThrough,
}

impl Switch {
    /// What the server put beside the request, if the connection can be taken over.
    pub fn take(extensions: &mut Extensions) -> Option<Self> {
        if extensions.is_empty() {
            return None;
        }
        let connection = extensions.remove::<OnUpgrade>()?;
        let pass_through = extensions.remove::<PassThrough>()?;
        Some(Self { connection, pass_through })
    }
}

/// A request for a WebSocket that can be passed on.
pub struct Handshake(Switch);

/// Reads whether the request asks for a WebSocket; 400 if it does so in a way that two readers
/// could take differently. Any other protocol is not offered to the upstream. `stripped`: the
/// headers as they go on, without those of one connection.
pub fn read(
    switch: Option<Switch>,
    facts: &Facts,
    version: Version,
    stripped: &HeaderMap,
) -> Result<Option<Handshake>, Error> {
    let Some(switch) = switch.filter(|_| version == Version::HTTP_11) else { return Ok(None) };
    if !names(&facts.headers, header::UPGRADE.as_str(), "websocket") {
        return Ok(None);
    }
    let has_body = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
        .iter()
        .any(|name| facts.headers.get(name).is_some_and(|value| value != "0"));
    let is_whole = facts.method == Method::GET
        && names(&facts.headers, header::CONNECTION.as_str(), "upgrade")
        && single(stripped, header::SEC_WEBSOCKET_VERSION.as_str()) == Some("13")
        && single(stripped, header::SEC_WEBSOCKET_KEY.as_str()).is_some_and(is_key)
        && !has_body;
    if is_whole { Ok(Some(Handshake(switch))) } else { Err(REFUSED) }
}

/// Whether the request is for a WebSocket, by any sign of one: proxies in between pass on some of
/// them, and a handshake in HTTP/2 (RFC 8441) has no key.
pub fn opens_websocket(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SEC_WEBSOCKET_KEY)
        || headers.contains_key(header::SEC_WEBSOCKET_VERSION)
        || names(headers, header::UPGRADE.as_str(), "websocket")
        || names(headers, "sec-fetch-mode", "websocket")
}

/// The wall for a WebSocket that a cookie opens. Although the request is a GET, what it opens can
/// change things, and browsers send cookies along from any site; so its origin must be ours or
/// trusted, whatever the rule asks of other requests.
pub async fn wall(app: &App, facts: &Facts, who: &Who) -> Result<(), Error> {
    let Ok(caller) = who else { return Ok(()) };
    let is_proven = matches!(
        door::look_as_unsafe(app, facts),
        Some(Signal::SameOrigin | Signal::Trusted | Signal::NoBrowser)
    );
    if caller.auth != AuthKind::Cookie || is_proven {
        return Ok(());
    }
    door::record_csrf(app, facts, Some(caller), Refusal::Origin).await;
    Err(Error::Forbidden(Forbidden::Csrf(Refusal::Origin)))
}

impl Handshake {
    /// Takes the connection out of HTTP. Call this before the 101 is sent: the bytes behind it are
    /// no requests.
    pub fn switch(self) -> OnUpgrade {
        let Self(Switch { connection, pass_through }) = self;
        pass_through.begin();
        connection
    }
}

/// The headers by which this hop switches; those of the other hop were taken out.
pub fn set_upgrade(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Whether a header that is a list names this, in any case.
fn names(headers: &HeaderMap, name: &str, wanted: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
}

/// The value of a header that came exactly once.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Sixteen bytes in base64.
fn is_key(text: &str) -> bool {
    STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 16)
}
