//! One-time links: making one, and why one is not good. Not here: what each is good for, which spends it
//! in the transaction of its act.

use portcullis_domain::event::{Context, Event, LinkRefusal};
use portcullis_domain::one_time_link::{self, LinkPurpose};
use portcullis_domain::secret::{self, Mac, MacKey};
use portcullis_domain::text::Email;
use portcullis_domain::time::Time;
use portcullis_store::one_time_links::{self, NewLink};
use portcullis_store::users::User;
use portcullis_store::{Error, Tx};

use super::record;
use crate::app::App;
use crate::random::Random;

/// A link to be made.
pub(super) struct Wanted<'a> {
    pub purpose: LinkPurpose,
    pub user: &'a User,
    pub until: Time,
    /// Where its code is mailed to, or the mailbox that a code for it came from.
    pub email: Option<Email>,
}

impl Wanted<'_> {
    /// Makes the link; earlier ones of its user and purpose are void. The code goes to whoever it is for
    /// and nowhere else.
    pub(super) async fn issue<const N: usize>(
        self,
        tx: &mut Tx,
        key: &MacKey,
        random: Random,
        context: &Context,
        now: Time,
    ) -> Result<secret::Random<N>, Error> {
        let (purpose, until) = (self.purpose, self.until);
        let code = secret::Random::from_random(random.bytes());
        let new = NewLink {
            mac: key.credential_mac(purpose.of_secret(), &code),
            purpose,
            user_id: self.user.id,
            user_epoch: self.user.epoch,
            email: self.email,
            expires_at: until,
        };
        one_time_links::issue(tx, &new, now).await?;
        let context = Context { subject: Some(self.user.id), ..context.clone() };
        record(tx, random, &Event::LinkCreated { purpose, until }, &context, now).await?;
        Ok(code)
    }
}

/// Whose a link is, if it is good.
pub(super) async fn look(
    app: &App,
    purpose: LinkPurpose,
    mac: &Mac,
) -> Result<Result<User, LinkRefusal>, Error> {
    let mut tx = app.db.read().await?;
    let found = one_time_links::find(&mut tx, purpose, mac).await?;
    if let Some(refusal) = one_time_link::refusal(found, app.clock.now()) {
        return Ok(Err(refusal));
    }
    let holder = one_time_links::holder(&mut tx, purpose, mac).await?;
    Ok(holder.ok_or(LinkRefusal::Unknown))
}

/// Why a link is not good, if it is not.
pub(super) async fn refusal(
    app: &App,
    purpose: LinkPurpose,
    mac: &Mac,
) -> Result<Option<LinkRefusal>, Error> {
    let found = one_time_links::find(&mut app.db.read_once().await?, purpose, mac).await?;
    Ok(one_time_link::refusal(found, app.clock.now()))
}
