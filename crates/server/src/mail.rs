//! Mail: a row in the outbox, written in the transaction of what it tells about, and a job that
//! delivers it. One transport so far: a file for each message (RFC 5322), written by rename, so
//! that a reader never sees half of one.

use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use portcullis_domain::time::Time;
use portcullis_store::outbox::{self, Mail as Row, NewMail};
use portcullis_store::users::User;
use portcullis_store::{Error, Tx};

use crate::app::App;
use crate::config::{Mail, Transport};

/// How often the outbox is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How many messages one look takes.
const BATCH: i64 = 20;
/// How long a message that could not be delivered waits, per attempt so far.
const PATIENCE: Duration = Duration::from_secs(30);

/// Delivers messages.
pub struct Mailer {
    from: String,
    directory: PathBuf,
}

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("an address cannot be written to")]
    Address(#[from] lettre::address::AddressError),
    #[error("the message cannot be put together")]
    Message(#[from] lettre::error::Error),
    #[error("the file cannot be written")]
    File(#[from] std::io::Error),
}

impl Mailer {
    /// Makes the directory that messages are written to, readable by its owner alone.
    pub fn new(mail: &Mail) -> std::io::Result<Self> {
        let Transport::Directory(directory) = &mail.transport;
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        Ok(Self { from: mail.from.as_str().to_owned(), directory: directory.clone() })
    }

    fn deliver(&self, row: &Row) -> Result<(), MailError> {
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
        write_by_rename(&self.directory, &row.recipient, &message.formatted())?;
        Ok(())
    }
}

/// Tells somebody that a network was locked out of the account.
pub async fn locked_out(
    app: &App,
    tx: &mut Tx,
    user: &User,
    until: Time,
    now: Time,
) -> Result<(), Error> {
    let body = format!(
        "Somebody typed wrong passwords for your account several times in a row. Sign-in from \
         their network is locked until {}. Devices on which you signed in before are not \
         affected.\n\nIf this was not you, nothing needs to be done.\n",
        until.iso()
    );
    put(app, tx, user, "Sign-in to your account was locked", body, now).await
}

/// Tells somebody that the account takes no password any more.
pub async fn password_disabled(
    app: &App,
    tx: &mut Tx,
    user: &User,
    now: Time,
) -> Result<(), Error> {
    let body = "Your account was given too many wrong passwords in a row. Signing in with a \
                password is switched off until an administrator unlocks it.\n"
        .to_owned();
    put(app, tx, user, "Your password was switched off", body, now).await
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
        let delivered = app.mailer.deliver(&row);
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

async fn put(
    app: &App,
    tx: &mut Tx,
    user: &User,
    subject: &str,
    body: String,
    now: Time,
) -> Result<(), Error> {
    let mail = NewMail {
        id: app.random.row_id(now),
        recipient: user.email.as_str().to_owned(),
        subject: subject.to_owned(),
        body,
        link: None,
        code: None,
    };
    outbox::insert(tx, &mail, now).await
}

/// Writes `NNNNNN-recipient.eml` with the next free number, readable by its owner alone.
fn write_by_rename(directory: &Path, recipient: &str, message: &[u8]) -> std::io::Result<()> {
    let safe: String = recipient
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "@.+-_".contains(c) { c } else { '_' })
        .collect();
    let temporary = directory.join(format!(".{safe}.part"));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(message)?;
    file.sync_all()?;
    let number = next_number(directory)?;
    std::fs::rename(&temporary, directory.join(format!("{number:06}-{safe}.eml")))
}

fn next_number(directory: &Path) -> std::io::Result<u32> {
    let mut highest = 0;
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_string_lossy().split('-').next().and_then(|text| text.parse().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest + 1)
}
