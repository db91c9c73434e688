//! What is true: the rules of Portcullis as plain types and pure functions.
//!
//! No I/O, no clock, no randomness, no HTTP and no SQL: those come in as arguments.
//!
//! - [`account`]: account types and whether an account is open.
//! - [`activity`]: an event as it is shown outside, and what is asked for of them.
//! - [`administration`]: who may do what to whose account.
//! - [`api_key`]: API keys: what one may do, and from where.
//! - [`audit`]: what is written of an event for good, and how it is proven.
//! - [`backup`]: the seal and the names of backups, and how old the last may be.
//! - [`backup_code`]: the codes for a lost phone.
//! - [`client_address`]: who is calling, read through trusted proxies only.
//! - [`csrf`]: the kinds of CSRF token, their bytes and the verdict on a request.
//! - [`delivery`]: when mail is tried again, and until when it is worth sending.
//! - [`device`]: the cookie of a browser in which somebody signed in before.
//! - [`event`]: every event that can be written to the audit log.
//! - [`id`]: typed identifiers of users, roles and sessions.
//! - [`limits`]: the limits of a deployment by name, and what may be changed while it runs.
//! - [`magic_link`]: links that sign in, and what one is worth where it is used.
//! - [`one_time_code`]: codes that people type: what for, how long, how often they may be guessed at.
//! - [`one_time_link`]: links that can be used once: what for, how long, whether they still can.
//! - [`origin`]: web origins, and the wall that unsafe requests from elsewhere meet.
//! - [`password`]: the password policy and Argon2id hashes.
//! - [`permission`]: permission keys, wildcards and sets of them.
//! - [`place`]: places that people sign in from, and what is done about a new one.
//! - [`probe`]: the tickets with which `doctor` follows its own requests.
//! - [`redirect`]: where a person may be sent after signing in.
//! - [`remember`]: browsers that stay signed in, and what one of their secrets is worth.
//! - [`report`]: the security report: its period, its figures, and how things stand.
//! - [`request_path`]: the one canonical reading of a request target.
//! - [`role`]: levels, and who may give what to whom.
//! - [`rule`]: the gate's table and its decision.
//! - [`required_factor`]: who must have a second factor, and from when.
//! - [`second_factor`]: what may be typed as a second factor, how often and how long.
//! - [`secret`]: keys and credentials that are made, shown once and compared by MAC.
//! - [`session`]: how long each credential lives, and why it is dead.
//! - [`step_up`]: what asks for a fresh proof, and how long one is fresh.
//! - [`text`]: parsed e-mail addresses, usernames, hosts and names.
//! - [`throttle`]: rate limits and lock-outs as arithmetic.
//! - [`time`]: moments in time.
//! - [`totp`]: the codes of authenticator apps.
//! - [`trusted_device`]: devices where nobody is asked for the second factor.
//! - [`webhook`]: messages to other systems, and how they are signed.

pub mod access_token;
pub mod account;
pub mod activity;
pub mod administration;
pub mod api_key;
pub mod audit;
pub mod backup;
pub mod backup_code;
mod base32;
pub mod blacklist;
pub mod client_address;
pub mod csrf;
pub mod delivery;
pub mod device;
pub mod erasure;
pub mod event;
pub mod id;
pub mod integrity;
pub mod limits;
pub mod magic_link;
pub mod one_time_code;
pub mod one_time_link;
pub mod origin;
pub mod password;
pub mod permission;
pub mod place;
pub mod probe;
pub mod redirect;
pub mod remember;
pub mod report;
pub mod request_path;
pub mod required_factor;
pub mod revocation;
pub mod role;
pub mod rule;
mod sealed;
pub mod second_factor;
pub mod secret;
pub mod session;
pub mod signing_key;
pub mod step_up;
pub mod text;
pub mod throttle;
pub mod time;
pub mod totp;
pub mod trusted_device;
pub mod webhook;
mod word;
