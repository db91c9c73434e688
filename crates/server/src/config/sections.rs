//! From written settings to typed sections, each read whole so that no fault hides another.
//!
//! The sections that must agree with each other are compared in `agreement`; `[gate]` and `[mail]` have their own
//! files.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use portcullis_domain::csrf::{AnonymousWithSession, BearerCsrf, FetchedToken, JwtCsrf};
use portcullis_domain::origin::Origin;
use portcullis_domain::password::Params;
use portcullis_domain::place::Confirming;
use portcullis_domain::required_factor::Requirement;
use portcullis_domain::signing_key::Algorithm;
use portcullis_domain::text::{Host, fold};
use url::Url;

use super::fault::{Faults, Reported};
use super::read::Reader;
use super::source::Source;
use super::values::{self, word};
use super::{
    Audit, BackupPlan, Config, Cookies, Csrf, Database, FirstUser, Geo, Limits, Log, LogFormat,
    LoggedRequests, Metrics, Password, Profile, Server, Session, SignIn, TlsFiles, Tokens,
    agreement, breach, gate, integrity, keys, mail, webhook,
};

/// The whole configuration, or every fault of it.
pub(super) fn config(source: &Source, mut faults: Faults) -> Result<Config, Faults> {
    let read = every_section(source, &mut faults);
    match read {
        Ok(config) if faults.is_empty() => Ok(config),
        Ok(_) | Err(Reported) => Err(faults.sorted()),
    }
}

fn every_section(source: &Source, faults: &mut Faults) -> Result<Config, Reported> {
    let server = read(source, "server", faults, server);
    let data_dir = server.as_ref().map_or(Path::new("."), |server| &server.data_dir);
    let database = read(source, "database", faults, |r| database(r, data_dir));
    let cookies = read(source, "cookies", faults, cookies);
    let session = read(source, "session", faults, session);
    let tokens = read(source, "tokens", faults, tokens);
    let csrf = read(source, "csrf", faults, csrf);
    let password = read(source, "password", faults, password);
    let sign_in = read(source, "sign_in", faults, sign_in);
    let limits = read(source, "limits", faults, limits);
    let mail = read(source, "mail", faults, |r| mail::mail(r, data_dir));
    let breach = read(source, "breach", faults, breach::breach);
    let geo = read(source, "geo", faults, geo);
    let audit = read(source, "audit", faults, |r| audit(r, data_dir));
    let webhooks = webhook::webhooks(source, faults);
    let integrity = integrity::integrity(source, faults);
    let gate = gate::gate(source, faults);
    let backup = read(source, "backup", faults, |r| backup(r, data_dir));
    let metrics = read(source, "metrics", faults, metrics);
    let log = read(source, "log", faults, log);
    if let Ok(server) = &server {
        agreement::check(source, server, cookies.as_ref().ok(), faults);
    }
    Ok(Config {
        server: server?,
        database: database?,
        cookies: cookies?,
        session: session?,
        tokens: tokens?,
        csrf: csrf?,
        password: password?,
        sign_in: sign_in?,
        limits: limits?,
        mail: mail?,
        breach: breach?,
        geo: geo?,
        audit: Audit { webhooks: webhooks?, ..audit? },
        integrity: integrity?,
        gate: gate?,
        backup: backup?,
        metrics: metrics?,
        log: log?,
    })
}

/// Reads one section by its name in the table.
pub(super) fn read<T>(
    source: &Source,
    name: &str,
    faults: &mut Faults,
    section: impl FnOnce(&mut Reader<'_>) -> Result<T, Reported>,
) -> Result<T, Reported> {
    let found = keys::section(name).ok_or(Reported)?;
    section(&mut Reader::new(found, source.section(found), faults))
}

/// A cookie of a sign-in by username is renewed, but never lives longer than this.
const LONGEST_USERNAME_LOGIN: Duration = Duration::from_hours(90 * 24);
/// Browsers keep no cookie for longer (RFC 6265bis).
const LONGEST_REMEMBER: Duration = Duration::from_hours(400 * 24);
const LONGEST_REVOCATION_BOUND: Duration = Duration::from_mins(1);

fn server(r: &mut Reader<'_>) -> Result<Server, Reported> {
    let listen = r.one("listen", |text| text.parse().ok());
    let public_url = r.optional("public_url", |text| Origin::parse_url(text).ok());
    let data_dir = r.one("data_dir", values::path);
    let secret_file = r.optional("secret_file", values::path);
    let trusted_proxies = r.list("trusted_proxies", values::network);
    let tls = tls(r);
    let data_dir = data_dir?;
    Ok(Server {
        listen: listen?,
        public_url: public_url?,
        secret_file: secret_file?.unwrap_or_else(|| data_dir.join("secret")),
        data_dir,
        trusted_proxies: trusted_proxies?,
        tls: tls?,
    })
}

/// Both files or none: one alone would silently leave the port without TLS.
fn tls(r: &mut Reader<'_>) -> Result<Option<TlsFiles>, Reported> {
    let cert = r.optional("tls_cert", values::path);
    let key = r.optional("tls_key", values::path);
    match (cert?, key?) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(r.refuse("tls_cert", "tls_key is missing", "both, or neither")),
        (None, Some(_)) => Err(r.refuse("tls_key", "tls_cert is missing", "both, or neither")),
    }
}

