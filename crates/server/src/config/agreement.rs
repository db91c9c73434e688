//! What sections must agree on: each value is good, and together they are not.

use portcullis_domain::text::Host;

use super::fault::{Fault, Faults};
use super::source::Source;
use super::{Cookies, Profile, Server};

/// Adds the faults of values that contradict each other. `cookies` is `None` where it is faulty itself.
pub(super) fn check(
    source: &Source,
    server: &Server,
    cookies: Option<&Cookies>,
    faults: &mut Faults,
) {
    let public_url = server.public_url_at(server.listen);
    let mut refuse = |section: &str, name: &str, found: String, accepted: &str| {
        faults.push(contradiction(source, section, name, found, accepted));
    };
    if server.tls.is_some() && !public_url.is_https() {
        let found = format!("{public_url} is not where server.tls_cert serves");
        refuse("server", "public_url", found, "an https address, or no tls_cert and tls_key");
    }
    if let Some(cookies) = cookies {
        let hardened = cookies.profile == Profile::Hardened;
        if hardened && !public_url.is_https() {
            let found =
                format!("hardened cookies need https, and server.public_url is {public_url}");
            refuse("cookies", "profile", found, "compat, or an https public_url");
        }
        match &cookies.domain {
            Some(_) if hardened => {
                let found = "the __Host- names of hardened cookies forbid a domain".to_owned();
                refuse("cookies", "domain", found, "no domain, or profile = \"compat\"");
            }
            Some(domain) if !covers(domain, public_url.host()) => {
                let found =
                    format!("{domain} is not the domain of server.public_url, {public_url}");
                refuse("cookies", "domain", found, "the host of public_url, or a domain above it");
            }
            Some(_) | None => {}
        }
    }
    let mail_is_default = source.setting("mail", "transport").is_none();
    if mail_is_default && !public_url.host().is_loopback() {
        let found =
            format!("mail would stay in files here, while server.public_url is {public_url}");
        refuse(
            "mail",
            "transport",
            found,
            "a mail server, or transport = \"file:outbox\" written out, if that is meant",
        );
    }
}

/// Whether browsers send a cookie of `domain` to `host` (RFC 6265 section 5.1.3).
fn covers(domain: &Host, host: &Host) -> bool {
    let above = host.as_str().strip_suffix(domain.as_str());
    above.is_some_and(|left| left.is_empty() || left.ends_with('.'))
}

fn contradiction(
    source: &Source,
    section: &str,
    name: &str,
    found: String,
    accepted: &str,
) -> Fault {
    Fault {
        place: source.place_of(section, name),
        key: format!("{section}.{name}"),
        found,
        accepted: accepted.to_owned(),
    }
}
