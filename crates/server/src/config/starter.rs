//! The configuration that `portcullis init` writes: the keys that matter at first, each explained,
//! and what its arguments may be. Every key is in `sample`.

use std::path::Path;

use portcullis_domain::origin::Origin;
use url::Url;

use super::{keys, values};

/// What a first configuration is made from.
pub struct Starter<'a> {
    /// The application.
    pub upstream: &'a Url,
    /// The address that people type, if it is not the one that the gate listens on.
    pub public_url: Option<&'a Origin>,
    /// A full path, so that the gate finds its data wherever it is started.
    pub data_dir: &'a Path,
}

/// Reads the address of an application as `gate.upstream` does.
pub fn upstream(text: &str) -> Result<Url, String> {
    values::http_url(text).ok_or_else(|| accepted("gate", "upstream"))
}

/// Reads a public address as `server.public_url` does.
pub fn public_url(text: &str) -> Result<Origin, String> {
    Origin::parse_url(text).map_err(|_| accepted("server", "public_url"))
}

impl Starter<'_> {
    /// The text of the file.
    pub fn text(&self) -> String {
        let upstream = self.upstream.as_str().trim_end_matches('/');
        let parts = [HEAD, &self.server(upstream), &self.mail(), &gate(upstream), RULES];
        parts.concat()
    }

    fn server(&self, upstream: &str) -> String {
        let public_url = match self.public_url {
            Some(url) => format!("public_url = {}", quoted(&url.to_string())),
            None => "# public_url = \"https://app.example.org\"".to_owned(),
        };
        let data_dir = quoted(&self.data_dir.to_string_lossy());
        format!(
            "[server]
# Where the gate listens. From here on people use this address instead of {upstream},
# which nobody but the gate should be able to reach.
listen = \"127.0.0.1:{port}\"
# The address that people type, when it is another one, as behind a proxy that ends TLS.
{public_url}
# The proxies in front of the gate. Without this all clients have the address of the proxy.
# trusted_proxies = [\"127.0.0.1\"]
# The database, the secret that all keys come from, and mail.
data_dir = {data_dir}

",
            port = self.port(),
        )
    }

    /// An application on the usual port of the gate keeps it.
    fn port(&self) -> u16 {
        match self.upstream.port_or_known_default() {
            Some(8080) => 8081,
            Some(_) | None => 8080,
        }
    }

    fn mail(&self) -> String {
        let is_public = self.public_url.is_some_and(|url| !url.host().is_loopback());
        if is_public { MAIL.to_owned() } else { String::new() }
    }
}

const HEAD: &str = "\
# Portcullis, the gate in front of an application: what matters at first.
# `portcullis config sample` prints every key, `portcullis config check --config FILE` lists every
# fault of this file.

";

const MAIL: &str = "\
[mail]
# Mail to users is kept as files in this directory inside data_dir; nothing is sent.
transport = \"file:outbox\"

";

fn gate(upstream: &str) -> String {
    let upstream = quoted(upstream);
    format!("[gate]\n# The application.\nupstream = {upstream}\n\n")
}

const RULES: &str = r#"# Who may pass to the application: one table for each rule. The longer path wins, whatever the
# order. Where no rule matches, nobody passes.
[[gate.rule]]
id = "application"
path = "/"
allow = "signed_in"
# What guards requests that change something (POST, PUT, PATCH, DELETE) against other sites:
#   "origin"  what a browser sends for another site is refused. Nothing is asked of the application:
#             its forms work as they are, also with CSRF tokens of their own.
#   "token"   as well, each must show a token of the gate, which the application finds in the header
#             X-Auth-CSRF-Token and puts into its forms. Holds for browsers that say nothing, too.
csrf = "origin"

# Open to everybody:
# [[gate.rule]]
# id = "public"
# path = "/public"
# allow = "anyone"

# For those whose role has a permission (portcullis role grant NAME office.admin.manage):
# [[gate.rule]]
# id = "admin"
# path = "/admin"
# allow = { permission = "office.admin.manage" }
"#;

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn accepted(section: &str, key: &str) -> String {
    let found = keys::section(section).and_then(|section| section.key(key));
    found.map_or_else(String::new, |key| format!("accepted: {}", key.accepted))
}

#[cfg(test)]
mod tests {
    use portcullis_domain::request_path::RequestPath;
    use portcullis_domain::rule::{Allow, CsrfMode};

    use super::*;
    use crate::config::Config;

    fn text(upstream_text: &str, public: Option<&str>) -> String {
        let upstream = upstream(upstream_text).unwrap();
        let public = public.map(|text| public_url(text).unwrap());
        let data_dir = Path::new("/srv/\"data\" of ä");
        Starter { upstream: &upstream, public_url: public.as_ref(), data_dir }.text()
    }

    fn load(text: &str) -> Config {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("portcullis.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file), std::iter::empty()).unwrap_or_else(|faults| panic!("{faults}"))
    }

    #[test]
    fn what_is_written_is_what_was_asked_for() {
        let check = |upstream: &str, public: Option<&str>, listen: &str, url: &str| {
            let config = load(&text(upstream, public));
            assert_eq!(config.gate.upstream.unwrap().as_str(), format!("{upstream}/"));
            assert_eq!(config.server.listen.to_string(), listen, "{upstream}");
            assert_eq!(config.server.public_url_at(config.server.listen).to_string(), url);
            assert_eq!(config.server.data_dir, Path::new("/srv/\"data\" of ä"));
            let [rule] = config.gate.rules.rules() else { panic!("one rule") };
            assert_eq!((&rule.allow, rule.csrf), (&Allow::SignedIn, CsrfMode::Origin));
            assert_eq!(rule.path, RequestPath::parse("/").unwrap());
        };
        let local = "http://127.0.0.1:3000";
        check(local, None, "127.0.0.1:8080", "http://127.0.0.1:8080");
        check("https://app.internal", None, "127.0.0.1:8080", "http://127.0.0.1:8080");
        check("http://127.0.0.1:8080", None, "127.0.0.1:8081", "http://127.0.0.1:8081");
        check(local, Some("http://localhost:9000"), "127.0.0.1:8080", "http://localhost:9000");
        check(local, Some("https://app.example"), "127.0.0.1:8080", "https://app.example");
    }

    #[test]
    fn every_example_in_it_is_good() {
        let commented = text("http://127.0.0.1:3000", None);
        let code = |line: &str| {
            let rest = line.strip_prefix("# ")?;
            (rest.starts_with('[') || rest.split_once(' ')?.1.starts_with("= "))
                .then(|| rest.to_owned())
        };
        let live: Vec<String> =
            commented.lines().map(|line| code(line).unwrap_or_else(|| line.to_owned())).collect();
        let text = live.join("\n") + "\n[mail]\ntransport = \"file:outbox\"\n";
        let config = load(&text);
        let mut ids: Vec<&str> =
            config.gate.rules.rules().iter().map(|rule| rule.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["admin", "application", "public"]);
        assert_eq!(config.server.trusted_proxies.len(), 1);
        assert!(config.server.public_url.is_some());
        assert!(commented.lines().all(|line| line.chars().count() <= 100), "{commented}");
    }
}
