//! Every kind of fault, each beside a configuration that is accepted; and the sample against the table.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod gate;
mod integrity;

use super::keys::{Default, Kind};
use super::table::{SECTIONS, TABLES};
use super::{Config, Database, Faults, Profile, Transport, reference, sample};

/// Loads a file of this text with these variables.
fn load(file: &str, env: &[(&str, &str)]) -> Result<Config, Faults> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("portcullis.toml");
    fs::write(&path, file).unwrap();
    load_at(Some(&path), env)
}

fn load_at(path: Option<&Path>, env: &[(&str, &str)]) -> Result<Config, Faults> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Config::load(path, env.iter().map(owned))
}

/// The faults of this file and these variables, without the path of the file, are these and no others.
#[track_caller]
fn check(file: &str, env: &[(&str, &str)], expected: &[&str]) {
    let faults = match load(file, env) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.to_string().lines().map(without_directory).collect(),
    };
    assert_eq!(faults, expected, "{file}");
}

fn without_directory(line: &str) -> String {
    line.split_once("portcullis.toml:").map_or(line, |(_, rest)| rest).to_owned()
}

#[track_caller]
fn accepted(file: &str, env: &[(&str, &str)]) -> Config {
    load(file, env).unwrap_or_else(|faults| panic!("{file}: {faults}"))
}

const LISTEN: &str = "an address and port such as 127.0.0.1:8080";
const DURATION: &str = "a duration such as 30s, 15m, 2h or 30d";
const SECTION_NAMES: &str = "server, database, cookies, session, tokens, csrf, password, sign_in, \
                             limits, mail, breach, geo, audit, integrity, gate, backup, metrics, log";