fn database(r: &mut Reader<'_>, data_dir: &Path) -> Result<Database, Reported> {
    r.one("url", |text| database_url(text, data_dir))
}

fn database_url(text: &str, data_dir: &Path) -> Option<Database> {
    if let Some(file) = text.strip_prefix("sqlite:") {
        let file = values::path(file.strip_prefix("//").unwrap_or(file))?;
        let is_plain_file = !text.contains('?') && !text.contains(":memory:");
        return is_plain_file.then(|| Database::Sqlite(data_dir.join(file)));
    }
    let url = Url::parse(text).ok()?;
    let is_postgres = matches!(url.scheme(), "postgres" | "postgresql");
    is_postgres.then_some(Database::Postgres(url))
}

fn cookies(r: &mut Reader<'_>) -> Result<Cookies, Reported> {
    let profiles = [("compat", Profile::Compat), ("hardened", Profile::Hardened)];
    let profile = r.one("profile", word(&profiles));
    let domain = r.optional("domain", |text| Host::parse(text).ok());
    Ok(Cookies { profile: profile?, domain: domain? })
}

fn session(r: &mut Reader<'_>) -> Result<Session, Reported> {
    let absolute = r.one("absolute", values::duration);
    let idle = r.one("idle", values::duration);
    let remember = r.one_or_off("remember", |text| {
        values::duration(text).filter(|life| *life <= LONGEST_REMEMBER)
    });
    let username_login = r.one_or_off("username_login", |text| {
        values::duration(text).filter(|life| *life <= LONGEST_USERNAME_LOGIN)
    });
    let revocation_bound = r.one("revocation_bound", |text| match text {
        "0s" => Some(Duration::ZERO),
        _ => values::duration(text).filter(|bound| *bound <= LONGEST_REVOCATION_BOUND),
    });
    Ok(Session {
        absolute: absolute?,
        idle: idle?,
        remember: remember?,
        username_login: username_login?,
        revocation_bound: revocation_bound?,
    })
}

fn tokens(r: &mut Reader<'_>) -> Result<Tokens, Reported> {
    let api = r.one("api", values::duration);
    let mobile = r.one("mobile", values::duration);
    let mobile_idle = r.one_or_off("mobile_idle", values::duration);
    let access = r.one("access", values::duration);
    let one_api_token = r.one("one_api_token", values::switch);
    let signing = r.one("signing", Algorithm::parse);
    let rotate_every = r.one_or_off("rotate_every", |text| {
        values::duration(text).filter(|every| *every >= Duration::from_hours(1))
    });
    Ok(Tokens {
        api: api?,
        mobile: mobile?,
        mobile_idle: mobile_idle?,
        access: access?,
        one_api_token: one_api_token?,
        signing: signing?,
        rotate_every: rotate_every?,
    })
}

fn csrf(r: &mut Reader<'_>) -> Result<Csrf, Reported> {
    let fetched = [
        ("one_time", FetchedToken::OneTime),
        ("first_reusable", FetchedToken::FirstReusable),
        ("session", FetchedToken::Session),
    ];
    let bearer = [("require", BearerCsrf::Require), ("exempt", BearerCsrf::Exempt)];
    let jwt = [("browser", JwtCsrf::Browser), ("exempt", JwtCsrf::Exempt)];
    let anonymous =
        [("compat", AnonymousWithSession::Compat), ("strict", AnonymousWithSession::Strict)];
    let fetched_token = r.one("fetched_token", word(&fetched));
    let bearer = r.one("bearer", word(&bearer));
    let jwt = r.one("jwt", word(&jwt));
    let anonymous_with_session = r.one("anonymous_with_session", word(&anonymous));
    Ok(Csrf {
        fetched_token: fetched_token?,
        bearer: bearer?,
        jwt: jwt?,
        anonymous_with_session: anonymous_with_session?,
    })
}

fn password(r: &mut Reader<'_>) -> Result<Password, Reported> {
    let length = |text: &str| values::whole_number(text).filter(|n| (8..=64).contains(n));
    let min_length = r.one("min_length", length);
    let with_factor = r.one("min_length_with_second_factor", length);
    let memory_kib = r.one("argon2_memory_kib", |text| {
        values::whole_number(text).filter(|n| (12_288..=1_048_576).contains(n))
    });
    let iterations = r.one("argon2_iterations", |text| {
        values::whole_number(text).filter(|n| (1..=64).contains(n))
    });
    let parallelism = r.one("argon2_parallelism", |text| {
        values::whole_number(text).filter(|n| (1..=16).contains(n))
    });
    let argon2 =
        Params { memory_kib: memory_kib?, iterations: iterations?, parallelism: parallelism? };
    let floor = argon2_floor_kib(argon2.iterations);
    if argon2.memory_kib < floor {
        let found = format!(
            "{} is too little with argon2_iterations = {}",
            argon2.memory_kib, argon2.iterations
        );
        return Err(r.refuse("argon2_memory_kib", &found, &format!("{floor} or more")));
    }
    let (full, with_factor) = (min_length?, with_factor?);
    if with_factor > full {
        let found = format!("{with_factor} is more than min_length");
        return Err(r.refuse("min_length_with_second_factor", &found, &format!("{full} or less")));
    }
    Ok(Password { min_length: full, min_length_with_second_factor: with_factor, argon2 })
}

