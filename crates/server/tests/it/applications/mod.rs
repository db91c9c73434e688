//! Applications that nobody wrote for the gate, and the gate in front of them: Django with users,
//! sessions, forms and CSRF tokens of its own, and Express with server-sent events and a WebSocket.
//! Each under both cookie profiles, with the configuration of its example.

mod browser;
mod django;
mod node;
mod process;
mod socket;

use std::fs;
use std::path::{Path, PathBuf};

use self::process::Process;
pub(crate) use self::process::installed;
use crate::harness::{Setup, TestApp};

/// Where browsers find the gate, and what its cookies are called.
#[derive(Clone, Copy)]
pub(super) struct Place {
    profile: &'static str,
    /// Whether the gate is known by an https address of its own, as behind something that ends TLS.
    /// Otherwise by the address that it listens on.
    is_public: bool,
}

const COMPAT: Place = Place { profile: "compat", is_public: false };
const HARDENED: Place = Place { profile: "hardened", is_public: true };

const PUBLIC_HOST: &str = "gate.example.test";

impl Place {
    /// The name that browsers ask for, without a port.
    fn hostname(self) -> &'static str {
        if self.is_public { PUBLIC_HOST } else { "127.0.0.1" }
    }

    fn scheme(self) -> &'static str {
        if self.is_public { "https" } else { "http" }
    }

    /// The `Host` of this server.
    fn host(self, server: &TestApp) -> String {
        if self.is_public { PUBLIC_HOST.to_owned() } else { server.address.to_string() }
    }

    /// The name of a cookie of the gate.
    fn own_cookie(self, name: &str) -> String {
        let prefix = if self.profile == "hardened" { "__Host-" } else { "" };
        format!("{prefix}{name}")
    }

    /// The configuration of the example, as its users have it, in front of this process.
    fn setup(self, example: &str, process: &Process) -> Setup {
        let file = examples().join(example).join("portcullis.toml");
        let mut config: toml::Table = fs::read_to_string(file).unwrap().parse().unwrap();
        config["gate"]["upstream"] = format!("http://{}", process.address).into();
        let cookies = toml::toml! { profile = "" };
        config.insert("cookies".to_owned(), cookies.into());
        config["cookies"]["profile"] = self.profile.into();
        if self.is_public {
            let more = toml::toml! {
                [server]
                public_url = "https://gate.example.test"
                [mail]
                transport = "file:outbox"
            };
            config.extend(more);
        }
        Setup::with(&config.to_string())
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").canonicalize().unwrap()
}
