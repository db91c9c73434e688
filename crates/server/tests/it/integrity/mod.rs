//! The application's files, watched.

mod commands;
mod deploy;
mod explain;
mod offline;
mod unreadable;
