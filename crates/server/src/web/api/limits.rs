//! `/api/admin/limits`: how the limits stand, changing one while the server runs, and letting somebody
//! try again. Our own; shaped like the P family, whose paths these are among.

use http::StatusCode;
use portcullis_domain::client_address::Network;
use portcullis_domain::id::UserId;
use portcullis_domain::limits::{Tunable, written};
use portcullis_domain::text::Email;
use portcullis_store::users::{self as rows, User};
use serde_json::{Value, json};

use crate::config::Config;
use crate::flows::administration::Halt;
use crate::flows::limits::change::{self, Change};
use crate::flows::limits::overview::{self, Lockout, Standing};
use crate::flows::limits::{Locked, forgive};
use crate::flows::users;
use crate::web::acting::Actor;
use crate::web::administering;
use crate::web::caller::{Caller, Fresh, LimitsManage, Staff};
use crate::web::door;
use crate::web::error::{Error, Fault};
use crate::web::input::whole_number;
use crate::web::refusal::Family;
use crate::web::reply::{Reply, json_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const PATH: &str = "/api/admin/limits";

/// The longest text of a field that is looked at, in characters.
const MAX_TEXT: usize = 254;

pub const SHOW: Doc = Doc {
    id: "show_limits",
    summary: "The limits with their values and where those come from, and who is locked out; with \
              ?user_id= how one account stands. The header X-CSRF-Token has a token for a change.",
    family: Family::P,
    answer: (
        200,
        r#"{"success":true,"data":{"limits":[{"name":"login","value":"5/60s","source":"default","configured":"5/60s","default":"5/60s","changed_by":null,"changed_at":null,"exhausted":0}],"lockouts":[],"passwords_disabled":[]}}"#,
    ),
    ..Doc::USUAL
};

pub const CHANGE: Doc = Doc {
    id: "change_limit",
    summary: "Changes a limit on every node, until it is changed again; null gives the configuration's \
              value back.",
    fields: &[
        ("name", true, "login, sensitive, lockout, requests or upstream."),
        (
            "value",
            true,
            "As in the configuration, such as 5/60s or off; default or null: as configured.",
        ),
    ],
    answer: (
        200,
        r#"{"success":true,"message":"Limit changed","data":{"name":"login","value":"9/60s"}}"#,
    ),
    ..SHOW
};

pub const UNLOCK: Doc = Doc {
    id: "unlock",
    summary: "Lets an account be signed in to again from everywhere, or an address try again.",
    fields: &[
        ("user_id", false, "The account by its number,"),
        ("email", false, "or by its address."),
        ("address", false, "The IP address that may try again."),
    ],
    answer: (200, r#"{"success":true,"message":"Unlocked","changed":true}"#),
    ..SHOW
};

pub const FORGET: Doc = Doc {
    id: "forget_counters",
    summary: "The same, with the account or the address in the query.",
    fields: &[],
    ..UNLOCK
};

/// `GET /api/admin/limits`.
pub async fn show(call: Call, Staff(caller, _): Staff<LimitsManage>) -> Answer {
    // Who has used up the requests gets none elsewhere.
    if let Some(session) = caller.session() {
        door::hand_back(&call.app, &call.facts, session);
    }
    if let Some(id) = call.facts.query("user_id") {
        let id = user_id(&id)?;
        let account = overview::account(&call.app, id).await?.ok_or(Error::NotFound)?;
        let data = json!({
            "user_id": account.user.id,
            "user_name": account.user.email.as_str(),
            "failures": account.failures,
            "password_disabled": !account.takes_password,
            "lockouts": account.lockouts.iter().map(lockout).collect::<Vec<_>>(),
        });
        return Ok(done(json!({ "data": data })));
    }
    let now = overview::overview(&call.app, Config::default_limits()).await?;
    let disabled = |user: &User| json!({"user_id": user.id, "user_name": user.email.as_str()});
    Ok(done(json!({ "data": {
        "limits": now.limits.iter().map(standing).collect::<Vec<_>>(),
        "lockouts": now.lockouts.iter().map(lockout).collect::<Vec<_>>(),
        "passwords_disabled": now.disabled.iter().map(disabled).collect::<Vec<_>>(),
    }})))
}

/// `PUT /api/admin/limits`.
pub async fn change(call: Call, Fresh(Staff(caller, _)): Fresh<Staff<LimitsManage>>) -> Answer {
    let name = call.fields.required("name", MAX_TEXT).map_err(invalid)?;
    let unknown = || invalid(Fault::invalid("name", "is no limit that can be changed"));
    let tunable = Tunable::of_key(name).ok_or_else(unknown)?;
    if !call.fields.has("value") {
        return Err(invalid(Fault::required("value")));
    }
    let value = call.fields.optional("value", MAX_TEXT).map_err(invalid)?;
    let wanted = value.filter(|value| *value != "default");
    let actor = Actor::of(&call, &caller);
    let changed = change::change(&call.app, &actor.acting(&call.app), tunable, wanted).await?;
    let message = match changed {
        Change::Done => "Limit changed",
        Change::Unchanged => "The limit was so already",
        Change::Unfit(unfit) => return Err(invalid(Fault::invalid("value", unfit.detail()))),
        Change::Overtaken => return Err(Error::Conflict("conflict")),
    };
    let value = written(call.app.limits.in_force().of(tunable));
    Ok(done(json!({ "message": message, "data": { "name": name, "value": value } })))
}

/// `POST /api/admin/limits/unlock`.
pub async fn unlock(call: Call, Fresh(Staff(caller, _)): Fresh<Staff<LimitsManage>>) -> Answer {
    let changed = unlock_named(&call, &caller).await?;
    Ok(done(json!({ "message": "Unlocked", "changed": changed })))
}

/// Lets whom the fields name try again; whether anything was counted.
pub async fn unlock_named(call: &Call, caller: &Caller) -> Result<bool, Error> {
    let text = |name| call.fields.optional(name, MAX_TEXT).map_err(invalid);
    let number = call.fields.number("user_id").map_err(invalid)?;
    let asked =
        Asked { user_id: number.map(UserId), email: text("email")?, address: text("address")? };
    forgive_whom(call, caller, &asked).await
}

/// `DELETE /api/admin/limits`.
pub async fn forget(call: Call, Fresh(Staff(caller, _)): Fresh<Staff<LimitsManage>>) -> Answer {
    let [id, email, address] = ["user_id", "email", "address"].map(|it| call.facts.query(it));
    let asked = Asked {
        user_id: id.as_deref().map(user_id).transpose()?,
        email: email.as_deref(),
        address: address.as_deref(),
    };
    let changed = forgive_whom(&call, &caller, &asked).await?;
    Ok(done(json!({ "message": "Unlocked", "changed": changed })))
}

/// Who is to be let try again: one of these.
struct Asked<'a> {
    user_id: Option<UserId>,
    email: Option<&'a str>,
    address: Option<&'a str>,
}

async fn forgive_whom(call: &Call, caller: &Caller, asked: &Asked<'_>) -> Result<bool, Error> {
    let (app, actor) = (&call.app, Actor::of(call, caller));
    let acting = actor.acting(app);
    let id = match (asked.user_id, asked.email, asked.address) {
        (Some(id), None, None) => id,
        (None, Some(text), None) => {
            let fault = |_| invalid(Fault::invalid("email", "must be an email"));
            let email = Email::parse(text).map_err(fault)?;
            let mut tx = app.db.read_once().await?;
            rows::by_email(&mut tx, &email).await?.ok_or(Error::NotFound)?.id
        }
        (None, None, Some(text)) => {
            return Ok(forgive::address(app, &acting, network(text)?).await?);
        }
        (None, None, None) => return Err(invalid(Fault::required("user_id"))),
        _ => return Err(invalid(Fault::invalid("user_id", "must be the only one that is given"))),
    };
    match users::unlock(&acting, id).await? {
        users::Change::Done => Ok(true),
        users::Change::Unchanged => Ok(false),
        users::Change::Unknown => Err(Error::NotFound),
        users::Change::Refused(refusal) => {
            Err(administering::refused(call, caller, Halt::Refused(refusal)).await)
        }
    }
}

fn standing((one, exhausted): &(Standing, i64)) -> Value {
    let changed = one.changed.as_ref();
    json!({
        "name": one.tunable.key(),
        "value": written(one.value),
        "source": one.source(),
        "configured": written(one.configured),
        "default": written(one.default),
        "changed_by": changed.and_then(|changed| changed.by.as_deref()),
        "changed_at": changed.map(|changed| changed.at.iso()),
        "exhausted": exhausted,
    })
}

fn lockout(one: &Lockout) -> Value {
    json!({
        "user_id": one.user.id,
        "user_name": one.user.email.as_str(),
        "network": match &one.what {
            Locked::Network(network) => Some(network),
            Locked::Device => None,
        },
        "device": one.what == Locked::Device,
        "failures": one.failures,
        "until": one.until.iso(),
    })
}

fn user_id(text: &str) -> Result<UserId, Error> {
    let fault = || invalid(Fault::invalid("user_id", "must be a number"));
    whole_number(text).filter(|id| *id > 0).map(UserId).ok_or_else(fault)
}

/// An address, read as strictly as everywhere.
fn network(text: &str) -> Result<Network, Error> {
    let fault = |_| invalid(Fault::invalid("address", "must be an IP address"));
    text.parse().map(Network::of).map_err(fault)
}

fn done(mut body: Value) -> Reply {
    if let Value::Object(keys) = &mut body {
        keys.insert("success".to_owned(), true.into());
    }
    json_reply(StatusCode::OK, &body)
}

fn invalid(fault: Fault) -> Error {
    Error::Invalid(vec![fault])
}
