//! A session as it is shown: under the documented keys (contract P2), and under some that people ask
//! for. No value of it is a credential, and none may mean anything to a page or a terminal: what a
//! client said of itself is clipped, and what steers text is made visible.

use std::collections::HashMap;

use portcullis_domain::id::{SessionHandle, UserId};
use portcullis_domain::text::steers;
use portcullis_store::sessions::LiveSession;
use serde::Serialize;

use crate::app::App;
use crate::device;
use crate::web::caller::Caller;

/// A session for clients.
#[derive(Serialize)]
pub struct Shown {
    pub session_id: SessionHandle,
    pub user_id: UserId,
    pub user_name: String,
    pub ip_address: String,
    pub user_agent: String,
    /// "City, CC"; null where that is not known.
    pub location: Option<String>,
    pub last_active: String,
    /// Whether it is the session that the request came with.
    pub is_current: bool,
    /// How it began.
    pub kind: &'static str,
    /// What a person would call the program that signed in.
    pub device: Option<String>,
    pub platform: Option<String>,
    pub device_type: Option<String>,
    pub app_version: Option<String>,
    /// The browser comes back by itself when the session is over.
    pub remembered: bool,
    pub created_at: String,
    /// When the last of its credentials ends, unless that is renewed.
    pub expires_at: String,
    pub email: String,
    pub username: Option<String>,
    pub account_type: &'static str,
}

/// Shows sessions to a caller. Many come from one address or say the same of themselves.
pub struct Showing<'a> {
    app: &'a App,
    current: &'a SessionHandle,
    places: HashMap<String, Option<String>>,
    devices: HashMap<String, Option<String>>,
}

impl<'a> Showing<'a> {
    pub fn to(app: &'a App, caller: &'a Caller) -> Self {
        let current = &caller.found().session.handle;
        Self { app, current, places: HashMap::new(), devices: HashMap::new() }
    }

    pub fn show(&mut self, session: LiveSession) -> Shown {
        let is_current = session.handle == *self.current;
        // The use that this very request is may not be written down yet.
        let last_active = if is_current { self.app.clock.now() } else { session.last_active };
        Shown {
            user_name: visible(&name(&session)),
            location: self.place(&session.ip),
            device: self.device(&session),
            last_active: last_active.iso(),
            is_current,
            kind: session.form.as_str(),
            session_id: session.handle,
            user_id: session.user_id,
            ip_address: session.ip,
            user_agent: visible(&session.user_agent),
            platform: session.platform,
            device_type: session.device_type.as_deref().map(visible),
            app_version: session.app_version.as_deref().map(visible),
            remembered: session.is_remembered,
            created_at: session.created_at.iso(),
            expires_at: session.expires_at.iso(),
            email: session.email,
            username: session.username,
            account_type: session.account_type.name(),
        }
    }

    fn place(&mut self, address: &str) -> Option<String> {
        if let Some(place) = self.places.get(address) {
            return place.clone();
        }
        let place = self.app.geo.place(address);
        self.places.insert(address.to_owned(), place.clone());
        place
    }

    /// An application says itself what it runs on.
    fn device(&mut self, session: &LiveSession) -> Option<String> {
        if let Some(told) = session.device_type.as_deref().filter(|told| !told.is_empty()) {
            return Some(visible(told));
        }
        if let Some(device) = self.devices.get(&session.user_agent) {
            return device.clone();
        }
        let device = device::label(&session.user_agent);
        self.devices.insert(session.user_agent.clone(), device.clone());
        device
    }
}

/// What a person is called: the full name, or else what they sign in with.
fn name(session: &LiveSession) -> String {
    let full = format!("{} {}", session.first_name, session.last_name);
    match (full.trim(), &session.username) {
        ("", Some(username)) => username.clone(),
        ("", None) => session.email.clone(),
        (full, _) => full.to_owned(),
    }
}

/// With a sign in the place of every character that steers a terminal or turns text around.
pub fn visible(text: &str) -> String {
    text.chars().map(|char| if steers(char) { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_text_is_made_visible() {
        let check = |text: &str, expected: &str| assert_eq!(visible(text), expected);
        check("Firefox/130.0 (é; 日本)", "Firefox/130.0 (é; 日本)");
        check("a\u{1b}[31mb\r\nc\0", "a\u{fffd}[31mb\u{fffd}\u{fffd}c\u{fffd}");
        check("\u{202e}gnp.exe\u{2066}", "\u{fffd}gnp.exe\u{fffd}");
        check("<b>&\"'", "<b>&\"'");
        check("a\u{200b}b\u{200d}c\u{200c}d", "a\u{fffd}b\u{200d}c\u{200c}d");
    }
}
