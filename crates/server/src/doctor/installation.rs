//! The installation itself: the data directory and the secret, the database, the running server, and
//! what it needs to reach. Reads, and makes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_domain::time::Time;
use portcullis_store::migrate::{self, MigrateError};
use portcullis_store::{Db, NotReady};
use url::Url;

use super::probe::{Prober, Trouble};
use super::wire::Place;
use super::{Check, Status};
use crate::cli::open;
use crate::clock::Clock;
use crate::config::{Config, Database, Transport};
use crate::geo;
use crate::mail::Mailer;
use crate::secret_file::{self, SecretFileError};
use crate::tls;

/// The mode bits of others than the owner.
const OF_OTHERS: u32 = 0o077;

/// The directory of everything, and mail.
pub fn files(config: &Config) -> Vec<Check> {
    let mut checks = vec![directory("data_dir", &config.server.data_dir)];
    match &config.mail.transport {
        Transport::Directory(outbox) => checks.push(directory("mail", outbox)),
        Transport::Smtp(_) => {}
    }
    checks
}

fn directory(id: &str, path: &Path) -> Check {
    let shown = path.display();
    let start = "start portcullis serve once, as the user that it runs as";
    match fs::metadata(path) {
        Err(error) => Check::fault(id, format!("{shown}: {error}"), start),
        Ok(found) if !found.is_dir() => {
            Check::fault(id, format!("{shown} is no directory"), "name a directory")
        }
        Ok(found) if found.permissions().mode() & OF_OTHERS != 0 => {
            let mode = found.permissions().mode() & 0o7777;
            let detail = format!("others can look into {shown} (mode {mode:04o})");
            Check::found(Status::Warning, id, detail, format!("chmod 700 {shown}"))
        }
        Ok(_) => match tempfile::tempfile_in(path) {
            Ok(_) => Check::ok(id, format!("{shown} can be written")),
            Err(error) => Check::fault(
                id,
                format!("{shown} cannot be written: {error}"),
                "run doctor and serve as the user that owns it",
            ),
        },
    }
}

/// The secret, if there is one that can be used.
pub fn secret(path: &Path) -> (Check, Option<MasterSecret>) {
    const ID: &str = "secret";
    let shown = path.display();
    match secret_file::read(path) {
        Ok(Some(secret)) => (Check::ok(ID, format!("{shown} is its owner's alone")), Some(secret)),
        Ok(None) => {
            let advice = "start portcullis serve once, or name the file that the server uses";
            (Check::fault(ID, format!("there is no {shown}"), advice), None)
        }
        Err(error @ SecretFileError::OpenToOthers { .. }) => {
            (Check::fault(ID, error.to_string(), format!("chmod 600 {shown}")), None)
        }
        Err(error) => {
            let advice = "restore the secret from its backup";
            (Check::fault(ID, error.to_string(), advice), None)
        }
    }
}

/// Whether the database can be worked with: there, of this secret, at this schema, and of one mind
/// about the time.
pub async fn database(config: &Config, keys: &Keys, clock: &Clock) -> Check {
    const ID: &str = "database";
    if let Database::Sqlite(file) = &config.database
        && !file.exists()
    {
        let detail = format!("there is no {}", file.display());
        return Check::fault(ID, detail, "start portcullis serve once");
    }
    let db = match Box::pin(open::open_database(&config.database, keys)).await {
        Ok(db) => db,
        Err(error) => {
            let detail = anyhow::Error::new(error);
            let advice = "start the database, or correct database.url";
            return Check::found(Status::Unreachable, ID, format!("{detail:#}"), advice);
        }
    };
    let check = opened(&db, keys, clock).await;
    db.close().await;
    check
}

