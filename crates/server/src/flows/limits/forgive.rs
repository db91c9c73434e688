//! Letting somebody try again: an account, from everywhere, or an address. Not here: the lock-outs of
//! accounts by address, because an address has many accounts behind it, and each is forgiven by
//! somebody whose word reaches so far.

use portcullis_domain::client_address::Network;
use portcullis_domain::event::{Event, Text};
use portcullis_store::users::User;
use portcullis_store::{Error, Tx, lockouts, throttle};

use super::{Counter, fingerprints};
use crate::app::App;
use crate::flows::roles::Acting;

/// Forgets the attempts that were counted for the names of an account, from every address.
pub async fn names(tx: &mut Tx, user: &User) -> Result<bool, Error> {
    let mut forgotten = 0;
    for name in fingerprints(user) {
        for counter in Counter::ALL {
            let pattern = format!("{}:%:{name}", counter.word());
            forgotten += throttle::forget(tx, &pattern).await?;
        }
    }
    Ok(forgotten > 0)
}

/// Forgets the attempts of an address (one /64 of IPv6), and its guesses at names that are
/// nobody's; its requests on this node alone. `false` if there was nothing to forget.
pub async fn address(app: &App, acting: &Acting<'_>, network: Network) -> Result<bool, Error> {
    let in_memory = app.forget_requests(network);
    let mut tx = acting.db.write().await?;
    let mut forgotten = lockouts::forget(&mut tx, &format!("unknown:%:{network}")).await?;
    for counter in Counter::ALL {
        // The text of a network ends with its bits, so no longer one begins with it.
        forgotten += throttle::forget(&mut tx, &format!("{}:{network}%", counter.word())).await?;
    }
    if forgotten == 0 && !in_memory {
        return Ok(false);
    }
    let event = Event::AddressForgiven { network: Text::clip(&network.to_string()) };
    acting.record(&mut tx, &event, None).await?;
    tx.commit().await?;
    Ok(true)
}
