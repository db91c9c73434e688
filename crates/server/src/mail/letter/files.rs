//! What our mail says of watched files.

use portcullis_domain::time::Time;

use super::{Letter, Link};

/// A file that is not as it ought to be, as a line says it.
pub struct FileLine {
    pub severity: &'static str,
    pub what: &'static str,
    /// With what cannot be seen made visible.
    pub path: String,
}

/// What a line has of a path: whoever may name files writes no long letters.
const LONGEST: usize = 256;

impl Letter {
    /// What letters are called that tell of what had none, by what is critical and what is not.
    pub const MORE_CRITICAL_FILES: &str = "More watched files have changed (critical)";
    pub const MORE_FILES: &str = "More watched files have changed";

    /// Files differ: one letter for all that was found together. `more` of them have no line.
    pub fn files_differ(lines: &[FileLine], more: usize, url: String) -> Self {
        let count = lines.len() + more;
        let what = format!(
            "{count} watched {} not as expected, or could not be checked. Nobody has declared this \
             change.",
            if count == 1 { "file is" } else { "files are" }
        );
        let line =
            |line: &FileLine| format!("{}: {} {}", line.severity, line.what, clip(&line.path));
        let mut list: Vec<String> = lines.iter().map(line).collect();
        if more > 0 {
            list.push(format!("and {more} more"));
        }
        let letter = Self::notice("Watched files have changed", [&what, &list.join("\n")]);
        Self { link: Some(look(url)), ..letter }
    }

    /// There was more than is written of: so many alerts, since then.
    pub fn more_files_differ(subject: &'static str, count: i64, since: Time, url: &str) -> Self {
        let what = format!(
            "There {} {count} more since {}, of which you had no letter: there are not more than some \
             an hour.",
            if count == 1 { "is" } else { "are" },
            since.to_the_minute()
        );
        Self { link: Some(look(url.to_owned())), ..Self::notice(subject, [&what]) }
    }
}

fn look(url: String) -> Link {
    Link { label: "Look at the alerts", url }
}

/// The end of a path says more than its beginning.
fn clip(path: &str) -> String {
    match path.char_indices().rev().nth(LONGEST) {
        Some((at, left_out)) => {
            format!("…{}", path.get(at + left_out.len_utf8()..).unwrap_or_default())
        }
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_is_cut_at_its_beginning() {
        let check = |path: String, expected: String| assert_eq!(clip(&path), expected);
        check("/srv/app/index.php".to_owned(), "/srv/app/index.php".to_owned());
        check("é".repeat(LONGEST), "é".repeat(LONGEST));
        check(format!("é{}", "a".repeat(LONGEST)), format!("…{}", "a".repeat(LONGEST)));
    }
}
