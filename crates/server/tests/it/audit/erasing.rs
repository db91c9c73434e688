//! People are taken out to the last byte, and the log stays what it was.

use std::fs;

use http::Method;
use portcullis_domain::account::AccountType;
use portcullis_domain::audit::entry::{Entry, Person as Number};
use portcullis_domain::audit::personal::Part;
use portcullis_domain::audit::tree::CompactRange;
use portcullis_domain::event::{Context, Event, SignInFailure};
use portcullis_domain::id::UserId;
use portcullis_domain::session::SignInForm;
use portcullis_store::audit::people;
use portcullis_store::events::{self, EventFilter, Standing, StoredEvent};
use serde_json::{Value, json};

use super::entries;
use crate::cli::beside::beside;
use crate::harness::client::{Answer, Client};
use crate::harness::people::{AGENT, PASSWORD, Person, STAFF, STAFF0, TENANT, Z1, sign_in};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const QUIX: Person = Person {
    email: "quix.vander@erase.example",
    username: Some("quixvander"),
    account_type: AccountType::Tenant,
    role: "user",
};

/// What must not be found anywhere, once she is gone.
const TRACES: [&str; 9] = [
    "quix.vander",
    "quixvander",
    "new.quix@erase.example",
    "Quixotica",
    "Vandermeulen",
    "+99 555 0123",
    "203.0.113.99",
    "ErasableAgent",
    "Because of a parcel",
];

fn setup() -> Setup {
    Setup::with(
        "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n\
         [limits]\nlogin = \"50/60s\"\nlockout = \"10/15m\"\n",
    )
}

async fn erase(client: &Client, id: UserId, basis: &str) -> Answer {
    let path = format!("/api/admin/users/{}/erase", id.0);
    client.act(Method::POST, &path, &json!({"basis": basis})).await
}

/// Everything that leaves a trace of somebody.
async fn live(server: &TestApp, owner: &Client) -> UserId {
    let user = server.add(&QUIX).await;
    let profile = json!({
        "user_uuid": user.uuid, "first_name": "Quixotica", "last_name": "Vandermeulen",
        "phone": "+99 555 0123",
    });
    let done = owner.act(Method::PUT, "/api/users/profile", &profile).await;
    assert_eq!(done.status, 200, "{done:?}");
    let sent = async |client: &Client, path: &str, body: Value| {
        let sending = client.post(path).header("x-forwarded-for", "203.0.113.99");
        let sending = sending.header("user-agent", "ErasableAgent/7.0").from_own_page();
        let token = client.cookie("csrftoken").unwrap_or_default();
        sending.header("x-csrf-token", &token).json(&body).send().await
    };
    let client = server.client();
    let login = |password| json!({"email": QUIX.email, "password": password, "remember": true});
    assert_eq!(sent(&client, "/api/auth/login", login("wrong")).await.status, 401);
    assert_eq!(sent(&client, "/api/auth/login", login(PASSWORD)).await.status, 201);
    let asked = json!({"email": QUIX.email});
    assert_eq!(sent(&client, "/api/auth/forgot-password", asked.clone()).await.status, 201);
    let wrong = json!({"email": QUIX.email, "code": "000000"});
    assert_eq!(sent(&server.client(), "/api/auth/verify-reset-code", wrong).await.status, 400);
    let link = json!({"action": "request", "email": QUIX.email});
    assert_eq!(sent(&server.client(), "/api/password-reset", link).await.status, 200);
    let change = json!({"email": "new.quix@erase.example", "current_password": PASSWORD});
    let changed = sent(&client, "/api/account/email", change).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let refused = sent(&client, "/api/users/users", json!({"action": "create_user"})).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    for action in [
        json!({"action": "blacklist_add", "user_id": user.id, "reason": "Because of a parcel"}),
        json!({"action": "blacklist_remove", "user_id": user.id}),
        json!({"action": "blacklist_add", "user_id": user.id, "reason": "Because of a parcel"}),
    ] {
        let done = owner.act(Method::POST, "/api/security/sessions", &action).await;
        assert_eq!(done.status, 200, "{done:?}");
    }
    server.events("authn_password_reset_asked", 2).await;
    user.id
}

