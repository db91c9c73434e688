//! Mail: a row in the outbox, written in the transaction of what it tells about, and a job that
//! delivers it. Not here: what a message says, which is in `letter`.

mod files;
mod letter;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use portcullis_domain::text::Email;
use portcullis_domain::time::Time;
use portcullis_store::outbox::{self, Mail as Row, NewMail};
use portcullis_store::{Error, Tx};

use crate::app::App;
use crate::config::{Mail, Transport};

use files::Files;
pub use letter::{Letter, Link};

/// How often the outbox is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How many messages one look takes.
const BATCH: i64 = 20;
/// How long a message that could not be delivered waits, per attempt so far.
const PATIENCE: Duration = Duration::from_secs(30);

/// Delivers messages.
pub struct Mailer {
    from: String,
    files: Arc<Files>,
}

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("an address cannot be written to")]
    Address(#[from] lettre::address::AddressError),
    #[error("the message cannot be put together")]
    Message(#[from] lettre::error::Error),
    #[error("the file cannot be written")]
    File(#[from] io::Error),
}

impl Mailer {
    /// Makes the directory that messages are written to, readable by its owner alone.
    pub fn new(mail: &Mail) -> io::Result<Self> {
        let Transport::Directory(directory) = &mail.transport;
        let files = Files::open(directory)?;
        Ok(Self { from: mail.from.as_str().to_owned(), files: Arc::new(files) })
    }

    async fn deliver(&self, row: &Row) -> Result<(), MailError> {
        let mut message = lettre::Message::builder()
            .from(self.from.parse::<Mailbox>()?)
            .to(row.recipient.parse::<Mailbox>()?)
            .subject(&row.subject)
            .singlepart(SinglePart::plain(row.body.clone()))?;
        let headers = message.headers_mut();
        for (name, value) in [("X-Portcullis-Link", &row.link), ("X-Portcullis-Code", &row.code)] {
            if let Some(value) = value {
                let name = HeaderName::new_from_ascii_str(name);
                headers.insert_raw(HeaderValue::new(name, value.clone()));
            }
        }
        let (files, message) = (Arc::clone(&self.files), message.formatted());
        let (id, recipient) = (row.id.clone(), row.recipient.clone());
        // A disk may be slow, and other requests have this thread too.
        let write = move || files.write(&id, &recipient, &message);
        Ok(tokio::task::spawn_blocking(write).await.map_err(io::Error::from)??)
    }
}

/// Queues a letter to somebody, in the transaction of what it tells about.
pub async fn send(
    app: &App,
    tx: &mut Tx,
    to: &Email,
    letter: &Letter,
    now: Time,
) -> Result<(), Error> {
    let mail = NewMail {
        id: app.random.row_id(now),
        recipient: to.as_str().to_owned(),
        subject: letter.subject.to_owned(),
        body: letter.text(),
        link: letter.link.as_ref().map(|link| link.url.clone()),
        code: letter.code.clone(),
    };
    outbox::insert(tx, &mail, now).await
}

/// Delivers what is due, until the server stops.
pub async fn run(app: App) {
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = deliver_due(&app).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the outbox was not read");
        }
    }
}

/// Delivers what is due now. Messages are leased first and delivered outside a transaction, so a
/// slow disk does not hold up the writer; what cannot be delivered is tried again later.
pub async fn deliver_due(app: &App) -> Result<(), Error> {
    let mut tx = app.db.write().await?;
    let due = outbox::claim(&mut tx, app.clock.now(), BATCH).await?;
    tx.commit().await?;
    for row in due {
        let delivered = app.mailer.deliver(&row).await;
        let now = app.clock.now();
        let mut tx = app.db.write_once().await?;
        match delivered {
            Ok(()) => outbox::sent(&mut tx, &row.id, now).await?,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a message is late");
                let attempts = u32::try_from(row.attempts).unwrap_or(u32::MAX).saturating_add(1);
                let next = now.plus(PATIENCE.saturating_mul(attempts));
                outbox::failed(&mut tx, &row.id, next).await?
            }
        };
        tx.commit().await?;
    }
    Ok(())
}
