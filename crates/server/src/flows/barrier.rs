//! Waiting, after something was ended and before the answer, until no node lets it in any more. Not
//! here: how nodes hear of what was ended (`verify::follow`), and how they say that they run (`nodes`).

use std::time::Duration;

use portcullis_domain::time::Time;
use portcullis_store::{Db, Error, nodes};

use crate::app::App;
use crate::fault::in_time;

/// Called after the commit of whatever takes access from somebody by another's hand. When it returns,
/// nothing that was ended is let in by a request that begins from now on, through any node. This
/// process knew at the commit; where others run, it is waited for as long as one may use what it read
/// before.
pub async fn felt_everywhere(app: &App) {
    let bound = app.config.session.revocation_bound;
    wait_for_others(&app.db, Some(&app.node), app.clock.now(), bound).await;
}

/// The same for a process that is no node, and for whoever has no [`App`].
pub async fn wait_for_others(db: &Db, own: Option<&str>, now: Time, bound: Duration) {
    if bound.is_zero() {
        return;
    }
    let others = in_time(others(db, own, now)).await;
    // Who cannot be asked may be there.
    if others.unwrap_or(true) {
        tokio::time::sleep(bound).await;
    }
}

/// Whether another node may be running. By a clock that differs from the database's, nobody can say
/// whose lease is over.
async fn others(db: &Db, own: Option<&str>, now: Time) -> Result<bool, Error> {
    if db.check(now).await.is_err() {
        return Ok(true);
    }
    nodes::others(&mut db.read_once().await?, own, now).await
}