#[test]
fn nothing_written_gives_the_documented_defaults() {
    let config = load_at(None, &[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.secret_file, PathBuf::from("./portcullis-data/secret"));
    let Database::Sqlite(file) = &config.database else { panic!("not SQLite") };
    assert_eq!(file, &PathBuf::from("./portcullis-data/portcullis.db"));
    assert_eq!(config.cookies.profile, Profile::Compat);
    assert_eq!(config.session.username_login, Some(Duration::from_hours(14 * 24)));
    assert_eq!(config.tokens.mobile_idle, None);
    assert_eq!(config.limits.configured.upstream, None);
    assert_eq!(config.limits.body, 1 << 20);
    assert_eq!((config.password.argon2.memory_kib, config.password.argon2.iterations), (19456, 2));
    let Transport::Directory(outbox) = &config.mail.transport else { panic!("no directory") };
    assert_eq!(outbox, &PathBuf::from("./portcullis-data/outbox"));
    assert!(config.gate.families.p && config.gate.families.s && config.gate.families.z);
}

#[test]
fn a_value_that_is_not_accepted_is_named_with_what_is() {
    check("", &[], &[]);
    check(
        "[server]\nlisten = \"abc\"",
        &[],
        &[&format!("2: server.listen: \"abc\" is not accepted; accepted: {LISTEN}")],
    );
    check(
        "[server]\nlisten = 8080",
        &[],
        &[&format!("2: server.listen: 8080 is not accepted; accepted: {LISTEN}")],
    );
    check(
        "",
        &[("PORTCULLIS__SERVER__LISTEN", "abc")],
        &[&format!(
            "PORTCULLIS__SERVER__LISTEN: server.listen: \"abc\" is not accepted; accepted: {LISTEN}"
        )],
    );
    for duration in ["0s", "5", "-1s", "2 h", "2w", "1h30m"] {
        check(
            &format!("[tokens]\napi = \"{duration}\""),
            &[],
            &[&format!("2: tokens.api: \"{duration}\" is not accepted; accepted: {DURATION}")],
        );
    }
    check(
        "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"0.0.0.0/0\", \"::/0\", \"::1\"]",
        &[],
        &[
            "2: server.trusted_proxies: \"0.0.0.0/0\" is not accepted; accepted: addresses and \
             networks such as 10.0.0.5 or 10.0.0.0/8, but not every address (/0)",
            "2: server.trusted_proxies: \"::/0\" is not accepted; accepted: addresses and \
             networks such as 10.0.0.5 or 10.0.0.0/8, but not every address (/0)",
        ],
    );
}

#[test]
fn a_factor_asks_for_no_longer_password_than_none() {
    check("[password]\nmin_length = 12\nmin_length_with_second_factor = 12", &[], &[]);
    check(
        "[password]\nmin_length = 12\nmin_length_with_second_factor = 13",
        &[],
        &["3: password.min_length_with_second_factor: 13 is more than min_length; \
           accepted: 12 or less"],
    );
}

#[test]
fn roles_that_need_a_factor_are_named_in_any_case() {
    let config = accepted(
        "[sign_in]\nrequire_second_factor = [\"Owner\", \" office staff \"]\n\
         second_factor_grace = \"off\"",
        &[],
    );
    let required = &config.sign_in.second_factor;
    assert_eq!(
        (required.roles.as_slice(), required.grace),
        (["owner", "office staff"].map(String::from).as_slice(), None)
    );
    assert!(accepted("", &[]).sign_in.second_factor.roles.is_empty(), "nobody must, at first");
}

#[test]
fn an_unknown_name_is_a_fault() {
    check(
        "[server]\nlisten_on = \"127.0.0.1:1\"\n[metric]\nlisten = \"x\"\n",
        &[
            ("PORTCULLIS__MAIL__FORM", "x"),
            ("PORTCULLIS__server__LISTEN", "x"),
            ("PORTCULLIS__X", "x"),
        ],
        &[
            "2: server.listen_on: there is no such key; accepted: listen, public_url, data_dir, \
             secret_file, trusted_proxies, tls_cert, tls_key",
            &format!("3: metric: there is no such section; accepted: {SECTION_NAMES}"),
            "PORTCULLIS__MAIL__FORM: mail.form: there is no such key; accepted: transport, tls_ca, from",
            &format!(
                "PORTCULLIS__X: there is no such setting; accepted: PORTCULLIS__SECTION__KEY with \
                 a section of {SECTION_NAMES}"
            ),
            &format!(
                "PORTCULLIS__server__LISTEN: there is no such setting; accepted: \
                 PORTCULLIS__SECTION__KEY with a section of {SECTION_NAMES}"
            ),
        ],
    );
    check("", &[("PORTCULLIS_TEST", "of somebody else"), ("HOME", "/")], &[]);
}

#[test]
fn every_fault_is_listed_at_once() {
    let nonsense = |kind| if kind == Kind::List { "?" } else { "" };
    let variables: Vec<(String, String)> = SECTIONS
        .iter()
        .flat_map(|section| section.keys.iter().map(move |key| (section, key)))
        .map(|(section, key)| {
            let name = format!("PORTCULLIS__{}__{}", section.name, key.name).to_uppercase();
            (name, nonsense(key.kind).to_owned())
        })
        .collect();
    let faults = Config::load(None, variables.iter().cloned()).unwrap_err();
    let named: Vec<String> = faults.iter().map(|fault| fault.key.clone()).collect();
    for section in SECTIONS {
        for key in section.keys {
            assert!(named.contains(&format!("{}.{}", section.name, key.name)), "{}", key.name);
        }
    }
    assert_eq!(named.len(), variables.len());
}

#[test]
fn broken_toml_hides_no_other_fault() {
    let faults = load("[server]\nlisten = \"abc\"\nlisten = \"127.0.0.1:1\"\n[mail\n", &[]);
    let lines = faults.unwrap_err().to_string();
    assert!(lines.contains(":4: this is not TOML"), "{lines}");
    assert!(lines.contains(":3: this is not TOML (duplicate key)"), "{lines}");
    let missing = load_at(Some(Path::new("/nowhere/portcullis.toml")), &[]).unwrap_err();
    assert!(missing.to_string().starts_with("/nowhere/portcullis.toml: the file cannot be read"));
}

#[test]
fn the_environment_wins_and_spells_lists_with_commas() {
    let config = accepted(
        "[server]\nlisten = \"127.0.0.1:1\"\ntrusted_proxies = []\n[tokens]\none_api_token = false",
        &[
            ("PORTCULLIS__SERVER__LISTEN", "127.0.0.1:0"),
            ("PORTCULLIS__SERVER__TRUSTED_PROXIES", "10.0.0.1, 192.168.0.0/16"),
            ("PORTCULLIS__TOKENS__ONE_API_TOKEN", "true"),
            ("PORTCULLIS__GATE__FAMILIES", "z"),
        ],
    );
    assert_eq!(config.server.listen.port(), 0);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert!(config.tokens.one_api_token);
    assert!(!config.gate.families.p && !config.gate.families.s && config.gate.families.z);
}

#[test]
fn a_secret_may_stand_in_a_file_and_is_never_shown() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("database-url");
    fs::write(&secret, "postgres://gate:hunter2@db/gate\n").unwrap();
    let variable = ("PORTCULLIS__DATABASE__URL_FILE", secret.to_str().unwrap());
    let config = accepted("[database]\nurl = \"sqlite:other.db\"", &[variable]);
    let Database::Postgres(url) = &config.database else { panic!("not PostgreSQL") };
    assert_eq!(url.as_str(), "postgres://gate:hunter2@db/gate");
    assert!(!format!("{config:?}").contains("hunter2"));

    let wrong = "2: database.url: the value (a secret) is not accepted; accepted: sqlite:FILE, or \
                 postgres://USER:PASSWORD@HOST/NAME";
    check("[database]\nurl = \"mysql://gate:hunter2@db/gate\"", &[], &[wrong]);
    check("[database]\nurl = \"sqlite::memory:\"", &[], &[wrong]);
    check(
        "[database]\nurl = \"sqlite:a\"\nurl_file = \"/nowhere\"",
        &[],
        &["3: database.url_file: the value is given twice; accepted: url or url_file"],
    );
    let missing = load("[database]\nurl_file = \"/nowhere\"", &[]).unwrap_err().to_string();
    assert!(missing.contains("database.url_file: the file cannot be read"), "{missing}");
}

