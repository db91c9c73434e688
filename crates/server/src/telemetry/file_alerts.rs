//! How many alerts of watched files nobody has judged, by root and severity. Roots are those of the
//! configuration, so the number of series has a bound. Not here: the other figures (`metrics`).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_domain::integrity::alert::Severity;
use portcullis_store::Error;
use portcullis_store::integrity::alerts;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::app::App;

/// For each root and severity how many are new.
pub(super) type Open = Vec<(String, Severity, i64)>;

/// The figure; it is absent while nobody knows.
#[derive(Clone, Debug, Default)]
pub(super) struct FileAlerts(Arc<Mutex<Option<Open>>>);

impl FileAlerts {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let figure = Self::default();
        registry.register_collector(Box::new(figure.clone()));
        figure
    }

    pub(super) fn set(&self, open: Option<&Open>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = open.cloned();
    }
}

/// Asks the store; `None` where nothing is watched.
pub(super) async fn open(app: &App) -> Result<Option<Open>, Error> {
    let roots = &app.config.integrity.roots;
    if roots.is_empty() {
        return Ok(None);
    }
    let found = alerts::open_by_root(&mut app.db.read_once().await?).await?;
    let count = |root: &str, severity| {
        let of_it = found.iter().find(|(name, other, _)| name == root && *other == severity);
        of_it.map_or(0, |(_, _, count)| *count)
    };
    let all = roots.iter().flat_map(|root| {
        let name = root.name.as_str();
        Severity::ALL.map(|severity| (name.to_owned(), severity, count(name, severity)))
    });
    Ok(Some(all.collect()))
}

impl Collector for FileAlerts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = &*open else { return Ok(()) };
        let help = "Alerts of watched files that nobody has judged; absent where that is not known";
        let mut encoder =
            encoder.encode_descriptor("file_alerts", help, None, MetricType::Gauge)?;
        for (root, severity, count) in open {
            let labels = [("root", root.as_str()), ("severity", severity.as_str())];
            ConstGauge::new(*count).encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
