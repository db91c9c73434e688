//! A fresh database for each test, of each kind, and the people in it.

use std::future::Future;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use portcullis_domain::account::AccountType;
use portcullis_domain::audit::personal::AuditKeys;
use portcullis_domain::id::{RoleId, SessionHandle, SessionId, UserId};
use portcullis_domain::role::Level;
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::secret::{Keys, Mac, MasterSecret};
use portcullis_domain::session::{Life, SignInForm};
use portcullis_domain::text::{Email, Name, Username};
use portcullis_domain::time::Time;
use portcullis_store::credentials::{CredentialKind, NewCredential};
use portcullis_store::migrate::{Applied, MigrateError, MigrateOptions};
use portcullis_store::roles::NewRole;
use portcullis_store::scratch::template;
use portcullis_store::sessions::NewSession;
use portcullis_store::users::{NewPassword, NewUser};
use portcullis_store::{Db, Options, Tx, credentials, migrate, roles, scratch, sessions, users};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row as _, SqliteConnection};
use tempfile::TempDir;
use tokio::task::JoinSet;

pub(crate) const NOW: Time = Time(1_795_309_323_000);
pub(crate) const SEAL: [u8; 32] = [7; 32];

/// What the log of every database is sealed with.
pub(crate) fn audit_keys() -> AuditKeys {
    Keys::derive(&MasterSecret::from_random([7; 32])).unwrap().audit
}

/// Runs the test on a migrated database of each kind: a copy of one, in which nothing else was done.
pub(crate) async fn each(test: impl AsyncFn(&TestDb)) {
    let test = async |db: &TestDb| {
        let missing = db.migrate().await.unwrap().names;
        assert!(missing.is_empty(), "{missing:?}");
        test(db).await;
    };
    let file = template::file(audit_keys()).await.unwrap();
    on(TestDb::sqlite_from(Some(file)).await, &test).await;
    if let Some(server) = server_url() {
        let template = template::on_server(&server, audit_keys()).await.unwrap();
        on(TestDb::postgres_from(server, Some(template)).await, &test).await;
    }
}

/// Runs the test on an empty database of each kind.
pub(crate) async fn each_empty(test: impl AsyncFn(&TestDb)) {
    on(TestDb::sqlite().await, &test).await;
    if let Some(postgres) = TestDb::postgres().await {
        on(postgres, &test).await;
    }
}

async fn on(db: TestDb, test: &impl AsyncFn(&TestDb)) {
    test(&db).await;
    db.close().await;
}

/// Runs `count` tasks at once and gives what they return.
pub(crate) async fn race<T, F>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for number in 0..count {
        tasks.spawn(task(number));
    }
    tasks.join_all().await
}

pub(crate) struct TestDb {
    pub(crate) db: Db,
    pub(crate) options: Options,
    home: Home,
}

enum Home {
    Directory(TempDir),
    Server { server: String, name: String },
}

impl TestDb {
    pub(crate) async fn sqlite() -> Self {
        Self::sqlite_from(None).await
    }

    /// With these bytes in its file, if any.
    async fn sqlite_from(bytes: Option<&[u8]>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("test.db");
        if let Some(bytes) = bytes {
            std::fs::write(&file, bytes).unwrap();
        }
        Self::open(format!("sqlite:{}", file.display()), Home::Directory(directory)).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        Some(Self::postgres_from(server_url()?, None).await)
    }

    /// A copy of this database, if any.
    async fn postgres_from(server: String, template: Option<&str>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("portcullis_store_{}_{number}", std::process::id());
        scratch::create(&server, &name, template).await.unwrap();
        let database = PgConnectOptions::from_str(&server).unwrap().database(&name);
        let url = database.to_url_lossy().to_string();
        Self::open(url, Home::Server { server, name }).await
    }

