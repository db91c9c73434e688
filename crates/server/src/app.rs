//! Everything that a request needs, built once in `main` (or in a test) and cloned cheaply.
//! There are no globals.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use portcullis_domain::client_address::Network;
use portcullis_domain::csrf::{self, Binding, Kind};
use portcullis_domain::id::{KeyId, UserId};
use portcullis_domain::origin::{self, Origin};
use portcullis_domain::redirect::Next;
use portcullis_domain::secret::{KeyFault, Keys, MasterSecret};
use portcullis_store::Db;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backups;
use crate::breach::Breach;
use crate::clock::Clock;
use crate::config::{Config, Profile};
use crate::flows::audit::{AuditLog, Making};
use crate::gate::forward::Forwarder;
use crate::gate::{Assertions, BadUpstream, Upstreams};
use crate::geo::Geo;
use crate::hasher::Hasher;
use crate::key_usage::KeyUsage;
use crate::live_limits::LiveLimits;
use crate::mail::{Mailer, MailerFault};
use crate::outgoing::TrustFault;
use crate::probe::Probes;
use crate::random::Random;
use crate::record::Recorder;
use crate::signing_keys;
use crate::spend::Spender;
use crate::telemetry::Telemetry;
use crate::tls::{Tls, TlsFault};
use crate::verify::access_token::AccessTokens;
use crate::verify::{Toucher, Verifier};
use crate::web::cookies::{CSRF_COOKIE_LIFE, CookieStyle};
use crate::web::hosts::{Hosts, origins_of_rules};
use crate::web::limits::RequestLimiter;
use crate::web::table::RouteTable;
use crate::webhooks::{ClientFault, Webhooks};

/// Sessions that slide end this long after they began, at the latest.
const RENEWED_SESSIONS: Duration = Duration::from_hours(90 * 24);

/// The application. Clones share everything.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What the application is made of.
pub struct Parts {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub random: Random,
    /// The name of this process among those over the same database, chosen anew at every start.
    pub node: String,
    pub keys: Keys,
    pub hasher: Hasher,
    pub verifier: Arc<Verifier>,
    pub access_tokens: AccessTokens,
    /// How it stands with the keys of access tokens.
    pub signing_keys: signing_keys::Standing,
    pub spender: Spender,
    pub recorder: Recorder,
    pub audit: AuditLog,
    /// What was seen of the requests of `doctor`.
    pub probes: Probes,
    /// The limits that are in force.
    pub limits: LiveLimits,
    pub limiter: RequestLimiter,
    /// The same limit for each account.
    pub account_limiter: RequestLimiter<UserId>,
    pub upstream_limiter: RequestLimiter,
    /// Each API key's own limit.
    pub key_limiter: RequestLimiter<KeyId>,
    pub key_usage: KeyUsage,
    /// How many refusals of one stranger are written down; what nobody signed in for must not
    /// fill the store.
    pub stranger_limiter: RequestLimiter,
    pub forwarder: Forwarder,
    pub mailer: Mailer,
    /// How it stands with backups.
    pub backups: backups::Standing,
    /// Other systems that are sent what happens.
    pub webhooks: Webhooks,
    pub telemetry: Telemetry,
    pub cookies: CookieStyle,
    pub routes: RouteTable,
    /// The address that people type.
    pub public_url: Origin,
    /// The origins that are this server.
    pub own_origins: Vec<Origin>,
    /// The other origins that a sign-in may lead to.
    pub next_origins: Vec<Origin>,
    pub hosts: Hosts,
    pub upstreams: Upstreams,
    pub assertions: Assertions,
    /// Where breached passwords are known.
    pub breach: Breach,
    /// Where addresses are.
    pub geo: Geo,
    /// `None` where plain HTTP is spoken.
    pub tls: Option<Tls>,
    /// Work that outlives its request; shutdown waits for it.
    pub tasks: TaskTracker,
    /// Says that the server is shutting down.
    pub stopping: CancellationToken,
}

