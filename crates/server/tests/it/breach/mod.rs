//! Breached passwords: the commands on their index, who is asked about a password, and what is answered.

mod checks;
mod commands;
mod corpus;
pub(crate) mod offline;
mod online;
mod page;
mod secrets;
mod service;
mod sign_in;
mod status;
mod ways_in;
