//! Sessions in a list: what is asked for, and how one is shown. JSON and pages have this in common.

pub mod query;
pub mod shown;

pub use shown::{Showing, Shown};
