//! Roles on a real database. Which change an actor may make is tabled in the domain; here it is
//! that each flow asks, and that a refusal leaves nothing behind.

use portcullis_domain::role::BUILT_IN;
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_store::Options;
use portcullis_store::audit::pending;
use portcullis_store::events::StoredEvent;
use portcullis_store::migrate::{self, MigrateOptions};
use tempfile::TempDir;

use super::*;

/// A database with the built-in roles, and an actor.
pub(crate) struct Office {
    pub(crate) db: Db,
    pub(crate) authority: Authority,
    pub(crate) context: Context,
    _directory: TempDir,
}

impl Office {
    pub(crate) const NOW: Time = Time(1_795_309_323_000);

    pub(crate) async fn open(authority: Authority) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("test.db").display());
        let keys = Keys::derive(&MasterSecret::from_random([7; 32])).unwrap();
        let db = Db::open(&Options::new(url, keys.audit)).await.unwrap();
        let options = MigrateOptions { seal_check: [7; 32], now: Self::NOW };
        migrate::run(&db, &options).await.unwrap();
        let mut tx = db.write().await.unwrap();
        roles::ensure_built_in(&mut tx, Self::NOW).await.unwrap();
        tx.commit().await.unwrap();
        let context = Context { actor: Some(UserId(7)), ..Context::default() };
        Self { db, authority, context, _directory: directory }
    }

    pub(crate) fn acting(&self) -> Acting<'_> {
        let (db, authority, context) = (&self.db, &self.authority, &self.context);
        Acting { db, random: Random, now: Self::NOW, authority, context }
    }

    /// The events since the last look would be read from here: names and details, oldest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        let mut tx = self.db.read().await.unwrap();
        let mut told: Vec<String> = Vec::new();
        for event in pending::newest(&mut tx, 100).await.unwrap() {
            let event = StoredEvent::from(event);
            assert_eq!(event.context.actor, self.context.actor);
            let subject = event.context.subject.map_or("-".to_owned(), |id| id.to_string());
            told.push(format!("{} {subject} {}", event.name, event.detail));
        }
        // Sorted, so that the expectation does not depend on the clock.
        told.sort();
        told
    }

    async fn grants(&self, name: &str) -> String {
        let role = roles::by_name(&mut self.db.read().await.unwrap(), name).await.unwrap();
        let grants = role.map(|role| role.grants).unwrap_or_default();
        let texts: Vec<String> = grants.iter().map(ToString::to_string).collect();
        texts.join(" ")
    }
}

pub(crate) fn actor(level: i64, list: &[&str]) -> Authority {
    Authority { level: Level::new(level).unwrap(), grants: grants(list) }
}

fn grants(list: &[&str]) -> Grants {
    list.iter().map(|text| one(text)).collect()
}

fn one(text: &str) -> Grant {
    Grant::parse(text).unwrap()
}

fn name(text: &str) -> Name {
    parse_name(text).unwrap()
}

async fn make(office: &Office, role: &str, level: i64, list: &[&str]) -> Create {
    let level = Level::new(level).unwrap();
    create(&office.acting(), &name(role), level, &grants(list)).await.unwrap()
}

#[tokio::test]
async fn a_role_is_made_once_within_ones_reach() {
    let office = Office::open(actor(50, &["api.*"])).await;
    assert_eq!(make(&office, "above", 51, &[]).await, Create::Refused(Refusal::AboveLevel));
    assert_eq!(make(&office, "wide", 10, &["*"]).await, Create::Refused(Refusal::Lacking));
    assert!(office.events().await.is_empty());

    let made = make(&office, "Lettings", 50, &["api.jobs.*", "api.leads"]).await;
    assert!(matches!(made, Create::Created(_)), "{made:?}");
    assert_eq!(office.grants("lettings").await, "api.jobs.* api.leads");
    assert_eq!(make(&office, "LETTINGS", 10, &["api.x"]).await, Create::Taken);
    assert_eq!(make(&office, "owner", 10, &[]).await, Create::Taken);
    assert_eq!(office.grants("lettings").await, "api.jobs.* api.leads");
    assert_eq!(
        office.events().await,
        [
            r#"privilege_permissions_changed - {"granted":true,"key":"api.jobs.*","role":"Lettings"}"#,
            r#"privilege_permissions_changed - {"granted":true,"key":"api.leads","role":"Lettings"}"#,
            r#"role_created - {"level":50,"role":"Lettings"}"#,
        ]
    );
    assert_eq!(list(&office.db).await.unwrap().len(), BUILT_IN.len() + 1);
}

