//! A server in a process of its own that can be killed and started again on what it left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use portcullis_domain::account::AccountType;
use portcullis_domain::audit::entry::Entry;
use portcullis_domain::password::{self, Memory, Params};
use portcullis_domain::role::BUILT_IN;
use portcullis_domain::text::{Email, Name, Username};
use portcullis_server::clock::Clock;
use portcullis_server::random::Random;
use portcullis_store::audit::{log, pending, tree};
use portcullis_store::users::{self, NewUser};
use portcullis_store::{Db, Options, roles};

use crate::harness::client::Client;
use crate::harness::database::{Database, Kind};
use crate::harness::people::PASSWORD;
use crate::harness::program::Program;

/// Who may do everything.
pub(super) const OWNER: &str = "owner";
/// Each worker has one of its own.
const PEOPLE: [&str; 7] = ["ada", "ben", "cleo", "dan", "eve", "finn", "pia"];
/// Those who forget their password, one after the other.
pub(super) const FORGETFUL: [&str; 8] = ["gus", "hal", "ida", "jim", "kay", "leo", "mae", "ned"];

pub(super) struct Server {
    program: Program,
    database: Database,
    ids: BTreeMap<&'static str, i64>,
}

impl Server {
    pub(super) async fn start(kind: Kind) -> Self {
        let database = Database::fresh(kind).await;
        let config = format!(
            "[database]\nurl = \"{}\"\n{}",
            database.url(),
            r#"
            [session]
            # Whoever was killed is believed to run for a while, and would be waited for. Whoever
            # starts remembers nothing anyhow.
            revocation_bound = "0s"

            [limits]
            login = "off"
            sensitive = "off"
            lockout = "off"
            requests = "off"
            "#
        );
        let program = Program::serve_in(&database.directory(), &config);
        let ids = add_people(&database).await;
        Self { program, database, ids }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.program.address
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.address())
    }

    /// The documented id of a person.
    pub(super) fn id_of(&self, person: &str) -> i64 {
        self.ids[person]
    }

    /// Where captured mail is.
    pub(super) fn outbox(&self) -> PathBuf {
        self.database.directory().join("outbox")
    }

    pub(super) fn kill(&mut self) {
        self.program.kill();
    }

    /// How long it took until it answered that it is ready.
    #[expect(clippy::disallowed_methods, reason = "measures by the machine's clock")]
    pub(super) fn start_again(&mut self) -> Duration {
        let began = Instant::now();
        self.program.start_again();
        began.elapsed()
    }

    /// The requests that the audit log tells of, with or without a place.
    pub(super) async fn written(&self) -> BTreeSet<String> {
        let db = Db::open(&self.database.options(None)).await.unwrap();
        let mut tx = db.read().await.unwrap();
        // What gets its place meanwhile is seen twice rather than not at all.
        let waiting = pending::newest(&mut tx, 100_000).await.unwrap();
        let size = tree::read(&mut tx).await.unwrap().map_or(0, |tree| tree.size);
        let leaves = log::leaves(&mut tx, 0, size).await.unwrap();
        drop(tx);
        db.close().await;
        let placed = leaves.iter().filter_map(|leaf| Entry::parse(leaf)?.request);
        placed.chain(waiting.into_iter().filter_map(|event| event.context.request_id)).collect()
    }

    /// What verifies the whole log has nothing to say.
    pub(super) fn verify(&self, when: &str) {
        let verified = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["audit", "verify", "--json", "--config"])
            .arg(&self.program.config)
            .env_clear()
            .output()
            .unwrap();
        assert!(verified.status.success(), "{when}: {verified:?}");
    }

    pub(super) async fn finish(self) {
        let Self { program, database, .. } = self;
        drop(program);
        database.throw_away().await;
    }
}

/// Straight into the store: a command for each would take longer than the test.
async fn add_people(database: &Database) -> BTreeMap<&'static str, i64> {
    let mut ids = BTreeMap::new();
    let options: Options = database.options(None);
    let db = Db::open(&options).await.unwrap();
    let mut tx = db.write().await.unwrap();
    let (now, random) = (Clock::system().now(), Random);
    let cheapest = Params { memory_kib: 8, iterations: 1, parallelism: 1 };
    let phc = password::hash(&cheapest, &mut Memory::default(), PASSWORD, &[3; 16]).unwrap();
    let of = |name: &str| BUILT_IN.iter().find(|role| role.name == name).unwrap().name;
    for name in PEOPLE.into_iter().chain(FORGETFUL).chain([OWNER]) {
        let role = if name == OWNER { of("owner") } else { of("user") };
        let role_id = roles::by_name(&mut tx, role).await.unwrap().unwrap().id;
        let new = NewUser {
            uuid: random.row_id(now),
            email: Email::parse(&address_of(name)).unwrap(),
            username: Some(Username::parse(name).unwrap()),
            first_name: Name::parse(name).unwrap(),
            last_name: Name::parse("").unwrap(),
            phone: None,
            branch_id: 1,
            account_type: AccountType::Staff,
            role_id,
            password: Some(users::NewPassword::unseen(phc.clone())),
        };
        ids.insert(name, users::insert(&mut tx, &new, now).await.unwrap().0);
    }
    tx.commit().await.unwrap();
    db.close().await;
    ids
}

pub(super) fn address_of(name: &str) -> String {
    format!("{name}@example.com")
}
