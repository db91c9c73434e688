//! What the page of a refusal says: a title, what happened, and what to do about it. It is read by
//! people who did nothing wrong, so it says what was not done; what the operator must set is named
//! by its key.

use portcullis_domain::csrf::Refusal;

use crate::web::error::{Error, Fault, Forbidden};
use crate::web::pages::in_words;
use crate::web::refusal::sentence;

/// The words of one refusal.
pub(super) struct Words {
    pub(super) title: &'static str,
    /// Paragraphs.
    pub(super) lines: Vec<String>,
}

/// The words for an error.
pub(super) fn words(error: &Error) -> Words {
    match error {
        Error::SignIn(code) => said("You are not signed in", &[sign_in(code)]),
        Error::NewPlace(_)
        | Error::NeedsFactor(_)
        | Error::LinkElsewhere(_)
        | Error::WrongCredentials => said("You are not signed in", &[&sentence(error)]),
        Error::Forbidden(Forbidden::Csrf(refusal)) => csrf(*refusal),
        Error::Forbidden(Forbidden::Permission { code, .. }) => permission(code),
        Error::Forbidden(Forbidden::UntrustedProxy(_)) => {
            said("This proxy is not trusted", &[&sentence(error)])
        }
        Error::Forbidden(Forbidden::StepUp) => {
            said("Please confirm that it is you", &[&sentence(error)])
        }
        Error::Forbidden(Forbidden::Other(_)) => said("You may not do this", &[&sentence(error)]),
        Error::Documented(_) => said("That did not work", &[&sentence(error)]),
        Error::NotFound => said(
            "There is nothing here",
            &["The address may be misspelt, or what was here is gone."],
        ),
        Error::Method(methods) => said(
            "This address is used in another way",
            &[&format!("It answers only to {methods}.")],
        ),
        Error::Invalid(faults) => Words {
            title: "Something is missing or wrong",
            lines: faults.iter().map(fault).collect(),
        },
        Error::Malformed(code) => said("This request cannot be read", &[malformed(code)]),
        Error::Forwarded(..) => said("This request cannot be read", &[&sentence(error)]),
        Error::Slow => said("That took too long", &["The request was not sent in time."]),
        Error::Conflict("conflict") => {
            said("It exists already", &["Something else has that name."])
        }
        Error::Conflict(_) => said("This cannot be done", &[&format!("{}.", sentence(error))]),
        Error::TooLarge => said("That is too large", &["The request holds more than fits here."]),
        Error::UnsupportedType => {
            said("This kind of content is not read here", &[&sentence(error)])
        }
        Error::Misdirected => said(
            "This address is not served here",
            &[
                "The gate does not know the host that you asked for.",
                "If people should reach it under this name, whoever runs this service sets \
                 server.public_url to it.",
            ],
        ),
        Error::TooMany { retry_after, .. } => {
            let when = format!("You can try again in {}.", in_words(*retry_after));
            said("Too many requests", &["More came from you than is allowed.", &when])
        }
        Error::Unavailable { retry_after, .. } => {
            let when = format!("Please try again in {}.", in_words(*retry_after));
            said(
                "Not available right now",
                &["The gate cannot answer this just now. Nothing has been changed.", &when],
            )
        }
        Error::Upstream(code) => upstream(code),
        Error::Internal => said(
            "Something went wrong",
            &["It is not your doing. The details have been written down here.", ASKING],
        ),
    }
}

const ASKING: &str = "If it stays like this, send the lines below to whoever runs this service.";

fn said(title: &'static str, lines: &[&str]) -> Words {
    Words { title, lines: lines.iter().map(|line| (*line).to_owned()).collect() }
}

fn sign_in(code: &str) -> &'static str {
    match code {
        "session_expired" | "session_idle" | "session_ended" | "session_revoked" => {
            "Your session is over. Sign in again to go on; what you sent was not carried out."
        }
        "remember_reused" => {
            "What kept you signed in on this device was used somewhere else, too, so it was ended for \
             safety. Sign in again to go on."
        }
        "account_disabled" => "This account is disabled. Please ask whoever runs this service.",
        "credential_missing" => "This is only for people who are signed in.",
        _ => "What you signed in with is not valid, or not any longer.",
    }
}

fn csrf(refusal: Refusal) -> Words {
    match refusal {
        Refusal::Origin => said(
            "This came from another site",
            &[
                "A page of another site tried to do something here in your name. It was stopped, \
                 and nothing has been changed.",
                "If that page is yours, whoever runs this service lists its origin under \
                 sign_in.trusted_origins, or sets server.public_url to the address that people \
                 type.",
            ],
        ),
        Refusal::Used => said(
            "This form was sent before",
            &[
                "Its one-time token has been used, so nothing was done a second time. Go back, \
                 reload the page and send the form again.",
                "For an application that fetches one token and keeps it, whoever runs this \
                 service sets csrf.fetched_token to \"session\".",
            ],
        ),
        Refusal::Missing
        | Refusal::Ambiguous
        | Refusal::Invalid
        | Refusal::Stale
        | Refusal::Expired
        | Refusal::CookieMissing
        | Refusal::CookieMismatch => said(
            "This form is not valid any longer",
            &["The token that proves that you sent it is missing or out of date, so nothing was \
               done. Go back, reload the page and send the form again."],
        ),
    }
}

fn permission(code: &str) -> Words {
    let lines: &[&str] = match code {
        "above_level" => &["This is above your own level."],
        "lacking_permission" => &[
            "Nobody gives a permission that he does not hold himself, or sets how somebody signs in \
             who holds more than he does.",
        ],
        "account_type" => &["This is for another type of account than yours."],
        "no_rule" => &[
            "No rule of this gate lets anybody through to this address.",
            "Whoever runs this service can add one as [[gate.rule]].",
        ],
        _ => &[
            "Your account does not have the permission that this needs.",
            "If you should have it, send the lines below to whoever runs this service.",
        ],
    };
    said("You may not open this", lines)
}

fn fault(fault: &Fault) -> String {
    match fault.code {
        "required" => format!("{} is required.", fault.field),
        _ => format!("{} {}.", fault.field, fault.detail.trim_end_matches('.')),
    }
}

fn malformed(code: &str) -> &'static str {
    match code {
        "ambiguous_path" => {
            "Its address can be read in more than one way, and the gate does not guess."
        }
        "several_credentials" => {
            "It brings more than one credential, and the gate does not choose."
        }
        _ => "It is not written as it should be. The reason below says what is wrong with it.",
    }
}

fn upstream(code: &str) -> Words {
    match code {
        "upstream_timeout" => said(
            "The application takes too long",
            &["You passed the gate, but the application behind it did not answer in time.", ASKING],
        ),
        _ => said(
            "The application does not answer",
            &["You passed the gate, but the application behind it does not answer.", ASKING],
        ),
    }
}
