//! `[[audit.webhook]]`: other systems that are sent what happens. An address may hold a token, so
//! neither it nor the secret is shown in a fault.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use portcullis_domain::activity::query::Action;
use portcullis_domain::event::Severity;
use portcullis_domain::webhook::WebhookSecret;
use url::Url;

use super::fault::{Faults, Reported};
use super::read::Reader;
use super::source::Source;
use super::table::WEBHOOK;
use super::values::{self, word};

/// A receiver of what happens.
#[derive(Clone)]
pub struct Webhook {
    pub name: String,
    pub url: Url,
    pub secret: WebhookSecret,
    pub format: WebhookFormat,
    /// What matters less is not sent.
    pub severity: Severity,
    /// Nothing else is sent; empty: everything is.
    pub events: Vec<Action>,
    /// The certificates that vouch for the receiver's; `None`: Mozilla's.
    pub roots: Option<PathBuf>,
}

/// How events are written in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookFormat {
    Native,
    Ocsf,
}

impl Webhook {
    /// Where it is, without what may be secret.
    pub fn place(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The receivers, in the order of the file.
pub(super) fn webhooks(source: &Source, faults: &mut Faults) -> Result<Vec<Webhook>, Reported> {
    let (mut good, mut names) = (Vec::new(), BTreeSet::new());
    let mut outcome = Ok(());
    for settings in source.tables(&WEBHOOK) {
        let mut r = Reader::new(&WEBHOOK, settings.clone(), faults);
        match webhook(&mut r) {
            Ok(webhook) if !names.insert(webhook.name.clone()) => {
                let found = format!("{:?} is the name of another receiver", webhook.name);
                outcome = Err(r.refuse("name", &found, "a name of its own for each receiver"));
            }
            Ok(webhook) => good.push(webhook),
            Err(reported) => outcome = Err(reported),
        }
    }
    outcome.map(|()| good)
}

fn webhook(r: &mut Reader<'_>) -> Result<Webhook, Reported> {
    // It is part of the ids of messages, which have no full stop in them.
    let name = r.one("name", values::short_name);
    let url = r.one("url", address);
    let secret = r.one("secret", WebhookSecret::parse);
    let formats = [("native", WebhookFormat::Native), ("ocsf", WebhookFormat::Ocsf)];
    let format = r.optional("format", word(&formats));
    let severities = [Severity::Info, Severity::Warning, Severity::Critical];
    let severity = r.optional("severity", word(&severities.map(|it| (it.as_str(), it))));
    let events = r.optional_whole("events", |names| {
        let all: Option<Vec<Action>> = names.iter().map(|name| Action::parse(name)).collect();
        all.filter(|all| !all.is_empty())
    });
    let roots = r.optional("tls_ca", values::path);
    let (url, roots) = (url?, roots?);
    if roots.is_some() && url.scheme() == "http" {
        return Err(r.refuse("tls_ca", "there is no TLS in the url", "with https:// only"));
    }
    Ok(Webhook {
        name: name?,
        url,
        secret: secret?,
        format: format?.unwrap_or(WebhookFormat::Native),
        severity: severity?.unwrap_or(Severity::Info),
        events: events?.unwrap_or_default(),
        roots,
    })
}

fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    let names_nobody = url.username().is_empty() && url.password().is_none();
    let is_good = is_http && names_nobody && url.fragment().is_none() && url.port() != Some(0);
    is_good.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const GOOD: &str = "name = \"siem\"\nurl = \"https://siem.example.org/hook?token=Xq7hidden\"\n\
                        secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";

    fn load(tables: &str) -> Result<Vec<Webhook>, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("portcullis.toml");
        std::fs::write(&file, tables).unwrap();
        let loaded = Config::load(Some(&file), std::iter::empty());
        loaded.map(|config| config.audit.webhooks).map_err(|faults| faults.to_string())
    }

    #[test]
    fn receivers_are_read() {
        let [siem, other] = &*load(&format!(
            "[[audit.webhook]]\n{GOOD}[[audit.webhook]]\nname = \"chat\"\n\
             url = \"http://127.0.0.1:9/x\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n\
             format = \"ocsf\"\nseverity = \"critical\"\nevents = [\"authn_*\", \"user_deleted\"]\n"
        ))
        .unwrap() else {
            panic!("two receivers")
        };
        assert_eq!((siem.name.as_str(), siem.format), ("siem", WebhookFormat::Native));
        assert_eq!((siem.severity, siem.events.len()), (Severity::Info, 0));
        assert_eq!(siem.place(), "https://siem.example.org");
        assert_eq!((other.format, other.severity), (WebhookFormat::Ocsf, Severity::Critical));
        assert_eq!(other.events.len(), 2);
        assert!(!format!("{siem:?}").contains("hidden"));
    }

    #[test]
    fn faults_name_the_key_and_show_no_secret() {
        let check = |tables: String, key: &str| {
            let faults = load(&tables).unwrap_err();
            assert!(faults.contains(key), "{key}: {faults}");
            assert!(!faults.contains("hidden") && !faults.contains("MfKQ"), "{faults}");
        };
        let with = |from: &str, to: &str| format!("[[audit.webhook]]\n{}", GOOD.replace(from, to));
        check(with("\"siem\"", "\"Siem.\""), "audit.webhook.name");
        check(with("https://", "ftp://"), "audit.webhook.url");
        check(with("https://", "https://a:b@"), "audit.webhook.url");
        check(with("?token", "#token"), "audit.webhook.url");
        check(with("whsec_MfKQ", "MfKQ"), "audit.webhook.secret");
        check(with("name", "nom"), "audit.webhook.nom");
        check(format!("[[audit.webhook]]\n{GOOD}format = \"cef\"\n"), "audit.webhook.format");
        check(format!("[[audit.webhook]]\n{GOOD}events = []\n"), "audit.webhook.events");
        check(format!("[[audit.webhook]]\n{GOOD}events = [\"A\"]\n"), "audit.webhook.events");
        let twice = format!("[[audit.webhook]]\n{GOOD}[[audit.webhook]]\n{GOOD}");
        check(twice, "audit.webhook.name");
        let plain = with("https://", "http://") + "tls_ca = \"ca.pem\"\n";
        check(plain, "audit.webhook.tls_ca");
        check("[audit]\nwebhook = 1\n".to_owned(), "audit.webhook");
        check("[[audit.webhook]]\n".to_owned(), "audit.webhook.secret");
    }
}
