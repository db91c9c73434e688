//! What a person or a job can do, one file each, without HTTP: pages, API and command line all
//! call these. A flow reads, decides with a pure function of the domain, and writes the new state
//! and its event in one transaction. An expected refusal is an outcome; an error is what nobody
//! planned.

pub mod activity;
pub mod administration;
pub mod api_keys;
pub mod audit;
pub mod backup;
pub mod barrier;
pub mod blacklist;
pub mod breach;
pub mod breach_sources;
pub mod breach_status;
pub mod change_password;
pub mod credentials;
pub mod csrf;
pub mod email;
pub mod first_run;
pub mod first_user;
mod guess;
pub mod import_users;
pub mod integrity;
pub mod limits;
mod links;
pub mod magic_link;
pub mod mail_request;
pub mod mobile;
pub mod new_password;
pub mod own_profile;
mod password;
pub mod password_reset;
pub mod places;
pub mod proof;
pub mod refresh;
pub mod remember;
pub mod report;
pub mod required_factor;
pub mod reset_tokens;
pub mod roles;
pub mod second_factor;
pub mod sessions;
pub mod sign_in;
pub mod sign_out;
pub mod signing_keys;
pub mod terminate;
pub mod trusted_devices;
pub mod users;

use portcullis_domain::event::{Context, Event};
use portcullis_domain::time::Time;
use portcullis_store::{Error, Tx, events};

use crate::random::Random;

/// Writes an event in the transaction of its act.
pub async fn record(
    tx: &mut Tx,
    random: Random,
    event: &Event,
    context: &Context,
    now: Time,
) -> Result<(), Error> {
    events::append(tx, event, context, &random.row_id(now), now).await
}
