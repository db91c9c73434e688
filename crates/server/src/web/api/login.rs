//! `POST /api/auth/login`: one path for three families (contract C1–C5). The key `username` or
//! `email` decides what is given; the answer carries every family's keys.

use std::time::Duration;

use http::StatusCode;
use portcullis_domain::csrf::Kind;
use portcullis_domain::password;
use portcullis_domain::redirect::Next;
use portcullis_domain::second_factor::MAX_CODE;
use portcullis_domain::session::SignInForm;
use portcullis_domain::text::{Email, Username, full_name};
use serde_json::{Value, json};

use crate::app::App;
use crate::fault::Failure;
use crate::flows::credentials::{About, Device, first_csrf_token, sign_access_token};
use crate::flows::limits;
use crate::flows::sign_in::{self, Asked, Attempt, Before, Outcome, SignedIn};
use crate::web::caller::Anyone;
use crate::web::error::{Documented, Error, Fault, Forbidden, Unfinished};
use crate::web::identify;
use crate::web::input::{Fields, both};
use crate::web::remember;
use crate::web::reply::{json_reply, redirect_reply};
use crate::web::request::{Call, Facts};
use crate::web::table::{Answer, Csrf, Doc};

/// The longest name that is looked at, in characters.
const MAX_NAME: usize = 255;
/// As the documented clients call it, on every form of sign-in (contract C35).
const FACTOR_FIELD: &str = "twoFactorCode";

pub const POST: Doc = Doc {
    id: "sign_in",
    summary: "Signs in by username or e-mail address and password: cookie, access token and, \
              outside a browser, a bearer token.",
    csrf: Csrf::Exempt,
    fields: &[
        ("username", false, "The username; gives a cookie for 14 days."),
        ("email", false, "The e-mail address; gives a cookie for 2 hours."),
        ("password", true, "The password."),
        ("remember", false, "true keeps the browser signed in by the cookie remember."),
        ("remember_me", false, "The same."),
        ("twoFactorCode", false, "The code of the authenticator app, or a backup code."),
        ("deviceToken", false, "Of a trusted device, where no such code is asked for."),
    ],
    answer: (
        201,
        r#"{"success":true,"token":"…","token_type":"Bearer","expires_at":"2026-02-20T00:00:00Z","accessToken":"…","expires_in":86400,"csrf_token":"…","user":{"id":1,"email":"user@example.com"}}"#,
    ),
    ..Doc::USUAL
};

/// `POST /api/auth/login`.
pub async fn post(call: Call, _: Anyone) -> Answer {
    let next = wanted_next(&call)?;
    let (form, name, password) = match read(&call.fields) {
        Ok(read) => read,
        Err(faults) => {
            count_nameless(&call).await?;
            return Err(Error::Invalid(faults));
        }
    };
    let signed_in = attempt(&call, form, name, password, Device::default()).await?;
    welcome(&call, &signed_in, next.as_ref())
}

/// How a sign-in by API ends: with its cookies, and the way on or the documented body.
pub fn welcome(call: &Call, signed_in: &SignedIn, next: Option<&Next>) -> Answer {
    set_cookies(call, signed_in);
    match next {
        Some(next) => Ok(redirect_reply(StatusCode::FOUND, next.as_str())),
        None => Ok(json_reply(StatusCode::CREATED, &body(&call.app, signed_in)?)),
    }
}

/// Runs the flow and turns every outcome but success into its error. Serves all forms of API.
pub async fn attempt(
    call: &Call,
    form: SignInForm,
    name: &str,
    password: &str,
    device: Device,
) -> Result<Box<SignedIn>, Error> {
    let (app, facts) = (&call.app, &call.facts);
    let attempt = Attempt {
        form,
        name,
        password,
        factor: factor(&call.fields).map_err(|fault| Error::Invalid(vec![fault]))?,
        trusted: trusted(&call.fields).or_else(|| app.cookies.trusted_value(&facts.headers)),
        shows_browser: facts.shows_browser(),
        from: facts.client,
        device_cookie: app.cookies.device_value(&facts.headers),
        device,
        before: before(app, facts).await?,
        remember: wants_to_be_remembered(&call.fields),
        ticket: remember::ticket(app, facts),
        context: facts.context(),
    };
    let answer = sign_in::sign_in(app, &attempt).await?;
    facts.set_limit_standing(answer.standing);
    signed_in(answer.outcome)
}