/// The least memory by OWASP's Password Storage Cheat Sheet and ASVS 5.0 appendix C.
fn argon2_floor_kib(iterations: u32) -> u32 {
    match iterations {
        0 | 1 => 47_104,
        2 => 19_456,
        3.. => 12_288,
    }
}

/// A mail takes its time to arrive; and what waits in a mailbox must not wait for long.
const MAGIC_LINK: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(1);

fn sign_in(r: &mut Reader<'_>) -> Result<SignIn, Reported> {
    let confirm = r.one("confirm_new_place", values::switch);
    let magic_link = r.one_or_off("magic_link", |text| {
        values::duration(text).filter(|life| MAGIC_LINK.contains(life))
    });
    let trusted_origins = r.list("trusted_origins", |text| Origin::parse(text).ok());
    let redirect_origins = r.list("redirect_origins", |text| Origin::parse(text).ok());
    let words = [("off", FirstUser::Off), ("local", FirstUser::Local)];
    let first_user = r.one("first_user", word(&words));
    let step_up = r.one("step_up", |text| text.parse().ok());
    let roles = r.list("require_second_factor", |text| {
        Some(fold(text.trim())).filter(|name| name.chars().any(char::is_alphanumeric))
    });
    let grace = r.one_or_off("second_factor_grace", values::duration);
    Ok(SignIn {
        confirm_new_place: if confirm? { Confirming::On } else { Confirming::Off },
        magic_link: magic_link?,
        trusted_origins: trusted_origins?,
        redirect_origins: redirect_origins?,
        first_user: first_user?,
        step_up: step_up?,
        second_factor: Requirement { roles: roles?, grace: grace? },
    })
}

fn limits(r: &mut Reader<'_>) -> Result<Limits, Reported> {
    let login = r.one_or_off("login", values::limit);
    let sensitive = r.one_or_off("sensitive", values::limit);
    let lockout = r.one_or_off("lockout", values::limit);
    let requests = r.one_or_off("requests", values::limit);
    let upstream = r.one_or_off("upstream", values::limit);
    let body = r.one("body", values::size);
    let configured = portcullis_domain::limits::Limits {
        login: login?,
        sensitive: sensitive?,
        lockout: lockout?,
        requests: requests?,
        upstream: upstream?,
    };
    Ok(Limits { configured, body: body? })
}

fn geo(r: &mut Reader<'_>) -> Result<Geo, Reported> {
    Ok(Geo { database: r.optional("database", values::path)? })
}

fn audit(r: &mut Reader<'_>, data_dir: &Path) -> Result<Audit, Reported> {
    let origin = r.optional("origin", |text| is_origin(text).then(|| text.to_owned()));
    let anchor = r.optional("anchor", values::path);
    let keep_personal = r.one_or_off("keep_personal", values::duration);
    let verify_every = r.one_or_off("verify_every", values::duration);
    Ok(Audit {
        origin: origin?,
        anchor: anchor?.unwrap_or_else(|| data_dir.join("audit/checkpoint")),
        keep_personal: keep_personal?,
        verify_every: verify_every?,
        webhooks: Vec::new(),
    })
}

/// What may be the name of a key and the first line of a checkpoint (C2SP signed-note).
fn is_origin(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b'+')
}

fn backup(r: &mut Reader<'_>, data_dir: &Path) -> Result<Option<BackupPlan>, Reported> {
    const SHORTEST: Duration = Duration::from_mins(5);
    let directory = r.optional("directory", values::path);
    let every = r.one("every", |text| values::duration(text).filter(|every| *every >= SHORTEST));
    let keep = r.one("keep", |text| {
        values::whole_number::<usize>(text).filter(|n| (1..=10_000).contains(n))
    });
    let (directory, every, keep) = (directory?, every?, keep?);
    let plan = |directory| BackupPlan { directory, every, keep };
    Ok(directory.map(|directory| plan(data_dir.join(directory))))
}

fn metrics(r: &mut Reader<'_>) -> Result<Metrics, Reported> {
    Ok(Metrics { listen: r.optional("listen", |text| text.parse().ok())? })
}

fn log(r: &mut Reader<'_>) -> Result<Log, Reported> {
    let which = [
        ("off", LoggedRequests::Off),
        ("refused", LoggedRequests::Refused),
        ("all", LoggedRequests::All),
    ];
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let requests = r.one("requests", word(&which));
    let format = r.one("format", word(&formats));
    Ok(Log { requests: requests?, format: format? })
}
