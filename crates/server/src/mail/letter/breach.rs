//! The letter about a password that is breached.

use portcullis_domain::time::Time;

use super::Letter;

impl Letter {
    /// Somebody signed in with it; `until` is when it is taken no more. `place` is the address that people type.
    pub fn password_breached(until: Option<Time>, place: &str) -> Self {
        let what = "The password with which somebody signed in to your account just now stands in lists of \
                    passwords that were stolen elsewhere. Whoever has such a list tries it here, too.";
        let please = format!(
            "Please set another one, {place}/-/account/password, that you use nowhere else. That signs \
             everybody out who may be signed in to your account besides you."
        );
        let then = until.map(|until| {
            format!(
                "After {} this one is not accepted any more. You can set a new one by \"Forgot \
                 password?\" on the sign-in page then, as now.",
                until.to_the_minute()
            )
        });
        let letter = Self::notice("Please change your password", [what, &please]);
        let paragraphs = letter.paragraphs.into_iter().chain(then).collect();
        Self { paragraphs, ..letter }
    }
}