/// Why the application could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Keys(#[from] KeyFault),
    #[error(transparent)]
    Upstream(#[from] BadUpstream),
    #[error("the password threads could not be started")]
    Threads(#[source] std::io::Error),
    #[error("mail cannot be sent by this configuration")]
    Mail(#[from] MailerFault),
    #[error(transparent)]
    Webhook(#[from] ClientFault),
    #[error(transparent)]
    Tls(#[from] TlsFault),
    #[error("the client for the range service could not be built")]
    Breach(#[source] TrustFault),
    #[error("the client for upstreams could not be built")]
    Forwarder,
}

/// What [`App::build`] needs from outside.
pub struct Outside {
    pub config: Config,
    pub db: Db,
    pub secret: MasterSecret,
    pub clock: Clock,
    /// Where the listener is bound.
    pub listening: SocketAddr,
}

impl App {
    /// Builds the application and starts its background work.
    pub fn build(outside: Outside) -> Result<Self, BuildError> {
        let Outside { config, db, secret, clock, listening } = outside;
        let public_url = config.server.public_url_at(listening);
        let own_origins = origin::own_origins(Some(&public_url), listening);
        let mut next_origins = origins_of_rules(&public_url, &config.gate.rules);
        next_origins.extend(config.sign_in.redirect_origins.iter().cloned());
        let issuer = public_url.to_string();
        let keys = Keys::derive(&secret)?;
        let random = Random;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let tasks = TaskTracker::new();
        let (spender, spending) = Spender::new(db.clone());
        let (recorder, recording) = Recorder::new(db.clone(), random);
        spawn(&tasks, spending);
        spawn(&tasks, recording);
        let making = Making::of(&config, &public_url, db.clone(), keys.audit.clone(), random);
        let audit = AuditLog::new(making);
        let (toucher, touching) = Toucher::new(db.clone());
        spawn(&tasks, touching);
        let telemetry = Telemetry::new(config.log.requests);
        let times = telemetry.metrics.hash_times();
        let hasher = Hasher::start(threads, config.password.argon2, times);
        let verifier = Verifier::new(config.session.revocation_bound, toucher);
        let verifier = Arc::new(verifier.watched_by(&telemetry));
        // Weakly: what the verifier has started holds the database, too.
        let told = Arc::downgrade(&verifier);
        db.on_invalidation(move |changes| {
            let Some(verifier) = told.upgrade() else { return };
            for what in changes {
                verifier.invalidate(*what);
            }
        });
        let breach = Breach::new(&config.breach).map_err(BuildError::Breach)?;
        let parts = Parts {
            hasher: hasher.map_err(BuildError::Threads)?,
            verifier,
            access_tokens: AccessTokens::new(&issuer, config.tokens.access, &keys),
            signing_keys: signing_keys::Standing::default(),
            limits: LiveLimits::new(config.limits.configured),
            limiter: RequestLimiter::new(),
            key_limiter: RequestLimiter::new(),
            key_usage: KeyUsage::default(),
            account_limiter: RequestLimiter::new(),
            upstream_limiter: RequestLimiter::new(),
            stranger_limiter: RequestLimiter::new(),
            forwarder: Forwarder::new().map_err(|_| BuildError::Forwarder)?,
            mailer: Mailer::new(&config.mail)?,
            backups: backups::Standing::default(),
            webhooks: Webhooks::new(&config.audit.webhooks)?,
            cookies: CookieStyle::new(&config.cookies, public_url.is_https()),
            routes: RouteTable::new(config.gate.families),
            stopping: CancellationToken::new(),
            hosts: Hosts::new(&own_origins, &config.gate.rules),
            upstreams: Upstreams::new(&config.gate)?,
            assertions: Assertions::default(),
            breach: breach.counted_by(&telemetry),
            geo: Geo::open(config.geo.database.as_deref()),
            tls: config.server.tls.as_ref().map(Tls::new).transpose()?,
            node: random.row_id(clock.now()),
            config,
            db,
            clock,
            random,
            keys,
            spender,
            recorder,
            audit,
            telemetry,
            probes: Probes::default(),
            public_url,
            own_origins,
            next_origins,
            tasks,
        };
        Ok(Self(Arc::new(parts)))
    }

    /// Where somebody may be sent after signing in; `None` if not there.
    pub fn next(&self, text: &str) -> Option<Next> {
        Next::parse(text, &self.own_origins, &self.next_origins)
    }

    /// How long a spent one-time token must be remembered: as long as any session may live.
    pub fn longest_life(&self) -> Duration {
        let lives = self.config.lifetimes();
        let longest = [lives.absolute, lives.api, lives.mobile, lives.access];
        longest.into_iter().fold(RENEWED_SESSIONS, Duration::max)
    }

    /// How long a CSRF token made without a session lives: as its cookie, or half a day where the
    /// cookies are hardened.
    pub fn anonymous_csrf_life(&self) -> Duration {
        match self.config.cookies.profile {
            Profile::Compat => CSRF_COOKIE_LIFE,
            Profile::Hardened => Duration::from_hours(12),
        }
    }

    /// A CSRF token of this kind and binding, made now.
    pub fn mint_csrf(&self, kind: Kind, binding: &Binding<'_>) -> String {
        let now = self.clock.now();
        let nonce = csrf::nonce(now, self.random.bytes());
        self.keys.csrf.mint(kind, binding, now, nonce).to_hex()
    }

    /// Begins anew with the requests of an address, on this node; `false` if none were counted.
    pub fn forget_requests(&self, network: Network) -> bool {
        let own = self.limiter.forget(network);
        self.upstream_limiter.forget(network) || own
    }

    /// Starts work that shutdown waits for.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        spawn(&self.tasks, work);
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The one place that starts tasks.
fn spawn(tasks: &TaskTracker, work: impl Future<Output = ()> + Send + 'static) {
    tasks.spawn(work);
}
