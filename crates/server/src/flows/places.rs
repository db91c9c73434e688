//! Places that somebody signed in from: looked at, taken back, vouched for by an operator, forgotten.
//! Not here: what a new one means for a sign-in.

use std::net::IpAddr;

use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::id::UserId;
use portcullis_domain::place::Place;
use portcullis_store::places::{self, Seen, Verified};
use portcullis_store::{Db, Error};

use super::record;
use super::roles::Acting;
use crate::app::App;

/// What became of taking a place back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Done,
    /// There is no such place, or it is somebody else's.
    Unknown,
}

/// The user's own places, the one that was used last first.
pub async fn list(db: &Db, user: UserId) -> Result<Vec<Verified>, Error> {
    let mut tx = db.read_once().await?;
    places::list(&mut tx, user).await
}

/// Takes a place back: a browser there is asked again, unless it is known by itself.
pub async fn remove(app: &App, user: UserId, id: &str, by: &Context) -> Result<Removal, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let Some(place) = places::remove(&mut tx, user, id).await? else {
        return Ok(Removal::Unknown);
    };
    let event = Event::PlaceRemoved { network: Text::clip(&place.to_string()) };
    record(&mut tx, app.random, &event, by, now).await?;
    tx.commit().await?;
    Ok(Removal::Done)
}

/// Vouches for the place of an address, as an operator does whose mail does not arrive.
pub async fn trust(acting: &Acting<'_>, user: UserId, address: IpAddr) -> Result<Place, Error> {
    let Acting { db, random, now, .. } = *acting;
    let (place, id) = (Place::of(address), random.row_id(now));
    let mut tx = db.write().await?;
    places::verify(&mut tx, &Seen { id: &id, user, place, user_agent: "" }, now).await?;
    let event = Event::PlaceTrusted { network: Text::clip(&place.to_string()) };
    acting.record(&mut tx, &event, Some(user)).await?;
    tx.commit().await?;
    Ok(place)
}

/// Forgets every place: the next one is learned as the first was. How many there were.
pub async fn forget(acting: &Acting<'_>, user: UserId) -> Result<u64, Error> {
    let mut tx = acting.db.write().await?;
    let count = places::forget(&mut tx, user).await?;
    if count > 0 {
        acting.record(&mut tx, &Event::PlacesForgotten { count }, Some(user)).await?;
    }
    tx.commit().await?;
    Ok(count)
}
