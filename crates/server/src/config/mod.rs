//! The configuration: one TOML file, overridden key by key from the environment, parsed into types.
//!
//! Not here: the meaning of a setting (that is the module that uses it), and anything read at run
//! time (the secret's file, its mode, the database). `table` is the single table of keys that
//! parsing, `config sample` and the handbook's reference come from.

mod agreement;
mod breach;
mod document;
mod fault;
mod gate;
mod integrity;
mod keys;
mod mail;
mod read;
mod sample;
mod sections;
mod source;
mod starter;
mod table;
#[cfg(test)]
mod tests;
mod values;
mod webhook;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use portcullis_domain::csrf::{AnonymousWithSession, BearerCsrf, FetchedToken, JwtCsrf};
use portcullis_domain::origin::{Origin, Scheme};
use portcullis_domain::password::{Lengths, Params};
use portcullis_domain::place::Confirming;
use portcullis_domain::required_factor::Requirement;
use portcullis_domain::rule::{DefaultRule, RuleTable};
use portcullis_domain::session::Lifetimes;
use portcullis_domain::signing_key::{Algorithm, KeyPlan};
use portcullis_domain::step_up::StepUp;
use portcullis_domain::text::{Email, Host};
use url::Url;

pub use breach::{AtSignIn, Breach, BreachSource};
pub use fault::{Fault, Faults, Place};
pub use integrity::{Integrity, WatchedRoot};
pub use mail::{MailLogin, MailSecurity, SmtpServer};
pub use sample::{reference, sample};
pub use starter::{Starter, public_url, upstream};
pub use webhook::{Webhook, WebhookFormat};

/// Everything that a deployment decides.
#[derive(Debug, Clone)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub cookies: Cookies,
    pub session: Session,
    pub tokens: Tokens,
    pub csrf: Csrf,
    pub password: Password,
    pub sign_in: SignIn,
    pub limits: Limits,
    pub mail: Mail,
    pub breach: Breach,
    pub geo: Geo,
    pub audit: Audit,
    pub integrity: Integrity,
    pub gate: Gate,
    /// `None`: the server makes no backups by itself.
    pub backup: Option<BackupPlan>,
    pub metrics: Metrics,
    pub log: Log,
}

#[derive(Debug, Clone)]
pub struct Server {
    /// Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// As written; [`Server::public_url_at`] is what everything else uses.
    pub public_url: Option<Origin>,
    pub data_dir: PathBuf,
    pub secret_file: PathBuf,
    pub trusted_proxies: Vec<IpNet>,
    /// `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
}

/// The PEM files of TLS.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Where the database is. No `Debug` of the URL: it may hold a password.
#[derive(Clone)]
pub enum Database {
    /// The file, already joined to `data_dir`.
    Sqlite(PathBuf),
    Postgres(Url),
}

#[derive(Debug, Clone)]
pub struct Cookies {
    pub profile: Profile,
    pub domain: Option<Host>,
}

/// The names and attributes of our cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// The documented names: `sessionid`, `csrftoken`.
    Compat,
    /// The same with the `__Host-` prefix, over https only.
    Hardened,
}

#[derive(Debug, Clone)]
pub struct Session {
    pub absolute: Duration,
    pub idle: Duration,
    /// How long a browser that asks for it stays signed in; `None`: none does.
    pub remember: Option<Duration>,
    /// `None`: a sign-in by username lives as long as any other.
    pub username_login: Option<Duration>,
    /// Zero: every request reads the store.
    pub revocation_bound: Duration,
}

