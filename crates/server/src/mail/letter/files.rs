//! What our mail says of watched files.

use super::{Cap, Letter, Link};

/// A file that is not as it ought to be, as a line says it.
pub struct FileLine {
    pub severity: &'static str,
    pub what: &'static str,
    /// With what cannot be seen made visible.
    pub path: String,
}

impl Letter {
    /// Files differ: one letter for all that was found together. `more` of them have no line.
    pub fn files_differ(lines: &[FileLine], more: usize, url: String) -> Self {
        let count = lines.len() + more;
        let what = format!(
            "{count} watched {} not as expected, or could not be checked. Nobody has declared this \
             change.",
            if count == 1 { "file is" } else { "files are" }
        );
        let line = |line: &FileLine| format!("{}: {} {}", line.severity, line.what, line.path);
        let mut list: Vec<String> = lines.iter().map(line).collect();
        if more > 0 {
            list.push(format!("and {more} more"));
        }
        let link = Some(Link { label: "Look at the alerts", url });
        let letter = Self::notice("Watched files have changed", [&what, &list.join("\n")]);
        Self { link, cap: Some(Cap::FILES), ..letter }
    }
}