#[test]
fn sections_must_agree() {
    let elsewhere =
        "[server]\npublic_url = \"https://app.example.org\"\n[mail]\ntransport = \"file:m\"\n";
    check(elsewhere, &[], &[]);
    check(&format!("{elsewhere}[cookies]\nprofile = \"hardened\""), &[], &[]);
    check(&format!("{elsewhere}[cookies]\ndomain = \"example.org\""), &[], &[]);
    check(
        "[cookies]\nprofile = \"hardened\"",
        &[],
        &["2: cookies.profile: hardened cookies need https, and server.public_url is \
           http://127.0.0.1:8080; accepted: compat, or an https public_url"],
    );
    check(
        &format!("{elsewhere}[cookies]\nprofile = \"hardened\"\ndomain = \"example.org\""),
        &[],
        &[
            "7: cookies.domain: the __Host- names of hardened cookies forbid a domain; accepted: no \
           domain, or profile = \"compat\"",
        ],
    );
    check(
        &format!("{elsewhere}[cookies]\ndomain = \"ple.org\""),
        &[],
        &["6: cookies.domain: ple.org is not the domain of server.public_url, \
           https://app.example.org; accepted: the host of public_url, or a domain above it"],
    );
    check(
        "[server]\npublic_url = \"https://app.example.org\"",
        &[],
        &["mail.transport: mail would stay in files here, while server.public_url is \
           https://app.example.org; accepted: a mail server, or transport = \"file:outbox\" written \
           out, if that is meant"],
    );
}

#[test]
fn a_public_url_is_an_origin() {
    let refused = |url: &str| {
        let outcome = load(&format!("[server]\npublic_url = {url:?}"), &[]);
        let names_it = |faults: Faults| faults.iter().any(|fault| fault.key == "server.public_url");
        outcome.is_err_and(names_it)
    };
    let urls = [
        "app.example.org",
        "ftp://app.example.org",
        "https://app.example.org/gate",
        "https://app.example.org/?a",
        "https://app.example.org/#a",
        "https://user@app.example.org",
        "https://",
    ];
    for url in urls {
        assert!(refused(url), "{url}");
    }
    assert!(!refused("http://localhost:8080"));
    let server = accepted("[server]\nlisten = \"0.0.0.0:0\"", &[]).server;
    let bound = "0.0.0.0:4000".parse().unwrap();
    assert_eq!(server.public_url_at(bound).to_string(), "http://127.0.0.1:4000");
}

