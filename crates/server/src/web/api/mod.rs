//! The JSON endpoints, one file a noun. A handler reads its fields, calls one flow and words the
//! outcome; what is right or wrong is decided below it.

pub mod access_token;
pub mod account_sessions;
pub mod activity_log;
pub mod blacklist;
pub mod change_password;
pub mod console;
pub mod csrf;
pub mod email;
pub mod first_user;
pub mod health;
pub mod limits;
pub mod login;
pub mod logout;
pub mod logout_user;
pub mod magic_link;
pub mod me;
pub mod mobile_auth;
pub mod oauth;
pub mod openapi;
pub mod own_permissions;
pub mod own_profile;
pub mod password_reset;
pub mod permissions;
pub mod places;
pub mod probe;
pub mod profile;
pub mod roles;
pub mod second_factor;
pub mod security_report;
pub mod session_acts;
pub mod sessions;
pub mod trusted_devices;
pub mod two_factor;
pub mod users;
pub mod verify_place;
