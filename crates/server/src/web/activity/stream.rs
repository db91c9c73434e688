//! An export as the body of an answer: made slice by slice as the client takes it, and only as long as
//! the credential that asked for it is good and its user may still see the log. A body that is broken
//! off ends with an error, so that half of it is never taken for the whole.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;

use crate::app::App;
use crate::flows::activity::Reader;
use crate::flows::activity::export::{Export, Format};
use crate::gate::forward::{BoxError, ResponseBody};
use crate::web::caller::{ActivityLogManage, Caller};
use crate::web::lasting::{Broken, Lasting};

/// Pieces are sent once they are so large, in bytes, or whole.
const PIECE: usize = 32 * 1024;
/// The body of an export.
pub fn body(app: &App, caller: &Caller, export: Box<Export>, format: Format) -> ResponseBody {
    let making = Making {
        lasting: Lasting::new(app, caller),
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
    lasting: Lasting<ActivityLogManage>,
    export: Box<Export>,
    format: Format,
    ready: VecDeque<Bytes>,
}

impl Making {
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            self.lasting.may_go_on().await?;
            if let Some(piece) = self.ready.pop_front().filter(|piece| !piece.is_empty()) {
                return Ok(Some(piece));
            }
            let app = &self.lasting.app;
            let reader = Reader { db: &app.db, keys: &app.keys.audit };
            let Some(records) = self.export.next(reader).await? else { return Ok(None) };
            let written = Bytes::from(self.format.write(&records));
            let cuts = (0..written.len()).step_by(PIECE);
            let end = written.len();
            self.ready = cuts.map(|at| written.slice(at..end.min(at + PIECE))).collect();
        }
    }
}
