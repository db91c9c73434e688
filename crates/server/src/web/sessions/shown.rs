//! A session as it is shown: under the documented keys (contract P2), and under some that people ask
//! for. No value of it is a credential, and none may mean anything to a page or a terminal: what a
//! client said of itself is clipped, and what steers text is made visible.

use std::collections::HashMap;

use portcullis_domain::id::{SessionHandle, UserId};
use portcullis_domain::text::{person_name, visible};
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
    /// It began with a second factor, or set one up.
    pub second_factor: bool,
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
    current: Option<&'a SessionHandle>,
    places: HashMap<String, Option<String>>,
    devices: HashMap<String, Option<String>>,
}

impl<'a> Showing<'a> {
    pub fn to(app: &'a App, caller: &'a Caller) -> Self {
        let current = caller.session().map(|session| &session.handle);
        Self { app, current, places: HashMap::new(), devices: HashMap::new() }
    }

    pub fn show(&mut self, session: LiveSession) -> Shown {
        let is_current = self.current == Some(&session.handle);
        // The use that this very request is may not be written down yet.
        let last_active = if is_current { self.app.clock.now() } else { session.last_active };
        Shown {
            user_name: visible(&person_name(
                &session.first_name,
                &session.last_name,
                session.username.as_deref(),
                &session.email,
            )),
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
            second_factor: session.second_factor,
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
