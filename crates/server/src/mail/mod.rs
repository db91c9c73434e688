//! Mail: a row in the outbox, written in the transaction of what it tells about, and a job that
//! delivers it. Not here: what a message says, which is in `letter`.

mod cap;
mod condition;
mod delivery;
mod files;
pub mod held;
mod letter;
mod message;
mod sending;
pub mod smtp;

use std::io;
use std::sync::Arc;

use lettre::Address;
use portcullis_domain::delivery::worth_until;
use portcullis_domain::text::Email;
use portcullis_domain::time::Time;
use portcullis_store::outbox::{self, Mail as Row, NewMail};
use portcullis_store::{Error, Tx};

use crate::app::App;
use crate::config::{Mail, Transport};

use condition::Condition;
use files::Files;
use smtp::{DialerFault, Outgoing, Smtp};

pub use cap::Cap;
pub use delivery::{deliver_due, run};
pub use letter::{FileLine, Letter, Link, PlaceFacts};
pub use sending::{Sending, Trouble};

/// Delivers messages.
pub struct Mailer {
    from: Address,
    way: Way,
    /// Whether they can be delivered at the moment.
    pub condition: Condition,
}

/// How messages leave.
enum Way {
    Files(Arc<Files>),
    Smtp(Box<Smtp>),
}

/// Why no mail can leave by this configuration.
#[derive(Debug, thiserror::Error)]
pub enum MailerFault {
    #[error("the directory for mail could not be made")]
    Directory(#[source] io::Error),
    #[error("mail.from cannot be a sender")]
    From(#[source] lettre::address::AddressError),
    #[error(transparent)]
    Dialer(#[from] DialerFault),
}

impl Mailer {
    /// Makes the directory that messages are written to, readable by its owner alone; or sets up the
    /// way to the mail server, without asking it for anything.
    pub fn new(mail: &Mail) -> Result<Self, MailerFault> {
        let from = message::address(mail.from.as_str()).map_err(MailerFault::From)?;
        let way = match &mail.transport {
            Transport::Directory(directory) => {
                Way::Files(Arc::new(Files::open(directory).map_err(MailerFault::Directory)?))
            }
            Transport::Smtp(server) => Way::Smtp(Box::new(Smtp::new(server, from.domain())?)),
        };
        Ok(Self { from, way, condition: Condition::default() })
    }

    /// Delivers one message, or says why not.
    pub async fn deliver(&self, row: &Row) -> Sending {
        let mut message = match message::compose(&self.from, row) {
            Ok(message) => message,
            Err(error) => return Sending::Refused(format!("{:#}", anyhow::Error::new(error))),
        };
        match &self.way {
            Way::Smtp(smtp) => {
                let [to] = message.envelope().to() else {
                    return Sending::Refused("a message goes to one".to_owned());
                };
                let (from, to) = (self.from.clone(), to.clone());
                smtp.send(&Outgoing { from, to, bytes: message.formatted() }).await
            }
            Way::Files(files) => {
                message::mark(&mut message, row);
                let (files, message) = (Arc::clone(files), message.formatted());
                let (id, recipient) = (row.id.clone(), row.recipient.clone());
                // A disk may be slow, and other requests have this thread too.
                let write = move || files.write(&id, &recipient, &message);
                match tokio::task::spawn_blocking(write).await.map_err(io::Error::from).flatten() {
                    Ok(name) => Sending::Taken(name),
                    Err(error) => Sending::Down(Trouble::File(error)),
                }
            }
        }
    }

    /// Delivers a message that is in no outbox.
    pub async fn deliver_at_once(&self, new: NewMail, now: Time) -> Sending {
        let NewMail { id, recipient, subject, body, html, link, code, worth_until } = new;
        let row = Row {
            id,
            recipient,
            subject,
            body,
            html: Some(html),
            link,
            code,
            created_at: now,
            worth_until: Some(worth_until),
            attempts: 1,
        };
        self.deliver(&row).await
    }

    /// Whether a message could leave, as far as can be told without one.
    pub async fn check(&self) -> Result<(), Trouble> {
        match &self.way {
            Way::Smtp(smtp) => smtp.greet().await,
            Way::Files(_) => Ok(()),
        }
    }

    /// There is nothing to send: connections are closed.
    async fn rest(&self) {
        match &self.way {
            Way::Smtp(smtp) => smtp.rest().await,
            Way::Files(_) => {}
        }
    }
}

/// Queues a letter to somebody, in the transaction of what it tells about, unless there were enough.
pub async fn send(
    app: &App,
    tx: &mut Tx,
    to: &Email,
    letter: &Letter,
    now: Time,
) -> Result<(), Error> {
    if let Some(cap) = letter.cap
        && !cap.admits(app.random, tx, to, now).await?
    {
        return Ok(());
    }
    let place = app.public_url.to_string();
    outbox::insert(tx, &write(app.random.row_id(now), to, letter, &place, now), now).await
}

/// A letter as the outbox keeps it. `place` is the address that people type.
pub fn write(id: String, to: &Email, letter: &Letter, place: &str, now: Time) -> NewMail {
    NewMail {
        id,
        recipient: to.as_str().to_owned(),
        subject: letter.subject.to_owned(),
        body: letter.text(),
        html: letter.html(place),
        link: letter.link.as_ref().map(|link| link.url.clone()),
        code: letter.code.clone(),
        worth_until: worth_until(now, letter.until),
    }
}
