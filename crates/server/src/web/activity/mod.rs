//! The activity log on the web: what is asked for, and how it is taken along. JSON and pages have this
//! in common.

pub mod query;
pub mod stream;
