//! How commands are spelled and which exit codes failures have. What commands do is tested with the
//! real program.

use clap::CommandFactory as _;

use super::*;

/// Words apart by spaces.
fn parse(line: &str) -> Result<Cli, i32> {
    let words = std::iter::once("portcullis").chain(line.split_whitespace());
    Cli::try_parse_from(words).map_err(|error| error.exit_code())
}

#[test]
fn the_description_of_the_arguments_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn commands_are_spelled_as_documented() {
    let check = |line: &str| assert_eq!(parse(line).err(), None, "{line}");
    check("init --upstream http://127.0.0.1:3000");
    check("init --upstream https://a.b --config c --public-url https://d.e --email a@b.de --json");
    check("init --config c");
    check("config sample");
    check("config check --config c");
    check("user create --config c --email a@b.de");
    check("doctor --config c --json");
    check("doctor --config c --url https://a.b --insecure --path /admin");
    for proxy in ["nginx", "caddy", "traefik", "haproxy", "envoy"] {
        check(&format!("doctor --config c --proxy {proxy} --url http://[::1]:8080"));
    }
    check("doctor --config c --url http://a.b --stand-in 127.0.0.1:3000 --token-stdin");
    check(
        "user create --config c --email a@b.de --username u --first-name F --last-name L --phone 1 \
         --branch 2 --account-type contractor --role owner --password-stdin --json",
    );
    for command in ["disable", "enable", "unlock", "set-password --password-stdin"] {
        check(&format!("user {command} a@b.de --config c"));
        check(&format!("user {command} --json --config c a@b.de"));
    }
    check("user list --config c --json");
    check("user blacklist a@b.de --config c --reason r --json");
    check("user unblacklist a@b.de --config c --json");
    check("session terminate sess_0123456789abcdef01234567 --config c --json");
    check("session list --config c --json");
    check("session list --user a@b.de --limit 5 --config c");
    check("limits list --config c --json");
    check("limits set login 5/60s --config c --json");
    check("limits set requests off --config c");
    check("limits reset upstream --config c --json");
    check("role create --config c --name n --level 0");
    check("role create --config c --name n --level 100 --permission a.b --permission *");
    check("role grant n a.b.* --config c");
    check("role revoke n a.b.* --config c");
    check("role list --config c");
    check("role export --config c");
    check("role import f --config c");
}

#[test]
fn what_is_misspelled_is_wrong_usage() {
    let check = |line: &str| assert_eq!(parse(line).err(), Some(i32::from(USAGE)), "{line}");
    check("");
    check("nothing");
    check("session list --user a --config c");
    check("session list --limit 0 --config c");
    check("session terminate --config c");
    check("session terminate sess_1 --config c");
    check("limits");
    check("limits list");
    check("limits set login --config c");
    check("limits set body 1/60s --config c");
    check("limits set login 0/60s --config c");
    check("limits set login default --config c");
    check("limits reset --config c");
    check("limits reset nothing --config c");
    check("user blacklist a@b.de --config c --reason");
    check("user blacklist a@b.de --config c");
    check("user");
    check("init --upstream");
    check("init --upstream 127.0.0.1:3000");
    check("init --upstream http://127.0.0.1:3000/path");
    check("init --upstream http://a:b@127.0.0.1:3000");
    check("init --upstream http://a.b --public-url https://a.b/c");
    check("init --public-url https://a.b");
    check("init --upstream http://a.b --email nobody");
    check("config check");
    check("doctor");
    check("doctor --config c --proxy nginx");
    check("doctor --config c --proxy apache --url http://a.b");
    check("doctor --config c --url a.b");
    check("doctor --config c --url http://a.b/path");
    check("doctor --config c --url http://a:b@c.d");
    check("doctor --config c --url http://a.b --path admin");
    check("doctor --config c --stand-in 127.0.0.1:3000");
    check("doctor --config c --url http://a.b --token-stdin");
    check("user list");
    check("user create --config c");
    check("user create --config c --email nobody");
    check("user create --config c --email a@b.de --username a!b");
    check("user create --config c --email a@b.de --account-type owner");
    check("user create --config c --email a@b.de --branch 0");
    check("user create --config c --email a@b.de --branch x");
    check("user create --config c --email a@b.de --password secret");
    check("user create --config c --email a@b.de --email c@d.de");
    check("user disable --config c");
    check("user disable nobody --config c");
    check("user set-password a@b.de --config c");
    check("user reset-2fa nobody --config c");
    check("role create --config c --name n");
    check("role create --config c --name n --level 101");
    check("role create --config c --name n --level -1");
    check("role create --config c --level 1 --name=");
    check("role create --config c --name n --level 1 --permission a..b");
    check("role grant n --config c");
    check("role grant n a.*.b --config c");
    check("role import --config c");
}

#[test]
fn help_and_version_are_no_failures() {
    let check = |line: &str| assert_eq!(parse(line).err(), Some(i32::from(DONE)), "{line}");
    check("--help");
    check("--version");
    check("user --help");
    check("user create --help");
    check("limits --help");
    check("limits set --help");
    check("role import -h");
}

#[test]
fn a_failure_has_an_exit_code_by_kind() {
    let check =
        |error: anyhow::Error, expected: u8| assert_eq!(exit_code(&error), expected, "{error}");
    let faults = crate::config::Faults::default();
    check(OpenError::Config(faults).into(), USAGE);
    let source = std::io::Error::other("full");
    check(OpenError::Directory { path: PathBuf::from("x"), source }.into(), UNREACHABLE);
    check(anyhow::anyhow!("anything"), UNREACHABLE);
    check(portcullis_store::Error::Unavailable.into(), UNREACHABLE);
}
