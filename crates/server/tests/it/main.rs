//! The server's tests: one binary, the real server behind a real socket, on both databases.

mod attacks;
mod contract;
mod docs;
mod doors;
mod harness;
mod lifecycle;
mod seeds;
mod sign_in;
mod smoke;
mod tidy;
