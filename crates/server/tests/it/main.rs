//! The server's tests: one binary, the real server behind a real socket, on both databases.

mod harness;
mod smoke;
mod tidy;