#[tokio::test]
async fn a_grant_is_given_and_taken() {
    let office = Office::open(actor(50, &["api.*"])).await;
    make(&office, "clerk", 20, &["api.jobs.*"]).await;
    let before = office.events().await.len();
    let give = async |role: &str, text: &str, expected: Change| {
        let change = grant(&office.acting(), role, &one(text)).await.unwrap();
        assert_eq!(change, expected, "grant {role} {text}");
    };
    let take = async |role: &str, text: &str, expected: Change| {
        let change = revoke(&office.acting(), role, &one(text)).await.unwrap();
        assert_eq!(change, expected, "revoke {role} {text}");
    };
    give("nobody", "api.x", Change::Unknown).await;
    give("clerk", "page.x", Change::Refused(Refusal::Lacking)).await;
    give("owner", "api.x", Change::Refused(Refusal::BuiltIn)).await;
    take("nobody", "api.x", Change::Unknown).await;
    take("owner", "*", Change::Refused(Refusal::BuiltIn)).await;
    take("clerk", "api.jobs.read", Change::KeptBy(one("api.jobs.*"))).await;
    take("clerk", "api.leads", Change::Unchanged).await;
    give("clerk", "api.jobs.*", Change::Unchanged).await;
    assert_eq!(office.events().await.len(), before);
    assert_eq!(office.grants("clerk").await, "api.jobs.*");

    give("Clerk", "API.Leads", Change::Done).await;
    assert_eq!(office.grants("clerk").await, "api.jobs.* api.leads");
    take("clerk", "api.jobs.*", Change::Done).await;
    take("clerk", "api.jobs.*", Change::Unchanged).await;
    assert_eq!(office.grants("clerk").await, "api.leads");
    assert_eq!(office.events().await.len(), before + 2);
}

#[tokio::test]
async fn nobody_touches_a_role_above_themselves() {
    let office = Office::open(actor(40, &["*"])).await;
    let refused = Change::Refused(Refusal::AboveLevel);
    assert_eq!(grant(&office.acting(), "staff", &one("api.x")).await.unwrap(), refused);
    let held = one("api.security.sessions.list");
    assert_eq!(revoke(&office.acting(), "staff", &held).await.unwrap(), refused);
    assert!(office.events().await.is_empty());
    assert_eq!(grant(&office.acting(), "user", &one("api.x")).await.unwrap(), Change::Done);
}

#[tokio::test]
async fn what_is_exported_imports_as_it_is() {
    let office = Office::open(Authority::operator()).await;
    make(&office, "clerk", 20, &["api.jobs.*", "*"]).await;
    let before = office.events().await;
    let text = export(&list(&office.db).await.unwrap());
    let again = import(&office.acting(), &parse(&text).unwrap()).await.unwrap();
    assert_eq!(again, Import::Done { created: 0, changed: 0, unchanged: BUILT_IN.len() + 1 });
    assert_eq!(office.events().await, before);
    let other = Office::open(Authority::operator()).await;
    let carried = import(&other.acting(), &parse(&text).unwrap()).await.unwrap();
    assert_eq!(carried, Import::Done { created: 1, changed: 0, unchanged: BUILT_IN.len() });
    assert_eq!(export(&list(&other.db).await.unwrap()), text);
}

