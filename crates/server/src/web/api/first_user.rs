//! `GET /api/auth/check-user-existence` and `POST /api/auth/create-initial-user` (contract Z8, Z9).
//! Whoever makes the first user owns the installation, so it is off unless the operator says
//! `sign_in.first_user = "local"`, and then only for a program on this machine that shows no sign
//! of a proxy in between.

use http::StatusCode;
use portcullis_domain::password;
use portcullis_domain::text::Username;
use serde_json::json;

use crate::app::App;
use crate::config::FirstUser;
use crate::flows::first_user::{self, Attempt, Outcome};
use crate::web::api::change_password::weak;
use crate::web::api::login;
use crate::web::caller::Anyone;
use crate::web::error::{Error, Fault, Forbidden};
use crate::web::input::{Fields, both};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::{Call, Facts};
use crate::web::table::{Answer, Csrf, Doc};

pub const EXISTENCE_PATH: &str = "/api/auth/check-user-existence";
pub const PATH: &str = "/api/auth/create-initial-user";

/// The longest name that is looked at, in characters.
const MAX_NAME: usize = 150;

pub const EXISTENCE: Doc = Doc {
    id: "check_user_existence",
    summary: "Whether this installation has a user.",
    family: Family::Z,
    answer: (200, r#"{"exists":true}"#),
    ..Doc::USUAL
};

pub const CREATE: Doc = Doc {
    id: "create_initial_user",
    summary: "Makes the first user, who is the owner, and signs in. Only from this machine, with \
              sign_in.first_user = \"local\", and while there is no user.",
    csrf: Csrf::Exempt,
    fields: &[
        ("username", true, "The username, up to 150 characters."),
        ("password", true, "The password, as long as password.min_length says."),
        ("workspace_name", false, "Read and not used: there is one workspace."),
    ],
    answer: (201, r#"{"detail":"User created and logged in successfully."}"#),
    ..EXISTENCE
};

/// `GET /api/auth/check-user-existence`.
pub async fn existence(call: Call, _: Anyone) -> Answer {
    let exists = first_user::exists(&call.app.db).await?;
    Ok(json_reply(StatusCode::OK, &json!({ "exists": exists })))
}

/// `POST /api/auth/create-initial-user`.
pub async fn create(call: Call, _: Anyone) -> Answer {
    let (app, facts) = (&call.app, &call.facts);
    if first_user::exists(&app.db).await? {
        return Err(Error::Forbidden(Forbidden::Other("users_exist")));
    }
    if !may_try(app, facts) {
        tracing::warn!(peer = %facts.client.peer, "somebody asked to be made the first user");
        return Err(Error::Forbidden(Forbidden::Other("first_user_off")));
    }
    let (username, password) = read(&call.fields).map_err(Error::Invalid)?;
    let attempt = Attempt {
        username,
        password,
        shows_browser: facts.shows_browser(),
        from: facts.client,
        context: facts.context(),
    };
    let answer = first_user::create(app, &attempt).await?;
    facts.set_limit_standing(answer.standing);
    match answer.outcome {
        Outcome::SignedIn(signed_in) => {
            login::set_cookies(&call, &signed_in);
            let body = json!({"detail": "User created and logged in successfully."});
            Ok(json_reply(StatusCode::CREATED, &body))
        }
        Outcome::Weak(faults) => Err(weak("password", &faults)),
        Outcome::UsersExist => Err(Error::Forbidden(Forbidden::Other("users_exist"))),
        Outcome::TooMany { retry_after } => {
            Err(Error::TooMany { code: "too_many_requests", retry_after })
        }
    }
}

/// Whether the request comes from this machine alone, as far as it can be known: a proxy here would
/// make everybody look like it, so nothing may tell of one, in the request or in the configuration.
fn may_try(app: &App, facts: &Facts) -> bool {
    let tells_of_a_proxy = |name: &str| {
        name.starts_with("x-forwarded-")
            || matches!(
                name,
                "forwarded" | "via" | "x-real-ip" | "x-client-ip" | "true-client-ip" | "cdn-loop"
            )
            || name.starts_with("cf-")
    };
    app.config.sign_in.first_user == FirstUser::Local
        && app.config.server.trusted_proxies.is_empty()
        && app.public_url.host().is_loopback()
        && facts.host.is_loopback()
        && facts.client.peer.is_loopback()
        && !facts.headers.keys().any(|name| tells_of_a_proxy(name.as_str()))
}

fn read(fields: &Fields) -> Result<(Username, &str), Vec<Fault>> {
    let username = fields.required("username", MAX_NAME).and_then(|text| {
        let fault = |_| Fault::invalid("username", "may hold only letters, digits and _ . @ + -");
        Username::parse(text).map_err(fault)
    });
    both(username, fields.required("password", password::MAX_BYTES))
}
