//! What every change of a second factor brings: whatever else is signed in to the account ends, with
//! remembered browsers, trusted devices, links and codes, so that nothing outlives the factor that it
//! began without. The session that asked goes on under a new cookie. API keys stay.

use portcullis_domain::event::EndReason;
use portcullis_store::users::User;
use portcullis_store::{Error, Tx, remember, rotation, sessions};

use crate::app::App;
use crate::flows::proof::{self, Holder, Renewed};

/// What the session goes on with, and how many others ended.
pub(super) struct Anew {
    pub(super) renewed: Renewed,
    pub(super) sessions: u64,
}

/// Ends everything, in the transaction of a change that nobody who is signed in asks for; how many
/// sessions, or `None` as in [`begin_anew`].
pub(in crate::flows) async fn end_all(
    app: &App,
    tx: &mut Tx,
    user: &User,
) -> Result<Option<u64>, Error> {
    if rotation::raise_epoch(tx, user.id, user.epoch).await?.is_none() {
        return Ok(None);
    }
    let (now, reason) = (app.clock.now(), EndReason::FactorChanged);
    sessions::end_all_of_user(tx, user.id, None, reason, now).await.map(Some)
}

/// Ends all else, in the transaction of the change. `None` if the account or the session changed
/// meanwhile: then nothing must be committed. Of several at once one wins, because the epoch goes up
/// once; it takes the user's row, which whoever comes next waits for.
pub(super) async fn begin_anew(
    app: &App,
    tx: &mut Tx,
    user: &User,
    holder: &Holder,
) -> Result<Option<Anew>, Error> {
    let (now, reason) = (app.clock.now(), EndReason::FactorChanged);
    let Some(epoch) = rotation::raise_epoch(tx, user.id, user.epoch).await? else {
        return Ok(None);
    };
    // What would bring this session back began without the factor, too.
    remember::end_of_session(tx, &holder.session, reason, now).await?;
    let sessions =
        sessions::end_all_of_user(tx, user.id, Some(&holder.session), reason, now).await?;
    rotation::end_other_credentials(tx, &holder.session, &holder.mac, now).await?;
    if !rotation::carry_over(tx, &holder.session, user.epoch, epoch).await? {
        return Ok(None);
    }
    let renewed = proof::rotate(app, tx, holder, now).await?;
    Ok(renewed.map(|renewed| Anew { renewed, sessions }))
}
