//! Letters about trusted devices.

use portcullis_domain::time::Time;

use super::Letter;

impl Letter {
    /// A device is not asked for the second factor any more, because a program said so.
    pub fn device_trusted(name: &str, until: Time) -> Self {
        let what = format!(
            "A device was marked as trusted. Until {} nobody who signs in to your account there is \
             asked for your second factor.\nIt calls itself: {name}",
            until.to_the_minute()
        );
        let advice = "If this was not you, take it off the list on your account page and set a new \
                      password, which signs everybody out.";
        Self::notice("A device was marked as trusted", [&what, advice])
    }
}