    async fn open(url: String, home: Home) -> Self {
        let options = Options {
            sqlite_synchronous_full: false,
            acquire_timeout: Duration::from_secs(30),
            ..Options::new(url, audit_keys())
        };
        let db = Db::open(&options).await.unwrap();
        Self { db, options, home }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.home, Home::Server { .. })
    }

    pub(crate) async fn migrate(&self) -> Result<Applied, MigrateError> {
        migrate::run(&self.db, &MigrateOptions { seal_check: SEAL, now: NOW }).await
    }

    pub(crate) async fn read(&self) -> Tx {
        self.db.read().await.unwrap()
    }

    pub(crate) async fn write(&self) -> Tx {
        self.db.write().await.unwrap()
    }

    /// Does what no function of the store does.
    pub(crate) async fn tamper(&self, sql: &str) {
        self.try_to_tamper(sql).await.unwrap();
    }

    /// How SQLite would go about it, a step a line.
    pub(crate) async fn plan(&self, sql: &str) -> String {
        let mut to = SqliteConnection::connect(&self.options.url).await.unwrap();
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let steps = sqlx::raw_sql(sql).fetch_all(&mut to).await.unwrap();
        let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
        steps.join("\n")
    }

    /// The same, where the database may refuse.
    pub(crate) async fn try_to_tamper(&self, sql: &str) -> sqlx::Result<()> {
        match &self.home {
            Home::Directory(_) => {
                let mut to = SqliteConnection::connect(&self.options.url).await?;
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut to).await?;
                to.close().await
            }
            Home::Server { .. } => {
                let mut to = PgConnection::connect(&self.options.url).await?;
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut to).await?;
                to.close().await
            }
        }
    }

    pub(crate) async fn close(self) {
        self.db.close().await;
        match self.home {
            Home::Directory(directory) => directory.close().unwrap(),
            Home::Server { server, name } => scratch::drop(&server, &name).await.unwrap(),
        }
    }
}

/// The server that tests make databases on, if there is one.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not of the program")]
fn server_url() -> Option<String> {
    Some(std::env::var_os("TEST_POSTGRES_URL")?.into_string().unwrap())
}

pub(crate) async fn role(tx: &mut Tx, name: &str, level: i64) -> RoleId {
    let new = NewRole { name: Name::parse(name).unwrap(), level: Level::new(level).unwrap() };
    roles::insert(tx, &new, NOW).await.unwrap()
}

/// A user with nothing optional; `name` must be new.
pub(crate) fn new_user(name: &str, role_id: RoleId) -> NewUser {
    NewUser {
        uuid: format!("uuid-of-{name}"),
        email: Email::parse(&format!("{name}@example.com")).unwrap(),
        username: None,
        first_name: Name::parse("Ada").unwrap(),
        last_name: Name::default(),
        phone: None,
        branch_id: 1,
        account_type: AccountType::Staff,
        role_id,
        password: None,
    }
}

/// A user with everything.
pub(crate) fn full_user(name: &str, role_id: RoleId) -> NewUser {
    NewUser {
        username: Some(Username::parse(name).unwrap()),
        phone: Some("+44 20 7946 0000".to_owned()),
        password: Some(NewPassword::unseen(format!("$argon2id${name}"))),
        ..new_user(name, role_id)
    }
}

/// A user called `ada` with the role `clerk`.
pub(crate) async fn ada(tx: &mut Tx) -> UserId {
    let role = role(tx, "clerk", 20).await;
    users::insert(tx, &full_user("ada", role), NOW).await.unwrap()
}

pub(crate) fn new_session(number: u8, user_id: UserId) -> NewSession {
    NewSession {
        id: SessionId::from_random([number; 16]),
        handle: SessionHandle::from_random([number; 12]),
        user_id,
        user_epoch: 0,
        form: SignInForm::Page,
        second_factor: SecondFactor::NotAsked,
        auth_time: NOW,
        ip: "192.0.2.1".to_owned(),
        peer: "127.0.0.1".to_owned(),
        user_agent: "test".to_owned(),
        platform: None,
        device_type: None,
        app_version: None,
        remember_series: None,
    }
}

pub(crate) async fn session(tx: &mut Tx, number: u8, user_id: UserId) -> SessionId {
    let new = new_session(number, user_id);
    sessions::insert(tx, &new, NOW).await.unwrap();
    new.id
}

pub(crate) fn mac(number: u8) -> Mac {
    Mac::from_bytes(&[number; 32]).unwrap()
}

/// A credential that lives for an hour.
pub(crate) fn new_credential(
    number: u8,
    session_id: &SessionId,
    kind: CredentialKind,
) -> NewCredential {
    NewCredential {
        mac: mac(number),
        session_id: session_id.clone(),
        kind,
        parent: None,
        platform: None,
        device_type: None,
        app_version: None,
        life: Life { expires_at: later(3600), idle: None, renew_until: None },
    }
}

pub(crate) async fn credential(
    tx: &mut Tx,
    number: u8,
    session_id: &SessionId,
    kind: CredentialKind,
) -> Mac {
    let new = new_credential(number, session_id, kind);
    credentials::insert(tx, &new, NOW).await.unwrap();
    new.mac
}

pub(crate) fn later(seconds: u64) -> Time {
    NOW.plus(Duration::from_secs(seconds))
}
