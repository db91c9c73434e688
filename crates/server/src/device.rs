//! What a person would call the program that somebody signed in with, such as "Firefox on Linux".
//! A guess from what that program says of itself: for people to read, never to decide by.

use woothee::parser::Parser;
use woothee::woothee::VALUE_UNKNOWN;

/// Characters of a program's name that nobody knows.
const LONGEST: usize = 32;

/// The label of a `User-Agent`; `None` where it says nothing that can be trusted to be a name.
pub fn label(agent: &str) -> Option<String> {
    let found = Parser::new().parse(agent);
    let known = found.filter(|found| is_known(found.name) && found.name != "HTTP Library");
    let Some(found) = known else { return first_product(agent) };
    Some(match found.os {
        system if is_known(system) => format!("{} on {}", found.name, system_name(system)),
        _ => found.name.to_owned(),
    })
}

fn is_known(name: &str) -> bool {
    !name.is_empty() && name != VALUE_UNKNOWN
}

fn system_name(system: &str) -> &str {
    match system {
        "Mac OSX" => "macOS",
        system if system.starts_with("Windows ") && !system.starts_with("Windows Phone") => {
            "Windows"
        }
        system => system,
    }
}

/// The name in `name/1.2`, as tools and applications give it.
fn first_product(agent: &str) -> Option<String> {
    let name = agent.split(['/', ' ']).next()?;
    let is_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    let begins_well = name.starts_with(|char: char| char.is_ascii_alphanumeric());
    let is_good = begins_well && name.len() <= LONGEST && name.chars().all(is_name);
    (is_good && name != "Mozilla").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pins what the table of the parser knows: another version may know other names.
    #[test]
    fn programs_have_the_names_that_people_know() {
        let check = |agent: &str, expected: Option<&str>| {
            assert_eq!(label(agent).as_deref(), expected, "{agent}");
        };
        let mozilla = "Mozilla/5.0";
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let windows = "(Windows NT 10.0; Win64; x64)";
        check(
            &format!("{mozilla} (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"),
            Some("Firefox on Linux"),
        );
        check(
            &format!("{mozilla} {windows} {webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"),
            Some("Edge on Windows"),
        );
        check(
            &format!("{mozilla} {windows} {webkit} Chrome/140.0.0.0 Safari/537.36"),
            Some("Chrome on Windows"),
        );
        check(
            &format!("{mozilla} {windows} {webkit} Chrome/129.0.0.0 Safari/537.36 OPR/115.0.0.0"),
            Some("Opera on Windows"),
        );
        check(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/18.1 Safari/605.1.15",
            Some("Safari on macOS"),
        );
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
             Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
            Some("Safari on iPhone"),
        );
        check(
            "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) \
             SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
            Some("SamsungBrowser on Android"),
        );
        check("curl/8.5.0", Some("curl"));
        check("PostmanRuntime/7.39.0", Some("PostmanRuntime"));
        check("PropOpsField/4.2 (iOS 18.1)", Some("PropOpsField"));
        check("okhttp/4.12.0", Some("okhttp"));
    }

    #[test]
    fn what_is_no_name_is_none() {
        let check = |agent: &str| assert_eq!(label(agent), None, "{agent}");
        check("");
        check("-");
        check("Mozilla/5.0");
        check("<script>alert(1)</script>");
        check("\u{202e}gnp.exe/1.0");
        check("évil/1.0");
        check("a\u{1b}[31m/1");
        check(&"a".repeat(10_000));
        check(&"(".repeat(10_000));
    }
}
