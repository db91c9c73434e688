//! Debian's nginx, Caddy and HAProxy, run with the examples of the handbook as they are written
//! there, in front of the application of the tests and of a server under test. Not Traefik and
//! Envoy, which Debian does not have: what they send is in `endpoint`.

mod d1;
mod doctor;
mod endpoint;
mod every;
mod recipe;
mod running;
mod security;
mod switching;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::harness::client::Client;
use crate::harness::database;
use crate::harness::people::{Person, sign_in};
use crate::harness::{Setup, TestApp};
use running::Running;

/// What stands in front of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// The gate itself.
    Gate,
    /// nginx or Caddy leads to the gate.
    GateBehindNginx,
    GateBehindCaddy,
    /// The proxy is the gate, and asks.
    Nginx,
    Caddy,
    Haproxy,
}

impl Front {
    pub(super) const ALL: [Self; 6] = [
        Self::Gate,
        Self::GateBehindNginx,
        Self::GateBehindCaddy,
        Self::Nginx,
        Self::Caddy,
        Self::Haproxy,
    ];
    pub(super) const ASKING: [Self; 3] = [Self::Nginx, Self::Caddy, Self::Haproxy];

    /// Whether the proxy leads to the application past the gate.
    pub(super) fn asks(self) -> bool {
        Self::ASKING.contains(&self)
    }
}

/// A server under test, with a front before it and the application.
pub(super) struct Fronted {
    pub(super) front: Front,
    pub(super) server: TestApp,
    /// Where people go.
    pub(super) address: SocketAddr,
    /// Ends with the test.
    _proxy: Option<Running>,
}

/// Runs a test with each of these fronts.
pub(super) async fn with_each(fronts: &[Front], test: impl AsyncFn(&Fronted)) {
    for front in fronts {
        let fronted = Fronted::start(*front).await;
        test(&fronted).await;
        fronted.server.finish().await;
    }
}

impl Fronted {
    async fn start(front: Front) -> Self {
        // What a proxy does is the same on every database.
        let kind = database::kinds()[0];
        if front == Front::Gate {
            let server = TestApp::start(kind, &Setup::default()).await;
            let address = server.address;
            return Self { front, server, address, _proxy: None };
        }
        let mut fault = String::new();
        // Between asking for a free port and listening on it, somebody else may take it.
        for _ in 0..3 {
            let address = free_address();
            let config = format!(
                "[server]\npublic_url = \"http://{address}\"\ntrusted_proxies = [\"127.0.0.1\"]"
            );
            let server = TestApp::start(kind, &Setup::with(&config)).await;
            let recipe = recipe::of(front, address, server.address, server.upstream.address);
            match Running::start(front, &recipe, address).await {
                Ok(proxy) => return Self { front, server, address, _proxy: Some(proxy) },
                Err(log) => fault = log,
            }
            server.finish().await;
        }
        panic!("{front:?} does not run: {fault}");
    }

    /// Somebody at the front with no credential.
    pub(super) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Signs somebody in through the front.
    pub(super) async fn sign_in(&self, person: &Person) -> Client {
        let client = self.client();
        let password = crate::harness::people::PASSWORD;
        let answer = sign_in(&client, person.username.unwrap(), password).await;
        assert_eq!(answer.status, 201, "{:?}: {answer:?}", self.front);
        client
    }
}

/// A free port of this machine, below those that the system gives out by itself, and each number once:
/// Caddy and HAProxy share a port that another of them has, and answer in its place.
pub(super) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], NEXT.fetch_add(1, Ordering::Relaxed)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
