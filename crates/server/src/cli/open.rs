//! What every command on the store begins with: the configuration, the secret, the database at
//! the schema of this program, the built-in roles. Safe beside a running server, and beside other
//! commands that do the same. Not here: what a serving process builds on top of it.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use portcullis_domain::event::Context;
use portcullis_domain::origin::Origin;
use portcullis_domain::role::Authority;
use portcullis_domain::secret::{KeyFault, Keys, MasterSecret};
use portcullis_store::migrate::{self, MigrateError, MigrateOptions};
use portcullis_store::{Db, Error, Options, roles};

use crate::clock::Clock;
use crate::config::{Config, Database, Faults};
use crate::flows::barrier;
use crate::flows::roles::Acting;
use crate::random::Random;
use crate::secret_file::{self, SecretFileError};

/// What there is to work with.
pub struct Opened {
    pub config: Config,
    /// The address that people type.
    pub public_url: Origin,
    pub db: Db,
    pub secret: MasterSecret,
    pub keys: Keys,
    pub clock: Clock,
    pub random: Random,
}

/// Why there is nothing to work with.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the configuration cannot be used\n{0}")]
    Config(Faults),
    #[error("the directory {} cannot be made", path.display())]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    #[error(transparent)]
    Keys(#[from] KeyFault),
    #[error("the database {shown} cannot be opened")]
    Database {
        shown: String,
        #[source]
        source: Error,
    },
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error("the built-in roles cannot be made")]
    Roles(#[source] Error),
}

/// Reads a configuration file and the environment.
pub fn load(path: &Path) -> Result<Config, OpenError> {
    Config::load(Some(path), environment()).map_err(OpenError::Config)
}

/// Opens what a configuration names, and makes what is missing.
pub async fn open(config: Config) -> Result<Opened, OpenError> {
    make_directories(&config)?;
    let (clock, random) = (Clock::system(), Random);
    let secret = secret_file::read_or_create(&config.server.secret_file, random)?;
    let keys = Keys::derive(&secret)?;
    let db = open_database(&config.database, &keys).await?;
    let options = MigrateOptions { seal_check: keys.seal_check(), now: clock.now() };
    migrate::run(&db, &options).await?;
    ensure_roles(&db, &clock).await.map_err(OpenError::Roles)?;
    let public_url = config.server.public_url_at(config.server.listen);
    Ok(Opened { config, public_url, db, secret, keys, clock, random })
}

/// Opens what a configuration names for one act, and closes it after.
pub async fn with<T>(
    config: Config,
    act: impl AsyncFnOnce(&Opened) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let opened = Box::new(Box::pin(open(config)).await?);
    let result = act(&opened).await;
    opened.db.close().await;
    result
}

/// Waits until no node lets in what was revoked: as long as one may remember what it read before, if
/// there is one.
pub async fn felt_everywhere(on: &Opened) {
    let bound = on.config.session.revocation_bound;
    // Boxed: the future of every command would carry the room for it.
    Box::pin(barrier::wait_for_others(&on.db, None, on.clock.now(), bound)).await;
}

/// The variables of the process. One that is not UTF-8 keeps its name, so that a key of ours in it
/// is a fault rather than unheard.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into()))
    })
}

/// Whoever runs a command on this machine, as the one who acts.
pub struct Operator {
    authority: Authority,
    context: Context,
}

impl Operator {
    /// Nobody by name, with every permission.
    pub fn new() -> Self {
        Self { authority: Authority::operator(), context: Context::default() }
    }

    /// The operator on the store that was opened, now.
    pub fn acting<'a>(&'a self, on: &'a Opened) -> Acting<'a> {
        Acting {
            db: &on.db,
            random: on.random,
            now: on.clock.now(),
            authority: &self.authority,
            context: &self.context,
        }
    }
}

impl Default for Operator {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes the directories that a configuration names, where they are missing.
pub fn make_directories(config: &Config) -> Result<(), OpenError> {
    make_directory(&config.server.data_dir)?;
    match &config.database {
        Database::Sqlite(file) => file.parent().map_or(Ok(()), make_directory),
        Database::Postgres(_) => Ok(()),
    }
}

/// Those that exist keep their mode.
fn make_directory(path: &Path) -> Result<(), OpenError> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| OpenError::Directory { path: path.to_owned(), source })
}

/// Opens the database as it is.
pub async fn open_database(database: &Database, keys: &Keys) -> Result<Db, OpenError> {
    let (url, shown) = match database {
        Database::Sqlite(file) => (sqlite_url(file), file.display().to_string()),
        Database::Postgres(url) => {
            let host = url.host_str().unwrap_or("localhost");
            (url.to_string(), format!("{} at {host}", url.path().trim_start_matches('/')))
        }
    };
    let options = Options::new(url, keys.audit.clone());
    // A connection in the making is a large thing to carry through every future above it.
    let opened = Box::pin(Db::open(&options)).await;
    opened.map_err(|source| OpenError::Database { shown, source })
}

/// The driver reads a URL, in which these two characters mean something else.
fn sqlite_url(file: &Path) -> String {
    let path = file.to_string_lossy().replace('%', "%25").replace('?', "%3F");
    format!("sqlite:{path}")
}

async fn ensure_roles(db: &Db, clock: &Clock) -> Result<(), Error> {
    let mut tx = db.write().await?;
    roles::ensure_built_in(&mut tx, clock.now()).await?;
    tx.commit().await
}
