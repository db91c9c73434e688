//! Whether the process lives, and whether it can serve.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;
use crate::backups::Trouble;
use crate::breach::Standing;
use crate::flows::audit::watch;
use crate::geo;
use crate::web::caller::Anyone;
use crate::web::error::Error;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

/// How long the store may take to answer before the server calls itself not ready.
const PATIENCE: Duration = Duration::from_secs(2);

pub const ALIVE: Doc = Doc {
    id: "alive",
    summary: "Whether the process lives.",
    answer: (200, r#"{"status":"ok"}"#),
    ..Doc::USUAL
};

/// `GET /healthz`: the process lives. Says nothing of the store, so that a database that is down
/// does not make a supervisor restart every node.
pub async fn alive(_: Call, _: Anyone) -> Answer {
    Ok(json_reply(StatusCode::OK, &json!({"status": "ok"})))
}

pub const READY: Doc = Doc {
    id: "ready",
    summary: "Whether the server can serve: 200, or 503 with the reason. What does not work and stops \
              nobody stands in `warnings`.",
    answer: (200, r#"{"status":"ready","warnings":["geo_database"]}"#),
    ..Doc::USUAL
};

/// `GET /readyz`: the store answers, its clock agrees with ours, and nobody has asked us to stop.
pub async fn ready(call: Call, _: Anyone) -> Answer {
    let not_ready = |code| Error::Unavailable { code, retry_after: PATIENCE };
    if call.app.stopping.is_cancelled() {
        return Err(not_ready("stopping"));
    }
    let answered = tokio::time::timeout(PATIENCE, call.app.db.check(call.app.clock.now())).await;
    match answered {
        Ok(Ok(())) => Ok(json_reply(StatusCode::OK, &is_ready(&call.app))),
        Ok(Err(portcullis_store::NotReady::Clock)) => Err(not_ready("clock_differs")),
        Ok(Err(portcullis_store::NotReady::Store(_))) | Err(_) => {
            Err(not_ready("store_unavailable"))
        }
    }
}

/// What does not work, and stops nobody, stands in `warnings`.
fn is_ready(app: &App) -> Value {
    let backups = app.backups.trouble(app.config.backup.as_ref(), app.clock.now());
    let warnings: Vec<&str> = [
        ("geo_database", app.geo.standing() == geo::Standing::Bad),
        ("breach_index", is_refused(app)),
        ("breach_service", app.breach.online.is_down()),
        ("audit_log", app.audit.trouble().is_some()),
        ("audit_rejected", app.audit.has_rejected()),
        ("audit_verify_late", watch::is_late(app)),
        ("audit_verify", app.audit.verified().is_some_and(|kept| kept.faults > 0)),
        ("webhook_down", app.webhooks.is_failing()),
        ("mail_down", app.mailer.condition.down_since().is_some()),
        ("signing_keys", app.signing_keys.is_in_trouble(&app.config, app.clock.now())),
        ("backup_failed", backups == Some(Trouble::Failed)),
        ("backup_late", backups == Some(Trouble::Late)),
    ]
    .into_iter()
    .filter_map(|(what, is_bad)| is_bad.then_some(what))
    .collect();
    if warnings.is_empty() {
        json!({"status": "ready"})
    } else {
        json!({"status": "ready", "warnings": warnings})
    }
}

/// Whether the index of breached passwords cannot be used.
fn is_refused(app: &App) -> bool {
    app.breach.offline.as_ref().is_some_and(|offline| offline.standing() == Standing::Refused)
}