async fn opened(db: &Db, keys: &Keys, clock: &Clock) -> Check {
    const ID: &str = "database";
    match db.check(clock.now()).await {
        Ok(()) => {}
        Err(error @ NotReady::Clock) => {
            return Check::fault(ID, error.to_string(), "set both clocks by NTP");
        }
        Err(error @ NotReady::Store(_)) => {
            let advice = "start the database, or correct database.url";
            return Check::found(Status::Unreachable, ID, error.to_string(), advice);
        }
    }
    match migrate::inspect(db, &keys.seal_check()).await {
        Ok(found) if found.version == found.newest => {
            Check::ok(ID, format!("answers, at schema version {}", found.version))
        }
        Ok(found) => {
            let detail = format!("is at schema version {}, not {}", found.version, found.newest);
            Check::fault(ID, detail, "start portcullis serve, which brings it there")
        }
        Err(MigrateError::Store(_)) => {
            Check::fault(ID, "answers, and has no tables", "start portcullis serve once")
        }
        Err(error) => {
            Check::fault(ID, error.to_string(), "name the secret file and database of each other")
        }
    }
}

/// Whether the server runs, is ready, and is the one of this configuration.
pub async fn server(config: &Config, prober: &Prober<'_>) -> Check {
    const ID: &str = "server";
    let listen = config.server.listen;
    let answer = match prober.ask("/readyz", "").await {
        Ok(answer) => answer,
        Err(trouble) => {
            let advice = "start portcullis serve, or correct server.listen";
            return Check::found(Status::Unreachable, ID, trouble.to_string(), advice);
        }
    };
    if answer.status != 200 {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = body.get("code").and_then(serde_json::Value::as_str).unwrap_or("no reason");
        let detail = format!("{listen} answers {} to /readyz: {code}", answer.status);
        return Check::fault(ID, detail, "see the reason code in the handbook");
    }
    match prober.is_known().await {
        Ok(()) => Check::ok(ID, format!("{listen} is ready")),
        Err(trouble @ (Trouble::Front(_) | Trouble::Server(_))) => {
            let advice = "start portcullis serve";
            Check::found(Status::Unreachable, ID, trouble.to_string(), advice)
        }
        Err(Trouble::Stranger(421)) => Check::fault(
            ID,
            format!("{listen} does not serve the host of server.public_url"),
            "restart the server with this configuration",
        ),
        Err(trouble @ Trouble::Stranger(_)) => Check::fault(
            ID,
            trouble.to_string(),
            "restart the server with this configuration, and set the clocks by NTP",
        ),
    }
}

/// Whether the certificate can be shown, and for how long; nothing where plain HTTP is spoken.
pub fn certificate(config: &Config, now: Time) -> Option<Check> {
    const ID: &str = "tls_cert";
    const SOON: Duration = Duration::from_hours(14 * 24);
    let files = config.server.tls.as_ref()?;
    let shown = files.cert.display();
    let renew = "renew it; the server reads the files again when they change";
    Some(match tls::validity(files) {
        Err(fault) => {
            let detail = format!("{:#}", anyhow::Error::new(fault));
            Check::fault(ID, detail, "name a certificate and its key")
        }
        Ok(validity) if now < validity.from => {
            let detail = format!("{shown} is good from {} only", validity.from.iso());
            Check::fault(ID, detail, "set the clock, or take another certificate")
        }
        Ok(validity) if validity.until < now => {
            Check::fault(ID, format!("{shown} was good until {}", validity.until.iso()), renew)
        }
        Ok(validity) if validity.until < now.plus(SOON) => {
            let detail = format!("{shown} is good until {} only", validity.until.iso());
            Check::found(Status::Warning, ID, detail, renew)
        }
        Ok(validity) => Check::ok(ID, format!("{shown} is good until {}", validity.until.iso())),
    })
}

/// Whether the file of places can be used; nothing where none is configured.
pub fn places(config: &Config) -> Option<Check> {
    const ID: &str = "geo_database";
    let file = config.geo.database.as_ref()?;
    Some(match geo::read(file) {
        Ok(_) => Check::ok(ID, format!("{} can be used", file.display())),
        Err(fault) => {
            let detail = format!("{:#}", anyhow::Error::new(fault));
            let advice =
                "people sign in all the same; put a good file there, which is read by itself";
            Check::found(Status::Warning, ID, detail, advice)
        }
    })
}

