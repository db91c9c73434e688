//! How far a check is, as Server-Sent Events (WHATWG HTML, section 9.2), until it ends: one event
//! `progress` whenever something has changed, and one `end`. Their data is what the progress says.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use portcullis_domain::id::CheckId;
use portcullis_domain::integrity::CheckState;
use serde_json::Value;

use super::checks::check_id;
use super::shown;
use crate::flows::integrity::{check, status};
use crate::gate::forward::{BoxError, ResponseBody};
use crate::web::caller::{FileAlertsManage, Staff};
use crate::web::error::Error;
use crate::web::lasting::{Broken, Lasting};
use crate::web::refusal::Family;
use crate::web::reply::stream_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const PATH: &str = "/api/security/file-integrity-events";

/// How often it is looked how far the check is.
const EVERY: Duration = Duration::from_millis(500);
/// After so many looks without news a comment is sent, so that nothing between takes it for dead.
const QUIET: u32 = 30;

pub(super) const STREAM: Doc = Doc {
    id: "follow_integrity_check",
    summary: "How far a check is, as Server-Sent Events until it ends; each has the data of \
              file-integrity-progress.",
    family: Family::P,
    fields: &[("check_id", true, "The id that run-integrity-check gave.")],
    answer: (200, ""),
    ..Doc::USUAL
};

/// `GET /api/security/file-integrity-events`.
pub(super) async fn stream(call: Call, Staff(caller, _): Staff<FileAlertsManage>) -> Answer {
    let id = check_id(&call.facts)?;
    check::by_id(&call.app.db, id).await?.ok_or(Error::NotFound)?;
    let following = Following {
        lasting: Lasting::new(&call.app, &caller),
        id,
        told: Value::Null,
        is_over: false,
    };
    let events = stream::unfold(Some(following), async |following| {
        let mut following = following?;
        match following.next().await {
            Ok(Some(event)) => Some((Ok(Frame::data(event)), Some(following))),
            Ok(None) => None,
            Err(broken) => Some((Err(BoxError::from(broken)), None)),
        }
    });
    let app = call.app.clone();
    let body = ResponseBody::made(StreamBody::new(Box::pin(events)), |work| app.spawn(work));
    Ok(stream_reply("text/event-stream", body))
}

struct Following {
    lasting: Lasting<FileAlertsManage>,
    id: CheckId,
    /// What was told last, without what changes by itself.
    told: Value,
    is_over: bool,
}

impl Following {
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        if self.is_over {
            return Ok(None);
        }
        for _ in 0..QUIET {
            self.lasting.may_go_on().await?;
            let app = &self.lasting.app;
            let found = status::progress(&app.db, &app.config.integrity, self.id).await?;
            let Some(found) = found else { return Ok(None) };
            self.is_over = found.check.state != CheckState::Running;
            let now = shown::progress(&found, app.clock.now());
            let name = if self.is_over { "end" } else { "progress" };
            let told = shown::without_time(now.clone());
            if std::mem::replace(&mut self.told, told) != self.told {
                return Ok(Some(Bytes::from(format!("event: {name}\ndata: {now}\n\n"))));
            }
            tokio::time::sleep(EVERY).await;
        }
        Ok(Some(Bytes::from_static(b": still there\n\n")))
    }
}