/// Every outcome but success is an error.
pub fn signed_in(outcome: Outcome) -> Result<Box<SignedIn>, Error> {
    match outcome {
        Outcome::SignedIn(signed_in) => Ok(signed_in),
        Outcome::NewPlace(asked) => Err(Error::NewPlace(unfinished(&asked))),
        Outcome::NeedsFactor(asked) => Err(Error::NeedsFactor(unfinished(&asked))),
        Outcome::MustSetUp(_) => Err(Error::Documented(SETUP_NEEDED)),
        Outcome::WrongFactor => Err(Error::Documented(WRONG_FACTOR)),
        Outcome::FactorExhausted => Err(Error::Documented(FACTOR_EXHAUSTED)),
        Outcome::FactorLocked { retry_after } => {
            Err(Error::TooMany { code: "second_factor_locked", retry_after })
        }
        Outcome::Refused => Err(Error::WrongCredentials),
        Outcome::Disabled => Err(Error::Forbidden(Forbidden::Other("account_disabled"))),
        Outcome::Blacklisted => Err(Error::Forbidden(Forbidden::Other("account_blacklisted"))),
        Outcome::PasswordBreached => Err(Error::Documented(PASSWORD_BREACHED)),
        Outcome::Locked { retry_after } => Err(Error::TooMany { code: "locked_out", retry_after }),
        Outcome::TooMany { retry_after } => too_many(retry_after),
    }
}

fn unfinished(asked: &Asked) -> Unfinished {
    Unfinished { ticket: asked.ticket.reveal(), life: asked.life }
}

pub const WRONG_FACTOR: Documented = Documented {
    status: StatusCode::UNAUTHORIZED,
    code: "second_factor_wrong",
    text: "Invalid verification code",
};

const PASSWORD_BREACHED: Documented = Documented {
    status: StatusCode::FORBIDDEN,
    code: "password_breached",
    text: "This password has appeared in a data breach and is not accepted any more. Set a new one by \
           \"Forgot password?\"",
};

const SETUP_NEEDED: Documented = Documented {
    status: StatusCode::FORBIDDEN,
    code: "second_factor_setup_needed",
    text: "Your role needs a second factor. Sign in on the page /-/sign-in to set one up",
};

pub const FACTOR_EXHAUSTED: Documented = Documented {
    status: StatusCode::UNAUTHORIZED,
    code: "second_factor_exhausted",
    text: "Too many wrong codes were tried. Use a backup code, or ask an administrator to reset your \
           second factor",
};

/// Name and password as any form of API sends them: the faults of both at once.
pub fn name_and_password<'f>(
    fields: &'f Fields,
    name: &'static str,
) -> Result<(&'f str, &'f str), Vec<Fault>> {
    let read_name = fields.required(name, MAX_NAME).and_then(|text| match name {
        "email" if Email::parse(text).is_err() => Err(Fault::invalid(name, "must be an email")),
        _ => Ok(text),
    });
    let read_password = fields.required("password", password::MAX_BYTES).and_then(|text| {
        let is_too_long = password::is_too_long(text);
        if is_too_long { Err(Fault::invalid("password", "is too long")) } else { Ok(text) }
    });
    both(read_name, read_password)
}

/// The session whose cookie came along, if it lives.
pub async fn before(app: &App, facts: &Facts) -> Result<Option<Before>, Error> {
    let caller = identify::by_cookie_alone(app, facts).await?;
    Ok(caller.and_then(|caller| {
        let session = caller.session()?;
        Some(Before {
            session: session.id.clone(),
            handle: session.handle.clone(),
            user: caller.user_id(),
            mac: caller.mac,
        })
    }))
}

/// What came along as a second factor; forms send an empty field where nothing was typed.
fn factor(fields: &Fields) -> Result<Option<&str>, Fault> {
    match fields.text(FACTOR_FIELD) {
        Some("") => Ok(None),
        Some(_) | None => fields.optional(FACTOR_FIELD, MAX_CODE),
    }
}

/// What a program shows of a device that is trusted; browsers have a cookie.
fn trusted(fields: &Fields) -> Option<&str> {
    fields.text("deviceToken").filter(|text| !text.is_empty())
}

/// Whether a sign-in asks that its browser stays signed in, by any of the documented keys.
pub fn wants_to_be_remembered(fields: &Fields) -> bool {
    fields.says_yes("remember") || fields.says_yes("remember_me")
}

fn read(fields: &Fields) -> Result<(SignInForm, &str, &str), Vec<Fault>> {
    let (form, key) = match (fields.has("username"), fields.has("email")) {
        (false, true) => (SignInForm::Email, "email"),
        (true, _) | (false, false) => (SignInForm::Username, "username"),
    };
    name_and_password(fields, key).map(|(name, password)| (form, name, password))
}

