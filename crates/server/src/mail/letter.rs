//! What our mail says: one function a kind of letter. Everything that came from outside stands in it
//! as text and nothing else. Not here: how a letter is rendered and sent.

mod breach;
mod device;
mod factor;
mod files;

use askama::Template;
use portcullis_domain::text::visible;
use portcullis_domain::time::Time;

use super::cap::Cap;
pub use files::FileLine;

/// A letter to one person. It may carry a secret: no `Debug`.
pub struct Letter {
    pub subject: &'static str,
    /// What it says, a sentence or more each.
    pub paragraphs: Vec<String>,
    /// What to press, if there is something: it stands after the first paragraph.
    pub link: Option<Link>,
    /// What to type, if there is something: it stands after the first paragraph.
    pub code: Option<String>,
    /// When its link or code is over, and with it the letter's worth.
    pub until: Option<Time>,
    /// How many of its kind one address gets, where strangers or administrators can cause them.
    pub cap: Option<Cap>,
}

/// Something to press.
pub struct Link {
    /// What pressing does, such as "Set a new password".
    pub label: &'static str,
    /// An absolute address of ours.
    pub url: String,
}

/// Where somebody is, with what and since when.
pub struct PlaceFacts {
    pub address: String,
    /// The city and country, where places can be looked up.
    pub location: Option<String>,
    /// What the program is called, if it says so.
    pub device: Option<String>,
    pub at: Time,
}

impl PlaceFacts {
    fn in_words(&self) -> String {
        let device = self.device.as_deref().unwrap_or("unknown");
        let location =
            self.location.as_ref().map(|found| format!(" ({found})")).unwrap_or_default();
        let (address, at) = (&self.address, self.at.to_the_minute());
        format!("Address: {address}{location}\nDevice: {device}\nTime: {at}")
    }
}

impl Letter {
    /// A network was locked out of the account.
    pub fn locked_out(until: Time) -> Self {
        let what = format!(
            "Somebody typed wrong passwords for your account several times in a row. Sign-in from \
             their network is locked until {}. Devices on which you signed in before are not \
             affected.",
            until.to_the_minute()
        );
        let advice = "If this was not you, nothing needs to be done.";
        let letter = Self::notice("Sign-in to your account was locked", [&what, advice]);
        Self { cap: Some(Cap::LOCKED_OUT), ..letter }
    }

    /// The account takes no password any more.
    pub fn password_disabled() -> Self {
        let what = "Your account was given too many wrong passwords in a row. Signing in with a \
                    password is switched off until you set a new one by \"Forgot password?\" on \
                    the sign-in page, or an administrator unlocks it.";
        Self::notice("Your password was switched off", [what])
    }

    /// Two had the cookie of a browser that stays signed in.
    pub fn remember_reused() -> Self {
        let what = "A cookie that keeps a browser signed in to your account is good once, and came \
                    a second time. Somebody may have copied it, so that browser and whoever used \
                    the copy were signed out.";
        let advice = "Please sign in again. If you cannot explain it, such as by a restored backup \
                      of the browser, set a new password: it signs everybody out.";
        Self::notice("You were signed out for safety", [what, advice])
    }

    /// The account has a new password.
    pub fn password_changed(at: Time) -> Self {
        let what = format!(
            "The password of your account was changed at {}. Whoever was signed in to it was signed \
             out. API keys go on working until they are revoked.",
            at.to_the_minute()
        );
        let advice = "If this was not you, set a new password at once by \"Forgot password?\" on the \
                      sign-in page, and tell whoever runs this service.";
        Self::notice("Your password was changed", [&what, advice])
    }

    /// A link to set a new password with was asked for.
    pub fn password_reset_link(url: String, until: Time) -> Self {
        let what =
            "Somebody asked for a new password for your account. If it was you, set one here.";
        let link = Some(Link { label: "Set a new password", url });
        Self { link, until: Some(until), ..Self::notice(RESET, [what, IGNORE]) }
    }

    /// A code to set a new password with was asked for.
    pub fn password_reset_code(code: String, until: Time) -> Self {
        let what = "Somebody asked for a new password for your account. If it was you, this is the \
                    code to type. Nobody of us will ever ask you for it.";
        Self { code: Some(code), until: Some(until), ..Self::notice(RESET, [what, IGNORE]) }
    }