/// What the server keeps, but for mail that was delivered.
async fn kept(server: &TestApp) -> Vec<u8> {
    assert!(server.app.db.fold().await.unwrap(), "nobody reads");
    drop(fs::remove_dir_all(server.data_dir.join("outbox")));
    server.everything_written().await
}

fn traces_in(bytes: &[u8]) -> Vec<&'static str> {
    let holds = |needle: &&str| bytes.windows(needle.len()).any(|found| found == needle.as_bytes());
    TRACES.into_iter().filter(holds).collect()
}

/// The events of the log, each with how it stands with its personal data.
async fn all(server: &TestApp) -> Vec<StoredEvent> {
    let filter = EventFilter { name: None, subject: None, limit: 10_000 };
    let mut tx = server.app.db.read().await.unwrap();
    events::list(&mut tx, &server.app.keys.audit, &filter).await.unwrap()
}

/// Whose data the entry commits to.
fn owners(entry: &Entry) -> Vec<(Part, Option<Number>)> {
    let from = entry.from.map(|_| (Part::From, entry.actor.or(entry.subject)));
    let texts = entry.texts.map(|_| (Part::Texts, entry.subject.or(entry.actor)));
    from.into_iter().chain(texts).collect()
}

/// That everything committed to is there, but for what belongs to this person, of which nothing is.
async fn assert_whole_but_for(server: &TestApp, gone: Number) -> (Vec<Entry>, CompactRange) {
    let (entries, range) = entries(server).await;
    let stored = all(server).await;
    for entry in &entries {
        let event = stored.iter().find(|event| event.index == Some(entry.index)).unwrap();
        let is_his = owners(entry).iter().any(|(_, owner)| *owner == Some(gone));
        let expected = if is_his { Standing::Erased } else { Standing::Whole };
        assert_eq!(event.personal, expected, "{entry:?}");
    }
    (entries, range)
}

