//! Indexes made from files and looked into, as users do. Not here: what needs no file, which is tested
//! beside it.
#![cfg(test)]

mod broken;
mod build;
mod resume;
mod set;
mod support;
