//! One's own trusted devices as lines of a page, and trusting one no more.

use http::StatusCode;
use portcullis_domain::text::visible;
use portcullis_domain::time::Time;
use portcullis_store::trusted_devices::Device;

use super::second_factor;
use crate::flows;
use crate::web::caller::SignedIn;
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

/// Where a device is trusted no more.
pub(super) const PATH: &str = "/-/account/trusted-devices";

pub(super) struct DeviceRow<'a> {
    pub(super) id: &'a str,
    pub(super) name: String,
    pub(super) ip: &'a str,
    pub(super) since: String,
    pub(super) until: String,
    pub(super) used: Option<String>,
}

impl<'a> DeviceRow<'a> {
    pub(super) fn of(device: &'a Device) -> Self {
        let name = if device.name.is_empty() { "Unknown device" } else { &device.name };
        Self {
            id: &device.id,
            name: visible(name),
            ip: &device.ip,
            since: device.created_at.to_the_minute(),
            until: device.expires_at.to_the_minute(),
            used: device.last_used_at.map(Time::to_the_minute),
        }
    }
}

pub(super) const DISTRUST: Doc = Doc {
    id: "submit_device_distrust",
    summary: "Asks for the second factor again on one of your trusted devices, from the page.",
    fields: &[("id", true, "The device."), ("csrf_token", true, "The token of the form.")],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/account/trusted-devices`.
pub(super) async fn distrust(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let id = call.fields.text("id").unwrap_or_default();
    let context = call.facts.context_of(&caller);
    // What is not there need not be removed.
    flows::trusted_devices::remove(&call.app, caller.user_id(), id, &context).await?;
    Ok(redirect_reply(StatusCode::SEE_OTHER, second_factor::OVERVIEW))
}
