//! The transport that keeps each message as a file (RFC 5322), named when it is whole, so that a
//! reader never sees half of one.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The directory of the files `NNNNNN-recipient.eml`.
pub(super) struct Files {
    directory: PathBuf,
    /// The number of the next file; `None` before the first look at those that are there.
    next: Mutex<Option<u64>>,
}

impl Files {
    /// Makes the directory, readable by its owner alone.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        Ok(Self { directory: directory.to_owned(), next: Mutex::new(None) })
    }

    /// Writes a message, readable by its owner alone. No file is ever written over: where the name
    /// is taken, as by another node with the same directory, the next number is. Returns the name.
    pub(super) fn write(&self, id: &str, recipient: &str, message: &[u8]) -> io::Result<String> {
        let recipient = in_file_name(recipient);
        let draft = self.directory.join(format!(".{id}.part"));
        write_draft(&draft, message)?;
        let name = loop {
            let name = format!("{:06}-{recipient}.eml", self.take_number()?);
            match fs::hard_link(&draft, self.directory.join(&name)) {
                Ok(()) => break name,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        // The message is delivered, whatever becomes of its second name.
        drop(fs::remove_file(&draft));
        Ok(name)
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

    use portcullis_domain::time::Time;
    use portcullis_store::outbox::Mail as Row;

    use super::*;
    use crate::config::{Mail, Transport};
    use crate::mail::{Mailer, Sending};

    fn mailer(directory: &Path) -> Mailer {
        let transport = Transport::Directory(directory.to_owned());
        let from = Email::parse("gate@example.com").unwrap();
        Mailer::new(&Mail { transport, from }).unwrap()
    }

    async fn deliver(mailer: &Mailer, id: &str, recipient: &str) {
        let row = Row {
            id: id.to_owned(),
            recipient: recipient.to_owned(),
            subject: "Hello".to_owned(),
            body: "a body".to_owned(),
            link: None,
            code: None,
            html: None,
            created_at: Time(0),
            worth_until: None,
            attempts: 1,
        };
        let sending = mailer.deliver(&row).await;
        assert!(matches!(sending, Sending::Taken(_)), "{sending:?}");
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
        deliver(&mailer, "a", "ada@example.com").await;
        deliver(&mailer, "b", "o'neil@example.com").await;
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
        deliver(&mailer(home.path()), "a", &long).await;
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
        deliver(&mailer, "a", "ada@example.com").await;
        // Since the first look: the next two numbers are taken for her, and a higher one is given.
        put("000043-ada@example.com.eml");
        put("000044-ada@example.com.eml");
        put("000900-x.eml");
        deliver(&mailer, "b", "ada@example.com").await;
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
