//! Where an address is, as "City, CC", from a file of the operator's in the format of `MaxMind`. Looked up
//! when somebody looks, and kept nowhere. The file is read at the start and again when it changes;
//! one that is missing or cannot be used stops nothing: places are unknown, or those of the file
//! before, and the health checks, the figures and the log say so.
//!
//! It is held in memory as a whole. Mapped, a file that somebody shortens in place would end the
//! process.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use maxminddb::{MaxMindDbError, Reader, geoip2};

use crate::app::App;
use crate::stamp::Stamp;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The file and what is known from it.
pub struct Geo {
    file: Option<PathBuf>,
    held: RwLock<Held>,
}

/// What the last look brought.
#[derive(Clone, Default)]
struct Held {
    places: Option<Arc<Reader<Vec<u8>>>>,
    /// `None` before the first look.
    seen: Option<Seen>,
    is_good: bool,
}

/// `None`: there was no file.
type Seen = Option<Stamp>;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoFault {
    #[error("geo.database: {} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("geo.database: {} is no MaxMind database", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: MaxMindDbError,
    },
}

/// Whether places are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No file is configured.
    Off,
    Good,
    /// The file that is there now cannot be used.
    Bad,
}

impl Geo {
    /// Reads the file, if one is configured; whatever is wrong with it is logged.
    pub fn open(file: Option<&Path>) -> Self {
        let geo = Self { file: file.map(Path::to_owned), held: RwLock::default() };
        geo.look();
        geo
    }

    /// Where an address is; `None` if that is not known.
    pub fn place(&self, address: &str) -> Option<String> {
        let address: IpAddr = address.parse().ok()?;
        let places = self.held().places?;
        let found = places.lookup(address.to_canonical()).ok()?;
        let found = found.decode::<geoip2::City<'_>>().ok()??;
        let country = found.country.iso_code?;
        Some(match found.city.names.english {
            Some(city) => format!("{city}, {country}"),
            None => country.to_owned(),
        })
    }

    /// Whether the file that is there now is the one in use.
    pub fn standing(&self) -> Standing {
        match (&self.file, self.held().is_good) {
            (None, _) => Standing::Off,
            (Some(_), true) => Standing::Good,
            (Some(_), false) => Standing::Bad,
        }
    }

    /// Takes a new file over; complains of a bad one once.
    fn look(&self) {
        let Some(file) = &self.file else { return };
        let (held, seen) = (self.held(), Some(Stamp::of(file)));
        if seen == held.seen {
            return;
        }
        let after = match read(file) {
            Ok(places) => {
                tracing::info!(file = %file.display(), "the places of addresses were read");
                Held { places: Some(Arc::new(places)), seen, is_good: true }
            }
            Err(fault) => {
                let error = &fault as &dyn std::error::Error;
                tracing::error!(error, "places of addresses are unknown, or those of before");
                Held { seen, is_good: false, ..held }
            }
        };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = after;
    }

    fn held(&self) -> Held {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Looks at the file now and then until the server stops.
pub async fn watch(app: App) {
    if app.geo.standing() == Standing::Off {
        return;
    }
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let app = app.clone();
        if tokio::task::spawn_blocking(move || app.geo.look()).await.is_err() {
            return;
        }
    }
}

/// Reads the whole file.
pub fn read(file: &Path) -> Result<Reader<Vec<u8>>, GeoFault> {
    let path = || file.to_owned();
    let bytes = fs::read(file).map_err(|source| GeoFault::Unreadable { path: path(), source })?;
    Reader::from_source(bytes).map_err(|source| GeoFault::Unusable { path: path(), source })
}
