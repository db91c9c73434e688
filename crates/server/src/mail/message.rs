//! A row of the outbox as a message (RFC 5322): text and HTML beside each other, under headers that
//! nobody but we and the library write. Not what it says, which is in `letter`.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use portcullis_store::outbox::Mail as Row;

/// Why there can be no such message.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritable {
    #[error("an address cannot be written to")]
    Address(#[from] lettre::address::AddressError),
    #[error("the message cannot be put together")]
    Message(#[from] lettre::error::Error),
}

/// The message. Its id is that of the row, so that one which was sent twice after a crash can be told
/// from two.
pub(super) fn compose(from: &Address, row: &Row) -> Result<Message, Unwritable> {
    let since_epoch = Duration::from_millis(u64::try_from(row.created_at.0).unwrap_or_default());
    let builder = Message::builder()
        .from(Mailbox::new(None, from.clone()))
        .to(Mailbox::new(None, address(&row.recipient)?))
        .subject(&row.subject)
        .date(UNIX_EPOCH + since_epoch)
        .message_id(Some(format!("<{}@{}>", row.id, from.domain())));
    let text = row.body.clone();
    let mut message = match row.html.clone() {
        Some(html) => builder.multipart(MultiPart::alternative_plain_html(text, html))?,
        None => builder.singlepart(SinglePart::plain(text))?,
    };
    // So that nobody's holiday notice answers (RFC 3834).
    put(&mut message, "Auto-Submitted", "auto-generated");
    Ok(message)
}

/// Adds what is in the message for whoever tries things out. On files only: a mail server, and
/// everybody on the way, would read the code twice.
pub(super) fn mark(message: &mut Message, row: &Row) {
    for (name, value) in [("X-Portcullis-Link", &row.link), ("X-Portcullis-Code", &row.code)] {
        if let Some(value) = value {
            put(message, name, value);
        }
    }
}

/// An address in the spelling that every mail server takes: the domain in ASCII.
pub(super) fn address(text: &str) -> Result<Address, lettre::address::AddressError> {
    let (local, domain) = text.split_once('@').unwrap_or((text, ""));
    match url::Host::parse(domain) {
        Ok(url::Host::Domain(domain)) => Address::new(local, domain),
        Ok(url::Host::Ipv4(_) | url::Host::Ipv6(_)) | Err(_) => Address::new(local, domain),
    }
}

fn put(message: &mut Message, name: &'static str, value: &str) {
    let name = HeaderName::new_from_ascii_str(name);
    message.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
}

#[cfg(test)]
mod tests {
    use portcullis_domain::text::Email;
    use portcullis_domain::time::Time;

    use super::*;

    fn row() -> Row {
        Row {
            id: "0190-7".to_owned(),
            recipient: "ada@example.com".to_owned(),
            subject: "Hello".to_owned(),
            body: "a body\n".to_owned(),
            html: Some("<p>a body</p>".to_owned()),
            link: None,
            code: None,
            created_at: Time(1_795_309_323_000),
            worth_until: None,
            attempts: 1,
        }
    }

    fn written(row: &Row) -> String {
        let from = address("gate@example.org").unwrap();
        String::from_utf8(compose(&from, row).unwrap().formatted()).unwrap()
    }

    /// The lines of the header, those that were folded put together.
    fn header(message: &str) -> Vec<String> {
        let (header, _) = message.split_once("\r\n\r\n").unwrap();
        header.replace("\r\n ", " ").split("\r\n").map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_message_has_what_mail_servers_look_for() {
        let message = written(&row());
        let header = header(&message);
        for line in [
            "From: gate@example.org",
            "To: ada@example.com",
            "Subject: Hello",
            "Date: Sun, 22 Nov 2026 01:02:03 +0000",
            "Message-ID: <0190-7@example.org>",
            "MIME-Version: 1.0",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(header.iter().any(|found| found == line), "{line}: {header:?}");
        }
        assert!(message.contains("multipart/alternative") && message.is_ascii());
        let text = message.find("a body\r\n").unwrap();
        assert!(text < message.find("<p>a body</p>").unwrap(), "the last is the one that is shown");
    }

    #[test]
    fn what_comes_from_outside_writes_no_header() {
        let check = |change: fn(&mut Row)| {
            let mut changed = row();
            change(&mut changed);
            let from = address("gate@example.org").unwrap();
            let Ok(message) = compose(&from, &changed) else { return };
            let bytes = String::from_utf8(message.formatted()).unwrap();
            let header = header(&bytes);
            let (names, expected): (Vec<_>, Vec<_>) = (names(&header), names(&header_of_usual()));
            assert_eq!(names, expected, "{bytes}");
            assert_eq!(message.envelope().to().len(), 1);
        };
        check(|row| row.subject = "Hi\r\nBcc: eve@example.net".to_owned());
        check(|row| row.subject = "Hi\nBcc: eve@example.net\n\nbody".to_owned());
        check(|row| row.subject = format!("{}\r\nBcc: eve@example.net", "x".repeat(90)));
        check(|row| row.subject = "Grüße\r\nBcc: eve@example.net".to_owned());
        check(|row| row.recipient = "ada@example.com\r\nBcc: eve@example.net".to_owned());
        check(|row| row.recipient = "ada@example.com, eve@example.net".to_owned());
        check(|row| row.recipient = "\"ada\r\nBcc: eve\"@example.com".to_owned());
        check(|row| row.recipient = "ada@example.com>\r\nDATA".to_owned());
        check(|row| row.body = "Hi\r\n.\r\nMAIL FROM:<eve@example.net>\r\n".to_owned());
    }

    fn header_of_usual() -> Vec<String> {
        header(&written(&row()))
    }

    fn names(header: &[String]) -> Vec<String> {
        header.iter().map(|line| line.split(':').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_script_can_be_written_in() {
        let mut changed = row();
        changed.subject = "Grüße aus 東京".to_owned();
        changed.body = "Привет, 東京\n".to_owned();
        changed.recipient = Email::parse("ada@bücher.example").unwrap().as_str().to_owned();
        let message = written(&changed);
        assert!(message.is_ascii(), "{message}");
        assert!(message.contains("To: ada@xn--bcher-kva.example"), "{message}");
        assert!(message.contains("Subject: =?utf-8?b?"), "{message}");
    }
}
