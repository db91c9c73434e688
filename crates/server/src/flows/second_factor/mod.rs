//! Somebody's second factor: looking at a code, and what follows. Not here: when a sign-in asks for one
//! (`sign_in/factor`).

pub(super) mod check;

pub(super) use check::{Checked, check, lock_key};