/// Whether the figures can be asked for; nothing where they are not offered.
pub async fn metrics(config: &Config) -> Option<Check> {
    const ID: &str = "metrics";
    let listen = config.metrics.listen?;
    let ip = reachable(listen.ip());
    let place = Place::plain(ip.to_string(), listen.port(), String::new());
    Some(match place.accepts().await {
        Ok(()) => Check::ok(ID, format!("{listen} accepts connections")),
        Err(error) => Check::found(
            Status::Unreachable,
            ID,
            error.to_string(),
            "start portcullis serve, or correct metrics.listen",
        ),
    })
}

/// An address at which a listener on every address is found.
pub fn reachable(listens: IpAddr) -> IpAddr {
    match listens {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    }
}

/// Whether who must be in front is expected there.
pub fn proxies(config: &Config) -> Check {
    const ID: &str = "proxies";
    let server = &config.server;
    let public = server.public_url_at(server.listen);
    let speaks_tls = server.tls.is_some();
    let is_direct = public.is_https() == speaks_tls && public.port() == server.listen.port();
    if server.trusted_proxies.is_empty() && !is_direct {
        let detail = format!(
            "people type {public}, so something stands before {}, and server.trusted_proxies is empty",
            server.listen
        );
        return Check::found(
            Status::Warning,
            ID,
            detail,
            "name the proxy in server.trusted_proxies",
        );
    }
    if !public.is_https() && !public.host().is_loopback() {
        let detail = format!("{public} is no https: whoever listens on the way gets every session");
        return Check::found(Status::Warning, ID, detail, "end TLS in front");
    }
    let named: Vec<_> = server.trusted_proxies.iter().map(ToString::to_string).collect();
    let named = if named.is_empty() { "nobody".to_owned() } else { named.join(", ") };
    Check::ok(ID, format!("people type {public}; trusted: {named}"))
}

/// Whether the mail server lets us in; nothing where mail is kept in files.
pub async fn mail(config: &Config) -> Option<Check> {
    const ID: &str = "mail";
    let Transport::Smtp(server) = &config.mail.transport else { return None };
    let shown = format!("{}:{}", server.host, server.port);
    let mailer = match Mailer::new(&config.mail) {
        Ok(mailer) => mailer,
        Err(fault) => {
            let detail = format!("{:#}", anyhow::Error::new(fault));
            return Some(Check::fault(ID, detail, "correct the section [mail]"));
        }
    };
    Some(match mailer.check().await {
        Ok(()) => Check::ok(ID, format!("{shown} lets us in")),
        Err(trouble) => {
            let detail = format!("{shown}: {:#}", anyhow::Error::new(trouble));
            let advice = "start the mail server, or correct mail.transport; mail waits until then";
            Check::found(Status::Unreachable, ID, detail, advice)
        }
    })
}

/// Whether the applications accept connections.
pub async fn upstreams(config: &Config) -> Vec<Check> {
    const ID: &str = "upstream";
    let of_rules = config.gate.rules.rules().iter().filter_map(|rule| rule.upstream.as_deref());
    let usual = config.gate.upstream.as_ref().map(Url::as_str);
    let addresses: BTreeSet<_> =
        usual.into_iter().chain(of_rules).map(|text| text.trim_end_matches('/')).collect();
    let mut checks = Vec::new();
    for address in &addresses {
        let found = match place(address) {
            Some(place) => place.accepts().await.map_err(|error| error.to_string()),
            None => Err("is no address".to_owned()),
        };
        checks.push(match found {
            Ok(()) => Check::ok(ID, format!("{address} accepts connections")),
            Err(error) => {
                Check::fault(ID, format!("{address}: {error}"), "start it, or correct its address")
            }
        });
    }
    if addresses.is_empty() {
        checks.push(Check::ok(ID, "none: a proxy leads to the application"));
    }
    checks
}

fn place(address: &str) -> Option<Place> {
    let url = Url::parse(address).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    Some(Place::plain(host, url.port_or_known_default()?, String::new()))
}