    /// Whoever has this address is to say that it is theirs. Its link is counted by [`Cap::VERIFY_EMAIL`].
    pub fn verify_email(url: String, until: Time) -> Self {
        let what = "This address was given for an account. If it is yours, say so here.";
        let advice = "If you know nothing of it, nothing needs to be done.";
        let link = Some(Link { label: "Confirm this address", url });
        let subject = "Confirm your email address";
        Self { link, until: Some(until), ..Self::notice(subject, [what, advice]) }
    }

    /// To the address that an account is about to lose.
    pub fn email_change_asked() -> Self {
        let what = "Somebody who is signed in to your account asked to change its email address. The \
                    change is done when the link in a mail to the new address is used.";
        let advice = "If this was not you, set a new password at once: that stops the change.";
        let letter = Self::notice("Your email address is about to change", [what, advice]);
        Self { cap: Some(Cap::EMAIL_CHANGE), ..letter }
    }

    /// To the address that an account has lost.
    pub fn email_changed() -> Self {
        let what = "Your account has another email address now. Mail for it does not come here any \
                    more.";
        let advice = "If this was not you, tell whoever runs this service at once.";
        Self::notice("Your email address was changed", [what, advice])
    }

    /// Somebody with the password is at a new place: the code that lets them in.
    pub fn new_place(code: &str, facts: &PlaceFacts, until: Time) -> Self {
        let what = "Somebody with your password wants to sign in to your account from a place where \
                    you have not signed in before. If it is you, type this code where you signed in:";
        let how_long = format!("The code is good once, until {}.", until.to_the_minute());
        let advice = "If it is not you, somebody knows your password. Give the code to nobody, and \
                      set a new password now.";
        let paragraphs = [what, &facts.in_words(), &how_long, advice];
        let letter = Self::notice("Your code to sign in from a new place", paragraphs);
        Self { code: Some(code.to_owned()), until: Some(until), ..letter }
    }

    /// A link to sign in was asked for, from there.
    pub fn magic_link(url: String, facts: &PlaceFacts, until: Time) -> Self {
        let what = "Somebody asked for a link to sign in to your account. If it was you, press it in \
                    the browser in which you asked; anywhere else it shows a code to type there.";
        let how_long = format!("The link works once, until {}.", until.to_the_minute());
        let advice = "If it was not you, nothing needs to be done: without this mail nobody gets in. \
                      Do not forward it, and give a code that it shows to nobody.";
        let paragraphs = [what, &facts.in_words(), &how_long, advice];
        let letter = Self::notice("Your link to sign in", paragraphs);
        let link = Some(Link { label: "Sign in", url });
        Self { link, until: Some(until), ..letter }
    }

    /// Somebody signed in at a new place.
    pub fn new_sign_in(facts: &PlaceFacts) -> Self {
        let what = "Somebody signed in to your account from a place where you have not signed in \
                    before.";
        let advice = "If it was you, nothing needs to be done. If it was not, somebody knows your \
                      password: set a new one now, which signs everybody out.";
        Self::notice("New sign-in to your account", [what, &facts.in_words(), advice])
    }

    /// The account has a new API key.
    pub fn api_key_created(name: &str, at: Time) -> Self {
        let what = format!(
            "The API key \"{}\" was made for your account at {}. Programs that have it act as you, \
             until you revoke it.",
            visible(name),
            at.to_the_minute()
        );
        let advice = "If this was not you, revoke it on your account page under \"API keys\", and set \
                      a new password.";
        Self::notice("A new API key for your account", [&what, advice])
    }

    /// Something else was done with an API key of the account: `what` goes on from its name.
    pub fn api_key_changed(name: &str, what: &str, at: Time) -> Self {
        let what = format!(
            "The API key \"{}\" of your account {what} at {}.",
            visible(name),
            at.to_the_minute()
        );
        let advice = "If this was not you, revoke it on your account page under \"API keys\", and set \
                      a new password.";
        Self::notice("An API key of your account was changed", [&what, advice])
    }

