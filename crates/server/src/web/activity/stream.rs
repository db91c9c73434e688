//! An export as the body of an answer: made slice by slice as the client takes it, and only as long as
//! the credential that asked for it is good and its user may still see the log. A body that is broken
//! off ends with an error, so that half of it is never taken for the whole.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use portcullis_domain::account::AccountType;
use portcullis_domain::permission::Key;

use crate::app::App;
use crate::flows::activity::Reader;
use crate::flows::activity::export::{Export, Format};
use crate::gate::forward::{BoxError, ResponseBody};
use crate::verify::{Proof, Verified};
use crate::web::caller::{ActivityLogManage, Caller, Permission as _};

/// Pieces are sent once they are so large, in bytes, or whole.
const PIECE: usize = 32 * 1024;
/// How often it is asked whether the export may go on.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// Why an export ends before its end.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the credential that asked for this export is good no longer")]
    Ended,
    #[error("the server stops")]
    Stopping,
    #[error(transparent)]
    Store(#[from] portcullis_store::Error),
}

/// The body of an export.
pub fn body(app: &App, caller: &Caller, export: Box<Export>, format: Format) -> ResponseBody {
    let making = Making {
        app: app.clone(),
        proof: caller.proof(),
        asked_at: app.clock.monotonic(),
        export,
        format,
        ready: VecDeque::from([Bytes::from(format.head())]),
    };
    let pieces = stream::unfold(Some(making), async |making| {
        let mut making = making?;
        match making.next().await {
            Ok(Some(piece)) => Some((Ok(Frame::data(piece)), Some(making))),
            Ok(None) => None,
            Err(broken) => {
                tracing::info!(why = &broken as &dyn std::error::Error, "an export was broken off");
                Some((Err(BoxError::from(broken)), None))
            }
        }
    });
    ResponseBody::made(StreamBody::new(Box::pin(pieces)), |work| app.spawn(work))
}

/// An export on its way.
struct Making {
    app: App,
    proof: Proof,
    asked_at: Duration,
    export: Box<Export>,
    format: Format,
    ready: VecDeque<Bytes>,
}

impl Making {
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            self.may_go_on().await?;
            if let Some(piece) = self.ready.pop_front().filter(|piece| !piece.is_empty()) {
                return Ok(Some(piece));
            }
            let reader = Reader { db: &self.app.db, keys: &self.app.keys.audit };
            let Some(records) = self.export.next(reader).await? else { return Ok(None) };
            let written = Bytes::from(self.format.write(&records));
            let cuts = (0..written.len()).step_by(PIECE);
            let end = written.len();
            self.ready = cuts.map(|at| written.slice(at..end.min(at + PIECE))).collect();
        }
    }

    async fn may_go_on(&mut self) -> Result<(), Broken> {
        let app = &self.app;
        if app.stopping.is_cancelled() {
            return Err(Broken::Stopping);
        }
        let now = app.clock.monotonic();
        if now.saturating_sub(self.asked_at) < ASKED_EVERY {
            return Ok(());
        }
        self.asked_at = now;
        let bound = app.config.session.revocation_bound;
        let asked = app.verifier.verify_within(bound, &app.db, &app.clock, self.proof).await?;
        let Verified::Live(live) = asked else { return Err(Broken::Ended) };
        let found = live.found();
        let holds =
            Key::parse(ActivityLogManage::KEY).is_ok_and(|key| found.role.grants.allows(&key));
        let may = holds && found.user.account_type == AccountType::Staff;
        if may { Ok(()) } else { Err(Broken::Ended) }
    }
}
