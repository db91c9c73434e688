//! Mail: a row in the outbox, written in the transaction of what it tells about, and a job that
//! delivers it. One transport so far: a file for each message (RFC 5322), named when it is whole, so
//! that a reader never sees half of one.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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
    files: Arc<Files>,
}

/// The directory of the files `NNNNNN-recipient.eml`.
struct Files {
    directory: PathBuf,
    /// The number of the next file; `None` before the first look at those that are there.
    next: Mutex<Option<u64>>,
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
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let files = Files { directory: directory.clone(), next: Mutex::new(None) };
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

/// Tells somebody that two had the cookie of a browser that stays signed in.
pub async fn remember_reused(app: &App, tx: &mut Tx, user: &User, now: Time) -> Result<(), Error> {
    let body = "A cookie that keeps a browser signed in to your account is good once, and came a \
                second time. Somebody may have copied it, so that browser and whoever used the copy \
                were signed out.\n\nPlease sign in again. If you cannot explain it, such as by a \
                restored backup of the browser, set a new password: it signs everybody out.\n"
        .to_owned();
    put(app, tx, user, "You were signed out for safety", body, now).await
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

impl Files {
    /// Writes a message, readable by its owner alone. No file is ever written over: where the name
    /// is taken, as by another node with the same directory, the next number is.
    fn write(&self, id: &str, recipient: &str, message: &[u8]) -> io::Result<()> {
        let recipient = in_file_name(recipient);
        let draft = self.directory.join(format!(".{id}.part"));
        write_draft(&draft, message)?;
        loop {
            let name = format!("{:06}-{recipient}.eml", self.take_number()?);
            match fs::hard_link(&draft, self.directory.join(name)) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        // The message is delivered, whatever becomes of its second name.
        drop(fs::remove_file(&draft));
        Ok(())
    }

    fn take_number(&self) -> io::Result<u64> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let number = match *next {
            Some(number) => number,
            None => highest_number(&self.directory)?.saturating_add(1),
        };
        *next = Some(number.saturating_add(1));
        Ok(number)
    }
}

/// With the number before it and `.eml` after it, within the 255 bytes that a name may have.
fn in_file_name(recipient: &str) -> String {
    const MOST_CHARS: usize = 200;
    let safe = |c: char| if c.is_ascii_alphanumeric() || "@.+-_".contains(c) { c } else { '_' };
    recipient.chars().map(safe).take(MOST_CHARS).collect()
}

fn write_draft(path: &Path, message: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(message)?;
    file.sync_all()
}

fn highest_number(directory: &Path) -> io::Result<u64> {
    let mut highest = 0;
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_string_lossy().split('-').next().and_then(|text| text.parse().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use portcullis_domain::text::Email;

    use super::*;

    fn mailer(directory: &Path) -> Mailer {
        let transport = Transport::Directory(directory.to_owned());
        let from = Email::parse("gate@example.com").unwrap();
        Mailer::new(&Mail { transport, from }).unwrap()
    }

    fn row(id: &str, recipient: &str) -> Row {
        Row {
            id: id.to_owned(),
            recipient: recipient.to_owned(),
            subject: "Hello".to_owned(),
            body: "a body".to_owned(),
            link: None,
            code: None,
            created_at: Time(0),
            attempts: 1,
        }
    }

    /// The files of the directory, by name.
    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn messages_are_numbered_files_that_only_the_owner_reads() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("outbox");
        let mailer = mailer(&directory);
        mailer.deliver(&row("a", "ada@example.com")).await.unwrap();
        mailer.deliver(&row("b", "o'neil@example.com")).await.unwrap();
        assert_eq!(
            names(&directory),
            ["000001-ada@example.com.eml", "000002-o_neil@example.com.eml"]
        );
        let file = directory.join("000001-ada@example.com.eml");
        assert!(fs::read_to_string(&file).unwrap().contains("a body"));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn an_address_of_any_length_is_delivered_to() {
        let home = tempfile::tempdir().unwrap();
        let domain = ["b".repeat(60), "c".repeat(60), "d".repeat(59)].join(".");
        let long = format!("{}@{domain}.example", "a".repeat(64));
        assert_eq!(Email::parse(&long).unwrap().as_str().len(), 254);
        mailer(home.path()).deliver(&row("a", &long)).await.unwrap();
        let names = names(home.path());
        assert_eq!(names, [format!("000001-{}.eml", &long[..200])]);
    }

    #[tokio::test]
    async fn the_directory_is_looked_at_once_and_no_file_is_written_over() {
        let home = tempfile::tempdir().unwrap();
        let put = |name: &str| fs::write(home.path().join(name), "theirs").unwrap();
        put("000041-x.eml");
        put("letters-x.eml");
        let mailer = mailer(home.path());
        mailer.deliver(&row("a", "ada@example.com")).await.unwrap();
        // Since the first look: the next two numbers are taken for her, and a higher one is given.
        put("000043-ada@example.com.eml");
        put("000044-ada@example.com.eml");
        put("000900-x.eml");
        mailer.deliver(&row("b", "ada@example.com")).await.unwrap();
        let expected = [
            "000041-x.eml",
            "000042-ada@example.com.eml",
            "000043-ada@example.com.eml",
            "000044-ada@example.com.eml",
            "000045-ada@example.com.eml",
            "000900-x.eml",
            "letters-x.eml",
        ];
        assert_eq!(names(home.path()), expected);
        let kept = fs::read_to_string(home.path().join("000043-ada@example.com.eml")).unwrap();
        assert_eq!(kept, "theirs");
    }
}
