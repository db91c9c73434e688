//! A database of a test's own: a file, or a copy of a template on the server of the tests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_store::scratch::template;
use portcullis_store::{Options, scratch};
use tempfile::TempDir;

/// What the file of an SQLite database is called, as the usual configuration has it.
const FILE_NAME: &str = "portcullis.db";

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A database that belongs to one test.
#[derive(Clone)]
pub(crate) struct Database {
    directory: Arc<TempDir>,
    postgres: Option<(String, String)>,
}

/// The databases that tests run on: `PostgreSQL` needs a server, which `make test` starts.
pub(crate) fn kinds() -> Vec<Kind> {
    match server_url() {
        Some(_) => vec![Kind::Sqlite, Kind::Postgres],
        None => vec![Kind::Sqlite],
    }
}

impl Database {
    /// An empty database.
    pub(crate) async fn fresh(kind: Kind) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let postgres = match on_server(kind) {
            Some(server) => Some(create(server, None).await),
            None => None,
        };
        Self { directory, postgres }
    }

    /// A copy of a database in which every migration ran, and nothing else was done.
    pub(crate) async fn migrated(kind: Kind) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let keys = Keys::derive(&MasterSecret::from_random([7; 32])).unwrap().audit;
        let postgres = if let Some(server) = on_server(kind) {
            let name = template::on_server(&server, keys).await.unwrap();
            Some(create(server, Some(name)).await)
        } else {
            let file = template::file(keys).await.unwrap();
            std::fs::write(directory.path().join(FILE_NAME), file).unwrap();
            None
        };
        Self { directory, postgres }
    }

    /// The same database, for another node.
    pub(crate) fn shared(&self) -> Self {
        self.clone()
    }

    /// Where the server keeps its files.
    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// The `database.url` of the configuration.
    pub(crate) fn url(&self) -> String {
        match &self.postgres {
            Some((server, name)) => {
                let mut url = url::Url::parse(server).unwrap();
                url.set_path(name);
                url.into()
            }
            None => format!("sqlite:{FILE_NAME}"),
        }
    }

    /// Where its server listens, if it has one.
    pub(crate) fn server(&self) -> Option<SocketAddr> {
        let (server, _) = self.postgres.as_ref()?;
        url::Url::parse(server).unwrap().socket_addrs(|| Some(5432)).unwrap().pop()
    }

    /// How the store opens it, if need be through another address.
    pub(crate) fn options(&self, through: Option<SocketAddr>) -> Options {
        let url = match (&self.postgres, through) {
            (Some(_), None) => self.url(),
            (Some(_), Some(address)) => {
                let mut url = url::Url::parse(&self.url()).unwrap();
                url.set_ip_host(address.ip()).unwrap();
                url.set_port(Some(address.port())).unwrap();
                url.into()
            }
            (None, _) => format!("sqlite:{}", self.directory().join(FILE_NAME).display()),
        };
        let keys = Keys::derive(&self.secret()).unwrap();
        let mut options = Options::new(url, keys.audit);
        options.sqlite_synchronous_full = false;
        options
    }

    /// What a program made in its directory, or the secret of every server under test.
    fn secret(&self) -> MasterSecret {
        let places = ["secret", "data/secret", "portcullis-data/secret"];
        let read = |place| std::fs::read_to_string(self.directory().join(place)).ok();
        let made = places.into_iter().find_map(|place| MasterSecret::parse(&read(place)?).ok());
        made.unwrap_or(MasterSecret::from_random([7; 32]))
    }

    /// The bytes of every file that the server writes, and the rows of a database elsewhere.
    pub(crate) async fn everything_written(&self) -> Vec<u8> {
        let mut files = Vec::new();
        let mut folders = vec![self.directory()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        // By another process: whoever closes a file gives up the locks that this one has on it, and the
        // next command would take the database for one that nobody has open.
        let read = std::process::Command::new("cat").arg("--").args(files).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let mut bytes = read.stdout;
        if self.postgres.is_some() {
            bytes.extend(scratch::dump(&self.url()).await.unwrap().into_bytes());
        }
        bytes
    }

    /// Drops what a temporary directory does not.
    pub(crate) async fn throw_away(self) {
        // Another node of the test may still use it.
        let is_last = Arc::strong_count(&self.directory) == 1;
        if let Some((server, name)) = self.postgres.filter(|_| is_last) {
            scratch::drop(&server, &name).await.unwrap();
        }
    }
}

/// The server that a database of this kind is on.
fn on_server(kind: Kind) -> Option<String> {
    server_url().filter(|_| kind == Kind::Postgres)
}

/// A database with a name of its own on this server, and both.
async fn create(server: String, template: Option<&str>) -> (String, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("portcullis_it_{}_{number}", std::process::id());
    scratch::create(&server, &name, template).await.unwrap();
    (server, name)
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the product")]
fn server_url() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}
