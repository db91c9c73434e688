//! The application's files, watched.

mod offline;
