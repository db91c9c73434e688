//! Asking for a link. The answer is the same for every address, before anybody has looked whose it is;
//! the mark of a browser is given to every browser, too.

use std::time::Duration;

use portcullis_domain::event::{Context, Event};
use portcullis_domain::secret::{Mac, Opaque};
use portcullis_domain::time::Time;
use portcullis_store::one_time_links;
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx};

use super::{Errand, PAGE, PURPOSE, mac_of_mark};
use crate::app::App;
use crate::flows::limits::LimitStanding;
use crate::flows::links::Wanted;
use crate::flows::mail_request::{self, Admission, Question};
use crate::flows::password_reset::may_have_one;
use crate::flows::record;
use crate::flows::sign_in::facts_of;
use crate::mail::{self, Letter};

/// Under what letters are counted.
const WORD: &str = "magic_link";

/// Who asks, and what is to go on once the link is used.
#[derive(Debug)]
pub enum Asker {
    /// A browser, to which the link is bound.
    Browser(Errand),
    /// A program, which shows no browser that the link could be bound to.
    Program,
}

/// What came of asking.
pub struct Asked {
    pub admission: Admission,
    pub standing: Option<LimitStanding>,
    /// The mark of the browser that asked. It goes into its cookie, and nowhere else.
    pub mark: Option<Opaque>,
}

/// What is written into the link of whoever it is.
#[derive(Clone)]
struct Link {
    life: Duration,
    browser: Option<Mac>,
    /// The errand, as text.
    detail: String,
}

/// Takes the question for a link that is good for so long.
pub async fn ask(
    app: &App,
    question: Question,
    asker: Asker,
    life: Duration,
) -> Result<Asked, Error> {
    let (admission, standing) = mail_request::admit(app, &question, WORD).await?;
    // Where no link is made a browser keeps its mark, and with it the link that it has.
    let is_made = matches!(admission, Admission::Go);
    let (mark, errand) = match asker {
        Asker::Browser(errand) => {
            (is_made.then(|| Opaque::from_random(app.random.bytes())), errand)
        }
        Asker::Program => (None, Errand::default()),
    };
    app.telemetry.metrics.magic_link(match admission {
        Admission::Go | Admission::Enough => "asked",
        Admission::TooMany { .. } => "limited",
    });
    if let Admission::Go = admission {
        let link = Link {
            life,
            browser: mark.as_ref().map(|mark| mac_of_mark(app, mark)),
            // A value of ours, which can always be written.
            detail: serde_json::to_string(&errand).unwrap_or_default(),
        };
        mail_request::write_later(app, "magic_link", move |app| {
            let (question, link) = (question.clone(), link.clone());
            async move { write(&app, &question, &link).await }
        });
    }
    Ok(Asked { admission, standing, mark })
}

/// Looks whose address it is, and writes to whoever may sign in.
async fn write(app: &App, question: &Question, link: &Link) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let user = match users::by_email(&mut tx, &question.email).await? {
        Some(user) if may_have_one(&mut tx, &user).await? => Some(user),
        Some(_) | None => None,
    };
    let subject = user.as_ref().map(|user| user.id);
    let context = Context { subject, ..question.context.clone() };
    let event = Event::MagicLinkAsked { known: user.is_some() };
    record(&mut tx, app.random, &event, &context, now).await?;
    if let Some(user) = &user {
        let url = make(app, &mut tx, (user, link), &context, now).await?;
        let facts = facts_of(app, &question.from, &context, now);
        let letter = Letter::magic_link(url, &facts, now.plus(link.life));
        mail::send(app, &mut tx, &user.email, &letter, now).await?;
    }
    tx.commit().await
}

/// Makes the link; an earlier one of the person is void.
async fn make(
    app: &App,
    tx: &mut Tx,
    (user, link): (&User, &Link),
    context: &Context,
    now: Time,
) -> Result<String, Error> {
    let (until, email) = (now.plus(link.life), Some(user.email.clone()));
    let wanted = Wanted { purpose: PURPOSE, user, until, email };
    let token: Opaque = wanted.issue(tx, &app.keys.credential, app.random, context, now).await?;
    let mac = app.keys.credential.credential_mac(PURPOSE.of_secret(), &token);
    one_time_links::note_asked(tx, &mac, link.browser.as_ref(), &link.detail).await?;
    Ok(format!("{}{PAGE}#t={}", app.public_url, token.reveal()))
}