    /// Somebody else took an API key of the account back.
    pub fn api_key_revoked(name: &str, at: Time) -> Self {
        let what = format!(
            "The API key \"{}\" of your account was revoked by whoever runs this service, at {}. \
             Programs that use it are refused from now on.",
            visible(name),
            at.to_the_minute()
        );
        Self::notice("An API key of your account was revoked", [&what])
    }

    /// An API key ends soon.
    pub fn api_key_ends(name: &str, at: Time) -> Self {
        let what = format!(
            "The API key \"{}\" of your account ends at {}. Programs that use it are refused from \
             then on.",
            visible(name),
            at.to_the_minute()
        );
        let advice = "If it is still needed, give it a later end, or make a new one, on your account \
                      page under \"API keys\".";
        Self::notice("An API key of your account ends soon", [&what, advice])
    }

    /// The operator tries out whether mail arrives.
    pub fn test() -> Self {
        let what = "This is a test. Mail of this sign-in reaches you.";
        Self::notice("A test message", [what])
    }

    /// A letter that tells something and asks for nothing.
    fn notice<const N: usize>(subject: &'static str, paragraphs: [&str; N]) -> Self {
        let paragraphs = paragraphs.map(ToOwned::to_owned).into();
        Self { subject, paragraphs, link: None, code: None, until: None, cap: None }
    }

    /// The letter as plain text.
    pub(super) fn text(&self) -> String {
        let mut parts = self.paragraphs.clone();
        let link = self.link.as_ref().map(|link| format!("{}:\n{}", link.label, link.url));
        let marked = link.into_iter().chain(self.code.clone());
        let after_first = parts.len().min(1);
        parts.splice(after_first..after_first, marked);
        parts.join("\n\n") + "\n"
    }

    /// The letter as a page: nothing in it is fetched from anywhere, and nothing tells whether it was
    /// read. `place` is the address that people type.
    pub(super) fn html(&self, place: &str) -> String {
        let Self { subject, paragraphs, link, code, .. } = self;
        let page = Page { subject, paragraphs, link: link.as_ref(), code: code.as_deref(), place };
        // Writing to a string does not fail.
        page.render().unwrap_or_default()
    }
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Page<'a> {
    subject: &'a str,
    paragraphs: &'a [String],
    link: Option<&'a Link>,
    code: Option<&'a str>,
    place: &'a str,
}

const RESET: &str = "Set a new password";
const IGNORE: &str = "If it was not you, nothing needs to be done: your password stays as it is.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_after_what_happened() {
        let mut letter = Letter::notice("Hello", ["What happened.", "Advice."]);
        assert_eq!(letter.text(), "What happened.\n\nAdvice.\n");
        letter.code = Some("123456".to_owned());
        assert_eq!(letter.text(), "What happened.\n\n123456\n\nAdvice.\n");
        let url = "https://gate.example/-/reset".to_owned();
        (letter.code, letter.link) = (None, Some(Link { label: "Press here", url }));
        let expected = "What happened.\n\nPress here:\nhttps://gate.example/-/reset\n\nAdvice.\n";
        assert_eq!(letter.text(), expected);
    }

    #[test]
    fn the_page_holds_text_and_nothing_that_is_fetched() {
        let hostile = "<img src=//eve.example/x> \"&' <script>1</script>";
        let mut letter = Letter::notice("Hello", ["What happened.", hostile]);
        letter.code = Some("123456".to_owned());
        let url = "https://gate.example/-/reset#t=\"><b>".to_owned();
        letter.link = Some(Link { label: "Press here", url });
        let html = letter.html("https://gate.example");
        for text in ["What happened.", "Press here", ">123456<", "sign-in of https://gate.example"]
        {
            assert!(html.contains(text), "{text}: {html}");
        }
        for text in ["<img", "<script", "<b>", "<link", "url(", "src="] {
            let lower = html.to_lowercase().replace("img src=//eve.example/x", "");
            assert!(!lower.contains(text), "{text}: {html}");
        }
        assert!(html.contains("&#60;img src=//eve.example/x&#62;"), "{html}");
    }
}