#[derive(Debug, Clone)]
pub struct Tokens {
    pub api: Duration,
    pub mobile: Duration,
    pub mobile_idle: Option<Duration>,
    pub access: Duration,
    pub one_api_token: bool,
    /// What new keys sign with.
    pub signing: Algorithm,
    /// `None`: a key signs until somebody says otherwise.
    pub rotate_every: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
pub struct Csrf {
    pub fetched_token: FetchedToken,
    pub bearer: BearerCsrf,
    pub jwt: JwtCsrf,
    pub anonymous_with_session: AnonymousWithSession,
}

#[derive(Debug, Clone)]
pub struct Password {
    /// Unicode code points.
    pub min_length: usize,
    /// The same for people with a second factor; not more.
    pub min_length_with_second_factor: usize,
    pub argon2: Params,
}

impl Password {
    /// How long new ones must be.
    pub fn lengths(&self) -> Lengths {
        Lengths { alone: self.min_length, with_factor: self.min_length_with_second_factor }
    }
}

#[derive(Debug, Clone)]
pub struct Geo {
    /// A MaxMind-format file; `None`: places are not looked up.
    pub database: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub struct Audit {
    /// What the log is called; `None`: a name is made when it begins.
    pub origin: Option<String>,
    /// The file of the last checkpoint.
    pub anchor: PathBuf,
    /// How long personal data stays in the log; `None`: for ever.
    pub keep_personal: Option<Duration>,
    /// How often the whole log is verified; `None`: never.
    pub verify_every: Option<Duration>,
    /// Who is sent what happens.
    pub webhooks: Vec<Webhook>,
}

#[derive(Debug, Clone)]
pub struct SignIn {
    /// Whether a person at a new place is asked for a code.
    pub confirm_new_place: Confirming,
    /// How long a link to sign in is good; `None`: there are none.
    pub magic_link: Option<Duration>,
    /// Other sites whose pages may send unsafe requests.
    pub trusted_origins: Vec<Origin>,
    /// Other sites that a sign-in may lead to.
    pub redirect_origins: Vec<Origin>,
    pub first_user: FirstUser,
    /// Where a fresh sign-in is asked for.
    pub step_up: StepUp,
    /// Who must have a second factor, and from when.
    pub second_factor: Requirement,
}

/// Who may make the first user by a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstUser {
    /// Nobody: the owner comes by the link of `init` or from the command line.
    Off,
    /// A program on this machine.
    Local,
}

#[derive(Debug, Clone)]
pub struct Limits {
    /// Where nobody sets others while the server runs: [`crate::live_limits`] has what is in force.
    pub configured: portcullis_domain::limits::Limits,
    /// Bytes of a body sent to our own endpoints.
    pub body: u64,
}

#[derive(Debug, Clone)]
pub struct Mail {
    pub transport: Transport,
    pub from: Email,
}

/// How mail leaves.
#[derive(Debug, Clone)]
pub enum Transport {
    /// One file a message in this directory, already joined to `data_dir`.
    Directory(PathBuf),
    /// Through a mail server.
    Smtp(SmtpServer),
}

#[derive(Debug, Clone)]
pub struct Gate {
    /// For the rules that name none of their own.
    pub upstream: Option<Url>,
    pub default: DefaultRule,
    /// Bytes of a body that are searched for a CSRF token.
    pub csrf_body: u64,
    pub families: Families,
    pub rules: RuleTable,
}

/// The families of our own paths that are switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Families {
    pub p: bool,
    pub s: bool,
    pub z: bool,
}

/// The backups that the server makes by itself.
#[derive(Debug, Clone)]
pub struct BackupPlan {
    /// Already joined to `data_dir`.
    pub directory: PathBuf,
    pub every: Duration,
    /// How many there are at most, of those that it made.
    pub keep: usize,
}

#[derive(Debug, Clone)]
pub struct Metrics {
    /// `None`: nobody can ask for them.
    pub listen: Option<SocketAddr>,
}

#[derive(Debug, Clone, Copy)]
pub struct Log {
    pub requests: LoggedRequests,
    pub format: LogFormat,
}

/// Which requests have a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedRequests {
    Off,
    /// Those that were answered with 400 or above.
    Refused,
    All,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Reads the file (none: defaults only) and the `PORTCULLIS__SECTION__KEY` variables among `env`,
    /// which win. Every fault is collected before it fails. Apart from the file and the `*_file`
    /// secrets that it names, nothing is touched.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let source = source::read(path, env, &mut faults);
        sections::config(&source, faults)
    }

    /// The limits where the configuration names none.
    pub fn default_limits() -> portcullis_domain::limits::Limits {
        // A test loads the defaults; without them there would be no server.
        let defaults = Self::load(None, std::iter::empty());
        defaults.map(|defaults| defaults.limits.configured).unwrap_or_default()
    }

    /// What is wanted of the keys of access tokens.
    pub fn key_plan(&self) -> KeyPlan {
        KeyPlan {
            algorithm: self.tokens.signing,
            every: self.tokens.rotate_every,
            longest: self.tokens.access,
        }
    }

    /// How long what a sign-in gives lives.
    pub fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            absolute: self.session.absolute,
            idle: self.session.idle,
            username_login: self.session.username_login,
            api: self.tokens.api,
            mobile: self.tokens.mobile,
            mobile_idle: self.tokens.mobile_idle,
            access: self.tokens.access,
        }
    }
}

impl Server {
    /// The address that people type, once the listener is bound: `public_url`, or else the bound
    /// address (this machine where that is every address) by what is spoken there.
    pub fn public_url_at(&self, bound: SocketAddr) -> Origin {
        self.public_url.clone().unwrap_or_else(|| {
            let every_address = bound.ip().is_unspecified();
            let ip = if every_address { Ipv4Addr::LOCALHOST.into() } else { bound.ip() };
            let scheme = if self.tls.is_some() { Scheme::Https } else { Scheme::Http };
            Origin::new(scheme, Host::from_ip(ip), bound.port())
        })
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(file) => f.debug_tuple("Sqlite").field(file).finish(),
            Self::Postgres(_) => f.write_str("Postgres"),
        }
    }
}
