//! Through a mail server (RFC 5321): connections that are kept while there is more to send, one
//! message at a time on each, and what the server's answers mean for a message. A connection whose
//! conversation was cut short is never used again. Not when a message is tried again.

mod dial;

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{
    ClientId, Extension, MailBodyParameter, MailParameter, RcptParameter,
};
use lettre::transport::smtp::response::Response;
use tokio::time::timeout;

pub use dial::{DialError, DialerFault};

use dial::Dialer;

use super::sending::{Sending, Trouble, inert};
use crate::config::SmtpServer;

/// How long it may take until the server has greeted, under TLS.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one message may take, connecting included.
pub const WHOLE: Duration = Duration::from_mins(1);
/// How long a server may take to say that a kept connection is still good.
const STILL_THERE: Duration = Duration::from_secs(5);
/// Connections that are kept.
const KEPT: usize = 8;

/// Sends through one mail server.
pub struct Smtp {
    dialer: Dialer,
    hello: ClientId,
    login: Option<Credentials>,
    kept: Mutex<Vec<AsyncSmtpConnection>>,
}

/// A message, and between whom.
pub struct Outgoing {
    pub from: Address,
    pub to: Address,
    pub bytes: Vec<u8>,
}

impl Smtp {
    /// `name` is how we introduce ourselves.
    pub fn new(server: &SmtpServer, name: &str) -> Result<Self, DialerFault> {
        let login = server.login.as_ref();
        Ok(Self {
            dialer: Dialer::new(server, name.to_owned())?,
            hello: ClientId::Domain(name.to_owned()),
            login: login.map(|l| Credentials::new(l.user.clone(), l.password.clone())),
            kept: Mutex::default(),
        })
    }

    /// Sends a message.
    pub async fn send(&self, mail: &Outgoing) -> Sending {
        let sent = timeout(WHOLE, self.send_patiently(mail)).await;
        sent.unwrap_or(Sending::Down(Trouble::Silent))
    }

    /// Whether the server lets us in.
    pub async fn greet(&self) -> Result<(), Trouble> {
        let mut connection =
            timeout(WHOLE, self.connect()).await.map_err(|_| Trouble::Silent)??;
        // It was let in, and whoever is polite takes leave.
        drop(timeout(STILL_THERE, connection.quit()).await);
        Ok(())
    }

    /// Takes leave on every kept connection: there is nothing to send.
    pub async fn rest(&self) {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        for mut connection in kept {
            drop(timeout(STILL_THERE, connection.quit()).await);
        }
    }

    async fn send_patiently(&self, mail: &Outgoing) -> Sending {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(trouble) => return Sending::Down(trouble),
        };
        let sent = hand_over(&mut connection, mail).await;
        let can_go_on = match &sent {
            Sending::Taken(_) => true,
            // What was begun of this message must not become part of the next.
            Sending::NotNow(_) | Sending::Refused(_) => connection.command(Rset).await.is_ok(),
            Sending::Down(_) => false,
        };
        if can_go_on {
            self.keep(connection);
        }
        sent
    }

    /// One that was kept and still answers, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Trouble> {
        while let Some(mut kept) = self.take() {
            if timeout(STILL_THERE, kept.test_connected()).await.unwrap_or(false) {
                return Ok(kept);
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Trouble> {
        let connected = timeout(CONNECT, async {
            let stream = self.dialer.dial().await?;
            let connected = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await;
            connected.map_err(|error| trouble(&error))
        });
        let mut connection = connected.await.map_err(|_| Trouble::Silent)??;
        if let Some(login) = &self.login {
            let known = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&known, login).await.map_err(|error| match error.status() {
                Some(code) if !is_closing(code.into()) => Trouble::Login(words(&error)),
                None if error.is_client() => Trouble::Login(words(&error)),
                Some(_) | None => trouble(&error),
            })?;
        }
        Ok(connection)
    }

    fn take(&self) -> Option<AsyncSmtpConnection> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(connection);
        }
    }
}

/// Where in the conversation the server said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Sender,
    Recipient,
    Text,
}

async fn hand_over(connection: &mut AsyncSmtpConnection, mail: &Outgoing) -> Sending {
    let parameters = match parameters(connection, mail) {
        Ok(parameters) => parameters,
        Err(lacking) => return Sending::Refused(lacking.to_owned()),
    };
    let from = Mail::new(Some(mail.from.clone()), parameters);
    if let Err(error) = connection.command(from).await {
        return judge(Step::Sender, &error);
    }
    let no_parameters: Vec<RcptParameter> = Vec::new();
    if let Err(error) = connection.command(Rcpt::new(mail.to.clone(), no_parameters)).await {
        return judge(Step::Recipient, &error);
    }
    if let Err(error) = connection.command(Data).await {
        return judge(Step::Text, &error);
    }
    match connection.message(&mail.bytes).await {
        Ok(answer) => Sending::Taken(said(&answer)),
        Err(error) => judge(Step::Text, &error),
    }
}

/// What must be announced of a message that is not all ASCII (RFC 6152, RFC 6531).
fn parameters(
    connection: &AsyncSmtpConnection,
    mail: &Outgoing,
) -> Result<Vec<MailParameter>, &'static str> {
    let mut parameters = Vec::new();
    let can = |what| connection.server_info().supports_feature(what);
    let is_plain = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    if !(is_plain(&mail.from) && is_plain(&mail.to)) {
        if !can(Extension::SmtpUtfEight) {
            return Err("the server takes no address with letters beyond ASCII (SMTPUTF8)");
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !mail.bytes.is_ascii() {
        if !can(Extension::EightBitMime) {
            return Err("the server takes no letters beyond ASCII (8BITMIME)");
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

/// What a refusal means. One of the sender or of who we are is about the configuration, and costs no
/// message its life.
fn judge(step: Step, error: &lettre::transport::smtp::Error) -> Sending {
    let Some(code) = error.status() else { return Sending::Down(trouble(error)) };
    match (step, u16::from(code)) {
        (_, closing) if is_closing(closing) => Sending::Down(Trouble::Closed(words(error))),
        (_, 530 | 535 | 538) => Sending::Down(Trouble::Login(words(error))),
        (Step::Sender, 500..) => Sending::Down(Trouble::Sender(words(error))),
        (Step::Recipient | Step::Text, 500..) => Sending::Refused(words(error)),
        (_, ..500) => Sending::NotNow(words(error)),
    }
}

/// The server says good-bye (RFC 5321, section 3.8).
fn is_closing(code: u16) -> bool {
    code == 421
}

fn trouble(error: &lettre::transport::smtp::Error) -> Trouble {
    if error.is_timeout() {
        Trouble::Silent
    } else if error.status().is_some() {
        Trouble::Closed(words(error))
    } else {
        Trouble::Broken(words(error))
    }
}

/// The code and the server's words, made inert.
fn words(error: &lettre::transport::smtp::Error) -> String {
    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    match error.status() {
        Some(code) => inert(&format!("{code} {reason}")),
        None => inert(&reason),
    }
}

fn said(answer: &Response) -> String {
    let lines: Vec<&str> = answer.message().collect();
    inert(&format!("{} {}", answer.code(), lines.join(" ")))
}
