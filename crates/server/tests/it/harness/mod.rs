//! Builds the real server on a fresh database, behind a real socket, with a clock that the test
//! moves. Every test runs on SQLite, and on PostgreSQL when `TEST_POSTGRES_URL` names a server.

pub(crate) mod client;
pub(crate) mod database;
pub(crate) mod factors;
pub(crate) mod letters;
pub(crate) mod mmdb;
pub(crate) mod people;
pub(crate) mod program;
pub(crate) mod raw;
pub(crate) mod receiver;
pub(crate) mod relay;
pub(crate) mod revoking;
pub(crate) mod upstream;

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use portcullis_domain::password::Params;
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_domain::time::Time;
use portcullis_server::app::{App, Outside};
use portcullis_server::clock::Clock;
use portcullis_server::config::Config;
use portcullis_server::{jobs, serve, signing_keys};
use portcullis_store::events::{self, EventFilter, StoredEvent};
use portcullis_store::{Db, migrate, roles};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use client::Client;
use database::{Database, Kind};
use upstream::Upstream;

/// What a server under test takes for its program: every start reads all of it, and the program of the
/// tests is large.
pub(crate) const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// For a configuration without a section `[breach]`, before its first section: by default, every new
/// password is asked for far away.
pub(crate) const OF_THIS_MACHINE_ALONE: &str = "breach.sources = [\"list\"]\n";

/// A server under test. Dropping it stops it and throws its database away.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) address: SocketAddr,
    pub(crate) upstream: Upstream,
    pub(crate) kind: Kind,
    pub(crate) data_dir: PathBuf,
    stop: CancellationToken,
    database: Database,
}

/// How a test wants its server.
#[derive(Clone, Default)]
pub(crate) struct Setup {
    /// TOML put after the usual configuration; sections of it replace the usual ones.
    pub(crate) config: String,
    /// What passwords are hashed with, where the cheapest will not do.
    pub(crate) argon2: Option<Params>,
    /// As it is served: by the machine's clock, and with its jobs.
    pub(crate) is_served: bool,
    /// Where the server of its database is to be found, if not where it is.
    pub(crate) through: Option<SocketAddr>,
}

impl Setup {
    /// With this TOML beside the usual configuration.
    pub(crate) fn with(config: &str) -> Self {
        Self { config: config.to_owned(), ..Self::default() }
    }

    /// As it is served: by the machine's clock, and with its jobs.
    pub(crate) fn served() -> Self {
        Self { is_served: true, ..Self::default() }
    }
}

/// Runs a test on each database, with the usual configuration.
pub(crate) async fn on_each_database(test: impl AsyncFn(&TestApp)) {
    on_each_database_with(Setup::default(), test).await;
}

/// Runs a test on each database.
pub(crate) async fn on_each_database_with(setup: Setup, test: impl AsyncFn(&TestApp)) {
    for kind in database::kinds() {
        let app = TestApp::start(kind, &setup).await;
        test(&app).await;
        app.finish().await;
    }
}

impl TestApp {
    /// Starts a server on a fresh database.
    pub(crate) async fn start(kind: Kind, setup: &Setup) -> Self {
        let database = Database::migrated(kind).await;
        Self::start_on(kind, database, setup).await
    }

    /// A second node on the database of this one, with the same secret and a clock of its own.
    pub(crate) async fn second_node(&self, setup: &Setup) -> Self {
        let node = Self::start_on(self.kind, self.database.shared(), setup).await;
        node.advance(self.app.clock.now().since(node.app.clock.now()));
        node
    }

    /// Starts a server on a database that is there already.
    pub(crate) async fn start_on(kind: Kind, database: Database, setup: &Setup) -> Self {
        let upstream = Upstream::start().await;
        let config = config(&database, &upstream, setup);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let secret = MasterSecret::from_random([7; 32]);
        let db = Db::open(&database.options(setup.through)).await.unwrap();
        let clock = if setup.is_served { Clock::system() } else { Clock::fake(start_time()) };
        let seal_check = Keys::derive(&secret).unwrap().seal_check();
        let options = migrate::MigrateOptions { seal_check, now: clock.now() };
        migrate::run(&db, &options).await.unwrap();
        let mut tx = db.write().await.unwrap();
        roles::ensure_built_in(&mut tx, clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        let data_dir = database.directory();
        let app = App::build(Outside { config, db, secret, clock, listening: address }).unwrap();
        app.limits.refresh(&app.db).await.unwrap();
        signing_keys::keep(&app).await.unwrap();
        if setup.is_served {
            jobs::start(&app);
        }
        let stop = CancellationToken::new();
        spawn(serve::serve(app.clone(), PROGRAM.into(), listener, stop.clone()));
        Self { app, address, upstream, kind, data_dir, stop, database }
    }

    /// The same database, as another program would open it.
    pub(crate) async fn another_handle(&self) -> Db {
        Db::open(&self.database.options(None)).await.unwrap()
    }

    /// The address of its database.
    pub(crate) fn database_url(&self) -> String {
        self.database.url()
    }

    /// Where the server of its database listens, if it has one.
    pub(crate) fn database_server(&self) -> Option<SocketAddr> {
        self.database.server()
    }

    /// Somebody with a cookie jar of their own and no credential.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Moves the server's clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        self.app.clock.advance(by);
    }