#[test]
fn tls_needs_both_files_and_an_https_address() {
    let cert = "[server]\ntls_cert = \"c.pem\"";
    let both = format!("{cert}\ntls_key = \"k.pem\"");
    let server = accepted(&both, &[]).server;
    assert_eq!(server.public_url_at(server.listen).to_string(), "https://127.0.0.1:8080");
    accepted(&format!("{both}\n[cookies]\nprofile = \"hardened\""), &[]);
    accepted(&format!("{both}\npublic_url = \"https://localhost\""), &[]);
    check(cert, &[], &["2: server.tls_cert: tls_key is missing; accepted: both, or neither"]);
    check(
        "[server]\ntls_key = \"k.pem\"",
        &[],
        &["2: server.tls_key: tls_cert is missing; accepted: both, or neither"],
    );
    check(
        &format!("{both}\npublic_url = \"http://localhost\""),
        &[],
        &["4: server.public_url: http://localhost is not where server.tls_cert serves; accepted: \
           an https address, or no tls_cert and tls_key"],
    );
}

#[test]
fn weak_hashing_is_refused() {
    let with = |memory: u32, iterations: u32| {
        format!("[password]\nargon2_memory_kib = {memory}\nargon2_iterations = {iterations}")
    };
    for (memory, iterations) in [(47_104, 1), (19_456, 2), (12_288, 3), (12_288, 9)] {
        check(&with(memory, iterations), &[], &[]);
    }
    for (memory, iterations, floor) in [(47_103, 1, 47_104), (19_455, 2, 19_456)] {
        check(
            &with(memory, iterations),
            &[],
            &[&format!(
                "2: password.argon2_memory_kib: {memory} is too little with argon2_iterations = \
                 {iterations}; accepted: {floor} or more"
            )],
        );
    }
    let faults = load(&with(12_287, 3), &[]).unwrap_err();
    assert_eq!(faults.iter().count(), 1);
}

#[test]
fn the_sample_loads_and_changes_nothing() {
    let text = sample();
    let from_sample = accepted(&text, &[]);
    let from_nothing = load_at(None, &[]).unwrap();
    assert_eq!(format!("{from_sample:?}"), format!("{from_nothing:?}"));
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
}

/// Every example is accepted, when it is put in force.
#[test]
fn the_sample_loads_with_every_example() {
    let mut text = String::new();
    for line in sample().lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_example = bare.starts_with("[[") || examples().any(|example| example == bare);
        text += if is_example { bare } else { line };
        text.push('\n');
    }
    let config = accepted(&text, &[]);
    assert_eq!(config.server.secret_file, PathBuf::from("/etc/portcullis/secret"));
    assert_eq!(config.gate.rules.rules().len(), 1);
    assert_eq!(config.audit.webhooks.len(), 1);
    assert_eq!(config.integrity.roots.len(), 1);
    let is_ours = format!("{:?}", config.integrity.rules).contains("\"languages\"");
    assert!(is_ours, "{:?}", config.integrity.rules);
}

fn examples() -> impl Iterator<Item = String> {
    let keys = SECTIONS.iter().chain(TABLES).flat_map(|section| section.keys);
    keys.filter_map(|key| match key.default {
        Default::Is(_) => None,
        Default::Follows { example, .. } | Default::Required { example } => {
            Some(format!("{} = {example}", key.name))
        }
    })
}

#[test]
fn the_reference_names_every_key() {
    let text = reference();
    for section in SECTIONS.iter().chain(TABLES) {
        for key in section.keys {
            assert!(text.contains(&format!("| `{}` |", key.name)), "{}", key.name);
        }
    }
}
