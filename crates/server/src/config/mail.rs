//! `[mail]`: where mail goes. The address of a mail server holds a password, so its faults say which
//! part is wrong and never show it.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use portcullis_domain::text::{Email, Host};
use url::Url;

use super::fault::Reported;
use super::read::Reader;
use super::values;
use super::{Mail, Transport};

/// A mail server, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct SmtpServer {
    pub host: Host,
    pub port: u16,
    pub security: MailSecurity,
    /// `None`: it takes mail from whoever can reach it.
    pub login: Option<MailLogin>,
    /// The certificates that vouch for the server's; `None`: Mozilla's.
    pub roots: Option<PathBuf>,
}

/// What guards the conversation with a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS from the first byte.
    Tls,
    /// TLS after `STARTTLS`, and not a word more without it.
    StartTls,
    /// None. The server is on this machine.
    Plain,
}

/// Who we are to a mail server. No `Debug` of the password.
#[derive(Clone)]
pub struct MailLogin {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for MailLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailLogin").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The section.
pub(super) fn mail(r: &mut Reader<'_>, data_dir: &Path) -> Result<Mail, Reported> {
    let written = r.optional("transport", |text| Some(text.to_owned()));
    let transport = written.and_then(|written| match written {
        None => Ok(Transport::Directory(data_dir.join("outbox"))),
        Some(text) => transport(&text, data_dir)
            .map_err(|fault| r.refuse("transport", fault.found, fault.accepted)),
    });
    let roots = r.optional("tls_ca", values::path);
    let from = r.one("from", |text| Email::parse(text).ok());
    let transport = match (transport?, roots?) {
        (Transport::Smtp(server), roots) if server.security != MailSecurity::Plain => {
            Transport::Smtp(SmtpServer { roots, ..server })
        }
        (transport, None) => transport,
        (_, Some(_)) => {
            let found = "there is no TLS in mail.transport";
            return Err(r.refuse("tls_ca", found, "with smtp:// or smtps:// only"));
        }
    };
    Ok(Mail { transport, from: from? })
}

/// What is wrong with a transport, without a word of what was written.
#[derive(Debug, PartialEq, Eq)]
struct Unusable {
    found: &'static str,
    accepted: &'static str,
}

const FORMS: &str = "file:DIRECTORY, smtp://USER:PASSWORD@HOST:587 or smtps://USER:PASSWORD@HOST";
const LOGIN: &str = "a name and a password in which every character but letters, digits and -._~ is \
                     percent-encoded: %40 for @";

fn transport(text: &str, data_dir: &Path) -> Result<Transport, Unusable> {
    if let Some(directory) = text.strip_prefix("file:") {
        let unnamed = Unusable { found: "file: names no directory", accepted: FORMS };
        let directory = values::path(directory).ok_or(unnamed)?;
        return Ok(Transport::Directory(data_dir.join(directory)));
    }
    let fault = |found, accepted| Unusable { found, accepted };
    let is_smtp = ["smtp://", "smtps://"].iter().any(|scheme| text.starts_with(scheme));
    if !is_smtp {
        return Err(fault("the value begins with neither file: nor smtp:// nor smtps://", FORMS));
    }
    let url = Url::parse(text).map_err(|_| fault("the value is no address", FORMS))?;
    let host = url.host_str().and_then(|host| Host::parse(host).ok());
    let host = host.ok_or_else(|| fault("the value names no host", FORMS))?;
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        let accepted = "nothing after the host and the port, but ?tls=none";
        return Err(fault("something stands behind the host", accepted));
    }
    let security = security(&url, &host)?;
    let usual = if security == MailSecurity::Tls { 465 } else { 587 };
    let port = url.port().unwrap_or(usual);
    if port == 0 {
        return Err(fault("0 is no port", "a port from 1 to 65535"));
    }
    Ok(Transport::Smtp(SmtpServer { host, port, security, login: login(&url)?, roots: None }))
}

fn security(url: &Url, host: &Host) -> Result<MailSecurity, Unusable> {
    match (url.scheme(), url.query()) {
        ("smtps", None) => Ok(MailSecurity::Tls),
        ("smtp", None) => Ok(MailSecurity::StartTls),
        ("smtp", Some("tls=none")) if host.is_loopback() => Ok(MailSecurity::Plain),
        ("smtp", Some("tls=none")) => Err(Unusable {
            found: "tls=none would send passwords and codes over the network in the clear",
            accepted: "tls=none with localhost, 127.0.0.1 or [::1] only",
        }),
        _ => Err(Unusable {
            found: "something stands behind the host",
            accepted: "nothing after the host and the port, but ?tls=none of smtp://",
        }),
    }
}