#[tokio::test]
async fn an_import_makes_roles_what_the_file_says() {
    let office = Office::open(actor(60, &["api.*"])).await;
    make(&office, "clerk", 20, &["api.jobs.*", "api.leads"]).await;
    let before = office.events().await.len();
    let text = r#"{"roles": [
        {"name": "CLERK", "level": 25, "permissions": ["api.leads", "api.Projects"]},
        {"name": "porter", "level": 5, "permissions": []}
    ]}"#;
    let done = import(&office.acting(), &parse(text).unwrap()).await.unwrap();
    assert_eq!(done, Import::Done { created: 1, changed: 1, unchanged: 0 });
    assert_eq!(office.grants("clerk").await, "api.leads api.projects");
    let events = office.events().await;
    assert_eq!(events.len(), before + 4);
    let raised = r#"role_updated - {"level":25,"role":"clerk"}"#;
    assert!(events.contains(&raised.to_owned()), "{events:?}");
    let clerk = roles::by_name(&mut office.db.read().await.unwrap(), "clerk").await.unwrap();
    assert_eq!(clerk.map(|role| role.level), Level::new(25));
    assert_eq!(list(&office.db).await.unwrap().len(), BUILT_IN.len() + 2);
}

#[tokio::test]
async fn an_import_is_all_or_nothing() {
    let office = Office::open(actor(60, &["api.*"])).await;
    make(&office, "clerk", 20, &["api.jobs.*"]).await;
    let before = (office.events().await, export(&list(&office.db).await.unwrap()));
    let check = async |faulty: &str, expected: &[&str]| {
        let good = r#"{"name": "good", "level": 1, "permissions": ["api.x"]}"#;
        let text = format!(r#"{{"roles": [{good}, {faulty}]}}"#);
        let Import::Refused(faults) =
            import(&office.acting(), &parse(&text).unwrap()).await.unwrap()
        else {
            panic!("{faulty} was imported");
        };
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(told, expected, "{faulty}");
        let after = (office.events().await, export(&list(&office.db).await.unwrap()));
        assert_eq!(after, before, "{faulty}");
    };
    let lacking = "You cannot give a permission that you do not hold yourself.";
    check(
        r#"{"name": "new", "level": 61, "permissions": []}"#,
        &[r#"role "new": The role is above your own level."#],
    )
    .await;
    check(
        r#"{"name": "clerk", "level": 20, "permissions": ["page.a", "page.b"]}"#,
        &[&format!(r#"role "clerk": {lacking}"#)],
    )
    .await;
    check(
        r#"{"name": "clerk", "level": 61, "permissions": ["api.jobs.*"]}"#,
        &[r#"role "clerk": The role is above your own level."#],
    )
    .await;
    check(
        r#"{"name": "user", "level": 99, "permissions": ["api.security.mobile_auth.use"]}"#,
        &[r#"role "user": This is a built-in role and cannot be changed so."#],
    )
    .await;
    check(
        r#"{"name": "owner", "level": 100, "permissions": ["api.x"]}"#,
        &[r#"role "owner": This is a built-in role and cannot be changed so."#],
    )
    .await;
}

#[test]
fn a_file_is_checked_whole() {
    let check = |text: &str, expected: &[&str]| {
        let faults = parse(text).err().unwrap_or_default();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), expected.len(), "{text}: {told:?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.contains(expected), "{text}: {told}");
        }
    };
    check(r#"{"roles": []}"#, &[]);
    check(r#"{"roles": [{"name": "a", "level": 0, "permissions": ["*", "*"]}]}"#, &[]);
    check("", &["line 1"]);
    check("[]", &["The file is no list of roles"]);
    check(r#"{"roles": [], "users": []}"#, &["unknown field `users`"]);
    check(r#"{"roles": [{"name": "a", "level": 0}]}"#, &["missing field `permissions`"]);
    check(r#"{"roles": [{"name": "a", "level": "0", "permissions": []}]}"#, &["line 1"]);
    check(
        r#"{"roles": [
            {"name": "", "level": 101, "permissions": ["a b", "api.*.c"]},
            {"name": "ok", "level": 1, "permissions": []},
            {"name": "OK ", "level": -1, "permissions": []}
        ]}"#,
        &["Its name", "Its level is 101", "\"a b\"", "\"api.*.c\"", "twice", "Its level is -1"],
    );
}