/// An attempt that names nobody counts against its address, so that bad bodies are no free tries.
pub async fn count_nameless(call: &Call) -> Result<(), Error> {
    let standing =
        limits::admit_nameless(&call.app, &call.facts.client, &call.facts.context()).await?;
    let Some(standing) = standing else { return Ok(()) };
    call.facts.set_limit_standing(Some(standing));
    match standing.retry_after {
        Some(retry_after) => too_many(retry_after),
        None => Ok(()),
    }
}

fn too_many<T>(retry_after: Duration) -> Result<T, Error> {
    Err(Error::TooMany { code: "too_many_requests", retry_after })
}

/// Where to go afterwards; off-site only where the operator allows it.
pub fn wanted_next(call: &Call) -> Result<Option<Next>, Error> {
    let Some(text) = call.facts.query("redirect_to") else { return Ok(None) };
    let next = call.app.next(&text);
    let fault = || Error::Invalid(vec![Fault::invalid("redirect_to", "is not an allowed target")]);
    next.map(Some).ok_or_else(fault)
}

/// The cookies of a sign-in: the session, its CSRF token, the mark of the device, and what brings the
/// browser back if it stays signed in.
pub fn set_cookies(call: &Call, signed_in: &SignedIn) {
    let (app, now) = (&call.app, signed_in.issued.at);
    let Some((secret, life)) = &signed_in.issued.cookie else { return };
    let csrf = first_csrf_token(app, &signed_in.issued.session, Kind::DoubleSubmit);
    call.facts.after().cookies.extend([
        app.cookies.session(&secret.reveal(), now, life.expires_at),
        app.cookies.csrf(&csrf, now),
        app.cookies.device(&signed_in.device_cookie, now),
    ]);
    if let Some(trusted) = &signed_in.trusted {
        let line = app.cookies.trusted(&trusted.secret.reveal(), trusted.at, trusted.until);
        call.facts.after().cookies.push(line);
    }
    match &signed_in.remembered {
        Some(remembered) => {
            let value = app.keys.remember.seal(&remembered.ticket);
            let line = app.cookies.remember(&value, now, remembered.until);
            call.facts.after().cookies.push(line);
        }
        // What came along was replaced.
        None => remember::throw_away(app, &call.facts),
    }
}

/// By when the role asks for a second factor that there is not, as a key beside the documented ones.
pub fn factor_due(signed_in: &SignedIn) -> Option<(String, Value)> {
    let due = signed_in.factor_due?;
    Some(("twoFactorRequiredBy".to_owned(), due.iso().into()))
}

/// The superset of the documented bodies (C2).
pub fn body(app: &App, signed_in: &SignedIn) -> Result<Value, Failure> {
    let SignedIn { user, role, issued, .. } = signed_in;
    let name = full_name(user.first_name.as_str(), user.last_name.as_str());
    let csrf = first_csrf_token(app, &issued.session, Kind::Session);
    let mut body = json!({
        "success": true,
        "csrf_token": csrf,
        "csrfToken": csrf,
        "id": user.id,
        "name": name,
        "description": null,
        "user": {
            "id": user.id,
            "email": user.email.as_str(),
            "username": user.username.as_ref().map(Username::as_str),
            "name": name,
            "firstName": user.first_name.as_str(),
            "lastName": user.last_name.as_str(),
            "account_type": user.account_type.name(),
            "role": role.name,
            "avatarUrl": user.avatar_url,
            "organizationId": null,
        },
    });
    let Value::Object(keys) = &mut body else { return Ok(body) };
    if let Some((key, due)) = factor_due(signed_in) {
        keys.insert(key, due);
    }
    if let Some((id, life)) = &issued.access {
        let about = About { user, role: &role.name, session: &issued.handle };
        let token = sign_access_token(app, about, id, *life, issued.at)?;
        let expires_in = life.expires_at.since(issued.at).as_secs();
        keys.insert("accessToken".to_owned(), token.as_str().into());
        keys.insert("access_token".to_owned(), token.into());
        keys.insert("expires_in".to_owned(), expires_in.into());
    }
    if let Some((secret, life)) = &issued.api_token {
        keys.insert("token".to_owned(), secret.reveal().into());
        keys.insert("token_type".to_owned(), "Bearer".into());
        keys.insert("expires_at".to_owned(), life.expires_at.iso().into());
        if let Some(trusted) = &signed_in.trusted {
            keys.insert("deviceToken".to_owned(), trusted.secret.reveal().into());
        }
        keys.insert("usage".to_owned(), "Send it as: Authorization: Bearer <token>".into());
    }
    Ok(body)
}