/// A name alone or a password alone is an oversight, such as an empty variable.
fn login(url: &Url) -> Result<Option<MailLogin>, Unusable> {
    let fault = |found| Unusable { found, accepted: LOGIN };
    let password = url.password().unwrap_or_default();
    match (url.username(), password) {
        ("", "") => Ok(None),
        ("", _) => Err(fault("there is a password and no name")),
        (_, "") => Err(fault("there is a name and no password")),
        (user, password) => {
            let user = decoded(user).ok_or_else(|| fault("the name is not UTF-8"))?;
            let password = decoded(password).ok_or_else(|| fault("the password is not UTF-8"))?;
            Ok(Some(MailLogin { user, password }))
        }
    }
}

/// Without control characters: none is in a password that somebody chose, and some end a command.
fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().map(Cow::into_owned).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Transport, Unusable> {
        transport(text, Path::new("/data"))
    }

    #[test]
    fn mail_servers_are_read() {
        let check = |text: &str, host: &str, port, security, login: Option<(&str, &str)>| {
            let Ok(Transport::Smtp(server)) = parse(text) else { panic!("{text} was refused") };
            assert_eq!((server.host.as_str(), server.port), (host, port), "{text}");
            assert_eq!(server.security, security, "{text}");
            let found = server.login.as_ref().map(|l| (l.user.as_str(), l.password.as_str()));
            assert_eq!(found, login, "{text}");
        };
        let (tls, start, plain) = (MailSecurity::Tls, MailSecurity::StartTls, MailSecurity::Plain);
        check("smtps://mail.example.org", "mail.example.org", 465, tls, None);
        check("smtps://mail.example.org:4650/", "mail.example.org", 4650, tls, None);
        check("smtp://mail.example.org", "mail.example.org", 587, start, None);
        let login = Some(("gate@example.org", "p@ss:word/ü"));
        check(
            "smtp://gate%40example.org:p%40ss%3Aword%2F%C3%BC@mail.example.org:25",
            "mail.example.org",
            25,
            start,
            login,
        );
        check("smtp://localhost:1025?tls=none", "localhost", 1025, plain, None);
        check("smtp://127.0.0.1:1025/?tls=none", "127.0.0.1", 1025, plain, None);
        check("smtp://[::1]:1025?tls=none", "[::1]", 1025, plain, None);
        check("smtp://192.0.2.1", "192.0.2.1", 587, start, None);
    }

    #[test]
    fn faults_say_which_part_is_wrong() {
        let check = |text: &str, found: &str| {
            let Err(fault) = parse(text) else { panic!("{text} was accepted") };
            assert_eq!(fault.found, found, "{text}");
        };
        check("file:", "file: names no directory");
        check("sendmail", "the value begins with neither file: nor smtp:// nor smtps://");
        check(
            "smtp:mail.example.org",
            "the value begins with neither file: nor smtp:// nor smtps://",
        );
        check("smtp://", "the value names no host");
        check("smtp://user:pass@", "the value is no address");
        check("smtp://mail.example.org:99999", "the value is no address");
        check("smtp://mail.example.org:0", "0 is no port");
        check("smtp://mail_%00.example.org", "the value names no host");
        check("smtp://mail.example.org/queue", "something stands behind the host");
        check("smtp://mail.example.org#x", "something stands behind the host");
        check("smtps://localhost?tls=none", "something stands behind the host");
        check("smtp://localhost?tls=off", "something stands behind the host");
        check("smtp://localhost?tls=none&x=1", "something stands behind the host");
        let in_the_clear = "tls=none would send passwords and codes over the network in the clear";
        check("smtp://mail.example.org?tls=none", in_the_clear);
        check("smtp://localhost.example.org?tls=none", in_the_clear);
        check("smtp://192.0.2.1?tls=none", in_the_clear);
        check("smtp://user@mail.example.org", "there is a name and no password");
        check("smtp://user:@mail.example.org", "there is a name and no password");
        check("smtp://:pass@mail.example.org", "there is a password and no name");
        check("smtp://user:%ff@mail.example.org", "the password is not UTF-8");
        check("smtp://%ff:pass@mail.example.org", "the name is not UTF-8");
        check("smtp://user:a%0d%0ab@mail.example.org", "the password is not UTF-8");
    }

    #[test]
    fn a_password_is_not_shown() {
        let text = "smtp://gate:Xq7hiddenXq7@mail.example.org";
        let Ok(transport) = parse(text) else { panic!("refused") };
        assert!(!format!("{transport:?}").contains("hidden"));
    }
}