#[tokio::test]
async fn somebody_is_gone_to_the_last_byte_and_the_log_is_whole() {
    on_each_database_with(setup(), async |server| {
        let owner = server.by_cookie(&STAFF).await;
        server.add(&Z1).await;
        let control = server.client();
        assert_eq!(sign_in(&control, Z1.username.unwrap(), PASSWORD).await.status, 201);
        let id = live(server, &owner).await;
        let (before, _) = entries(server).await;
        let known = people::of_user(&mut server.app.db.read().await.unwrap(), id).await.unwrap();
        let person = known.unwrap().person;
        // What belongs to nobody known is sealed: the search would not find it in any case.
        let bytes = kept(server).await;
        assert_eq!(traces_in(&bytes), TRACES, "control: all of it is found before");

        let answer = erase(&owner, id, "request 4711").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let data = &answer.json()["data"];
        assert_eq!(data["person"], person.to_string());
        assert!(data["entries"].as_u64().unwrap() > 8, "{data}");
        assert_eq!(traces_in(&kept(server).await), [""; 0]);

        let (entries, _) = assert_whole_but_for(server, person).await;
        assert_eq!(entries[..before.len()], before, "nothing that was hashed has changed");
        let told = server.events("privacy_erased", 1).await;
        assert_eq!(
            told[0].detail,
            json!({
                "person": person.to_string(), "entries": data["entries"], "basis": "request 4711",
            })
        );
        assert_eq!(told[0].context.subject, None);
        let deleted = entries.iter().find(|entry| entry.event == "user_deleted").unwrap();
        assert_eq!(deleted.subject, Some(person), "the number stands for what was done");

        // Somebody else is untouched, and can do what he could.
        assert_eq!(control.get("/api/auth/me").send().await.status, 200);
        let his = all(server).await;
        let his = his.iter().find(|event| event.name == "authn_login_success").unwrap();
        assert!(his.context.user_agent.is_some() || his.context.ip.is_some(), "{his:?}");
        // Her address is free, and whoever has it next is somebody else.
        let next = server.add(&QUIX).await;
        assert_ne!(next.id, id);
        assert_eq!(sign_in(&server.client(), "quixvander", PASSWORD).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn what_was_under_way_says_nothing_more_of_her() {
    on_each_database_with(setup(), async |server| {
        let owner = server.by_cookie(&STAFF).await;
        let id = live(server, &owner).await;
        assert_eq!(erase(&owner, id, "request 4711").await.status, 200);
        // As a refusal that another node had in its hands.
        let now = server.app.clock.now();
        let failed = Event::SignInFailed {
            form: SignInForm::Page,
            reason: SignInFailure::WrongPassword,
            known: true,
        };
        for (actor, subject) in [(Some(id), None), (None, Some(id))] {
            let context = Context {
                actor,
                subject,
                ip: Some("203.0.113.99".to_owned()),
                user_agent: Some("ErasableAgent/7.0".to_owned()),
                ..Context::default()
            };
            let mut tx = server.app.db.write().await.unwrap();
            let event_id = server.app.random.row_id(now);
            events::append(&mut tx, &failed, &context, &event_id, now).await.unwrap();
            tx.commit().await.unwrap();
        }
        let (entries, _) = entries(server).await;
        let failed = |entry: &&Entry| entry.event == "authn_login_fail";
        for entry in entries.iter().rev().filter(failed).take(2) {
            assert_eq!((entry.actor, entry.subject, entry.from), (None, None, None));
        }
        assert_eq!(traces_in(&kept(server).await), [""; 0]);
        let mut tx = server.app.db.read().await.unwrap();
        assert_eq!(people::of_user(&mut tx, id).await.unwrap(), None, "she does not come back");
    })
    .await;
}

#[tokio::test]
async fn who_was_deleted_before_is_erased_by_number() {
    on_each_database_with(setup(), async |server| {
        let owner = server.by_cookie(&STAFF).await;
        let id = live(server, &owner).await;
        let path = format!("/api/console/users/{}", id.0);
        assert_eq!(owner.act(Method::DELETE, &path, &json!({})).await.status, 204);
        let bytes = kept(server).await;
        assert!(traces_in(&bytes).contains(&"Quixotica"), "control: a name stays");
        server.write_secret();
        let line = format!("user erase {} --basis request-4711 --json", id.0);
        let told = beside(server, &line, "").await.assert(0).json();
        assert_eq!((&told["id"], &told["folded"]), (&json!(id), &json!(true)), "{told}");
        assert!(told["entries"].as_u64().unwrap() > 8, "{told}");
        // What was counted for her names goes by itself within a day.
        assert_eq!(traces_in(&kept(server).await), [""; 0]);
        let again = beside(server, &line, "").await;
        let told: Value = serde_json::from_str(&again.assert(1).err).unwrap();
        assert_eq!(told["code"], "already_erased");
        assert_eq!(erase(&owner, id, "again").await.verdict(), "409 already_erased");
        for (who, code) in [("999", "user_unknown"), ("nobody@example.com", "user_unknown")] {
            let line = format!("user erase {who} --basis request-4711 --json");
            let told: Value =
                serde_json::from_str(&beside(server, &line, "").await.assert(1).err).unwrap();
            assert_eq!(told["code"], code);
        }
        beside(server, "user erase who-is-that --basis request-4711", "").await.assert(2);
        beside(server, &format!("user erase {}", id.0), "").await.assert(2);
        server.add(&TENANT).await;
        let line = format!("user erase {} --basis request-4712", TENANT.email);
        beside(server, &line, "").await.assert(0);
        assert_eq!(sign_in(&server.client(), "tenant", PASSWORD).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn only_those_erase_who_may_delete_and_nobody_himself() {
    on_each_database(async |server| {
        let owner_id = server.add(&STAFF).await.id;
        let owner = server.sign_in(&STAFF).await;
        let manager = Person { role: "staff", ..STAFF0 };
        let manager = server.by_cookie(&manager).await;
        let tenant_id = server.add(&TENANT).await.id;
        let tenant = server.sign_in(&TENANT).await;
        let check = async |client: &Client, id, expected: &str| {
            assert_eq!(erase(client, id, "a request").await.verdict(), expected, "{id:?}");
        };
        check(&tenant, tenant_id, "403 account_type").await;
        check(&manager, owner_id, "403 above_level").await;
        check(&owner, owner_id, "400 own_account").await;
        check(&owner, UserId(999), "404 not_found").await;
        let path = format!("/api/admin/users/{}/erase", tenant_id.0);
        for (body, error) in [
            (json!({}), "Invalid or missing required parameter: basis"),
            (json!({"basis": " "}), "Invalid or missing required parameter: basis"),
            (json!({"basis": "a\nb"}), "basis: Control characters are not allowed."),
            (json!({"basis": "x".repeat(257)}), "basis: is too long"),
        ] {
            let answer = owner.act(Method::POST, &path, &body).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!(error)));
        }
        let without = owner.post(&path).json(&json!({"basis": "a request"})).send().await;
        assert_eq!(without.status, 403, "{without:?}");
        assert_eq!(server.client().post(&path).json(&json!({})).send().await.status, 401);
        assert_eq!(tenant.get("/api/auth/me").send().await.status, 200, "nothing was done");
        assert_eq!(server.events("privacy_erased", 0).await.len(), 0);
        check(&manager, tenant_id, "200").await;
        assert_eq!(tenant.get("/api/auth/me").send().await.status, 401, "at once");

        // Of somebody who was deleted nobody knows any more what he was allowed.
        let agent_id = server.add(&AGENT).await.id;
        let gone = format!("/api/console/users/{}", agent_id.0);
        assert_eq!(owner.act(Method::DELETE, &gone, &json!({})).await.status, 204);
        check(&manager, agent_id, "403 above_level").await;
        check(&owner, agent_id, "200").await;
    })
    .await;
}

#[tokio::test]
async fn the_page_asks_why_and_whether_one_is_sure() {
    on_each_database(async |server| {
        let owner = server.by_cookie(&STAFF).await;
        let tenant = server.add(&TENANT).await;
        let here = format!("/-/admin/user?uuid={}", tenant.uuid);
        let submit = async |fields: &[(&str, &str)]| {
            let page = owner.get(&here).header("accept", "text/html").send().await.text();
            assert!(page.contains("Erase this person"), "{page}");
            let (_, rest) = page.split_once("name=\"csrf_token\" value=\"").unwrap();
            let token = rest.split('"').next().unwrap();
            let mut all = vec![("csrf_token", token), ("uuid", &tenant.uuid), ("action", "erase")];
            all.extend_from_slice(fields);
            let sending = owner.post("/-/admin/user").header("accept", "text/html");
            sending.form(&all).from_own_page().send().await
        };
        assert_eq!(submit(&[("basis", "request 1")]).await.status, 400);
        assert_eq!(submit(&[("sure", "1")]).await.status, 400);
        assert_eq!(server.events("privacy_erased", 0).await.len(), 0);
        let done = submit(&[("basis", "request 1"), ("sure", "1")]).await;
        assert_eq!((done.status.as_u16(), done.header("location")), (303, Some("/-/admin/users")));
        assert_eq!(server.events("privacy_erased", 1).await.len(), 1);
        assert_eq!(owner.get(&here).send().await.status, 404);
    })
    .await;
}
