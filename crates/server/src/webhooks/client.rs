//! The way of a message to its receiver: one POST, signed as Standard Webhooks says, with bounds on
//! everything. Redirects are not followed, because they would lead elsewhere than the operator said.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use portcullis_domain::time::Time;
use portcullis_domain::webhook::WebhookSecret;
use rustls::ClientConfig;
use rustls::pki_types::pem;
use tokio::time::timeout;

use super::Message;
use crate::config::Webhook;
use crate::outgoing::{self, HttpsClient, TrustFault};

/// For the connection.
const CONNECT: Duration = Duration::from_secs(5);
/// For all of it, up to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long an idle connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(4);
/// The longest answer that is read, in bytes: only its status counts.
const LONGEST_ANSWER: usize = 16 * 1024;

/// What sends to one receiver.
pub struct Client {
    http: HttpsClient<Full<Bytes>>,
    url: String,
    secret: WebhookSecret,
}

/// Why a receiver cannot be sent to by this configuration.
#[derive(Debug, thiserror::Error)]
pub enum ClientFault {
    #[error("audit.webhook {name}: tls_ca cannot be read as PEM")]
    Roots {
        name: String,
        #[source]
        source: pem::Error,
    },
    #[error("audit.webhook {name}: tls_ca has no certificate that can vouch for others")]
    NoRoots { name: String },
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// Why a message did not arrive, in our own words: what the receiver said is not repeated.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("no connection")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("the connection broke")]
    Broken(#[source] hyper_util::client::legacy::Error),
    #[error("no answer in time")]
    Silent,
    #[error("the answer is {}", .0.as_u16())]
    Answered(StatusCode),
    #[error("the message could not be written")]
    Unwritable(#[from] http::Error),
}

impl Client {
    /// For a receiver.
    pub fn new(webhook: &Webhook) -> Result<Self, ClientFault> {
        let http = outgoing::client(tls(webhook)?, CONNECT, POOL_IDLE);
        Ok(Self { http, url: webhook.url.to_string(), secret: webhook.secret.clone() })
    }

    /// Sends a message. It has arrived if the answer is a success (2xx).
    pub async fn send(&self, message: &Message, now: Time) -> Result<(), Refused> {
        timeout(PATIENCE, self.attempt(message, now)).await.unwrap_or(Err(Refused::Silent))
    }

    async fn attempt(&self, message: &Message, now: Time) -> Result<(), Refused> {
        let Message { id, body } = message;
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("Portcullis/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", now.secs())
            .header("webhook-signature", self.secret.sign(id, now, body))
            .body(Full::from(Bytes::copy_from_slice(body)))?;
        let sent = self.http.request(request).await;
        let answer = sent.map_err(|error| {
            if error.is_connect() { Refused::Unreachable(error) } else { Refused::Broken(error) }
        })?;
        let status = answer.status();
        // Read so that the connection can be used again; nothing depends on it.
        drop(Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await);
        if status.is_success() { Ok(()) } else { Err(Refused::Answered(status)) }
    }
}

fn tls(webhook: &Webhook) -> Result<ClientConfig, ClientFault> {
    let name = || webhook.name.clone();
    outgoing::tls(webhook.roots.as_deref()).map_err(|fault| match fault {
        TrustFault::Roots(source) => ClientFault::Roots { name: name(), source },
        TrustFault::NoRoots => ClientFault::NoRoots { name: name() },
        TrustFault::Setup(fault) => ClientFault::Setup(fault),
    })
}
