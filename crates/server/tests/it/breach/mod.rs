//! Breached passwords: the commands on their index.

mod commands;