    /// Moves the server's clock to the real time, where a database with a clock of its own looks.
    pub(crate) fn catch_up(&self) {
        self.advance(start_time().since(self.app.clock.now()));
    }

    /// The events of this name, newest first. Events of refusals are written a moment later, so
    /// this waits for at least `count` of them, up to five seconds.
    pub(crate) async fn events(&self, name: &str, count: usize) -> Vec<StoredEvent> {
        for _ in 0..200 {
            let filter = EventFilter { name: Some(name.to_owned()), subject: None, limit: 10_000 };
            let mut tx = self.app.db.read().await.unwrap();
            let found = events::list(&mut tx, &self.app.keys.audit, &filter).await.unwrap();
            drop(tx);
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("fewer than {count} events named {name}");
    }

    /// Asks the server to stop, and gives it time to let requests in flight finish.
    pub(crate) fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// What `serve` would have made: the secret of every server under test as a file, in a directory
    /// of its own.
    pub(crate) fn write_secret(&self) {
        let file = self.data_dir.join("secret");
        std::fs::write(&file, "07".repeat(32)).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        std::fs::set_permissions(&self.data_dir, Permissions::from_mode(0o700)).unwrap();
    }

    /// Everything that the server has kept so far, byte for byte.
    pub(crate) async fn everything_written(&self) -> Vec<u8> {
        self.database.everything_written().await
    }

    /// Stops it and throws its database away, unless another node has it.
    pub(crate) async fn finish(self) {
        self.stop.cancel();
        let Self { app, database, .. } = self;
        let tasks = app.tasks.clone();
        app.stopping.cancel();
        let db = app.db.clone();
        drop(app);
        tasks.close();
        // What is stuck must not hold up the next test.
        drop(tokio::time::timeout(Duration::from_secs(5), tasks.wait()).await);
        db.close().await;
        database.throw_away().await;
    }
}

/// A round time in the future of nothing, so that dates in answers are easy to read.
fn start_time() -> Time {
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap();
    Time(i64::try_from(since_epoch.as_millis()).unwrap())
}

fn config(database: &Database, upstream: &Upstream, setup: &Setup) -> Config {
    let file = database.directory().join("portcullis.toml");
    let text = usual_config(database, upstream);
    std::fs::write(&file, merge(&text, &setup.config)).unwrap();
    let mut config = Config::load(Some(&file), std::iter::empty()).unwrap_or_else(|faults| {
        panic!("{faults}");
    });
    // The cheapest parameters that Argon2 takes: the tests are not about its cost.
    let cheapest = Params { memory_kib: 8, iterations: 1, parallelism: 1 };
    config.password.argon2 = setup.argon2.unwrap_or(cheapest);
    config
}

fn usual_config(database: &Database, upstream: &Upstream) -> String {
    let directory = database.directory();
    format!(
        r#"
        [server]
        listen = "127.0.0.1:0"
        data_dir = "{directory}"

        [database]
        url = "{url}"

        [limits]
        login = "off"
        sensitive = "off"
        lockout = "off"
        requests = "off"

        [breach]
        sources = ["list"]

        [gate]
        upstream = "http://{upstream}"
        rule = [
            {{ id = "public", path = "/public", allow = "anyone" }},
            {{ id = "home", path = "/", allow = "signed_in" }},
            {{ id = "jobs", path = "/api/jobs", allow = {{ permission = "api.jobs.manage.manage" }} }},
            {{ id = "leads", path = "/api/leads", methods = ["GET"], allow = {{ permission = "api.leads.list" }} }},
            {{ id = "projects", path = "/api/projects", allow = {{ permission = "api.projects.manage" }} }},
            {{ id = "admin", path = "/admin", allow = {{ account_type = "staff" }} }},
            {{ id = "forms", path = "/forms", csrf = "origin", allow = "signed_in" }},
        ]
        "#,
        directory = directory.display(),
        url = database.url(),
        upstream = upstream.address,
    )
}

/// Key by key, the test's TOML over the usual.
pub(crate) fn merge(usual: &str, wanted: &str) -> String {
    let mut usual: toml::Table = usual.parse().unwrap();
    let wanted: toml::Table = wanted.parse().unwrap();
    for (section, keys) in wanted {
        match (usual.get_mut(&section), keys) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => old.extend(new),
            (_, keys) => {
                usual.insert(section, keys);
            }
        }
    }
    usual.to_string()
}

/// Tests may start tasks of their own.
#[expect(clippy::disallowed_methods, reason = "a test's own task, which ends with its runtime")]
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}
