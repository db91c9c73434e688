//! A50: each kind of person at each route and each rule. What must come out is worked out here
//! from the table and the rules, apart from the code that decides.

use http::Method;
use portcullis_domain::account::AccountType;
use portcullis_domain::permission::{Grant, Key};
use portcullis_domain::rule::{Allow, Methods, Rule};
use portcullis_server::web::caller::Level;
use portcullis_server::web::routes;
use portcullis_store::roles;
use serde_json::json;

use crate::api_keys;
use crate::harness::client::Client;
use crate::harness::people::{AGENT, Person, STAFF, STAFF0, TENANT, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const PEOPLE: [&Person; 5] = [&STAFF, &STAFF0, &AGENT, &TENANT, &Z1];

/// Somebody who may knock: a person by one of the credentials, or nobody.
struct Visitor {
    who: Option<&'static Person>,
    client: Client,
    word: &'static str,
}

/// Everybody, by each kind of credential, and nobody.
fn ways() -> Vec<(Option<&'static Person>, &'static str)> {
    let known = PEOPLE.into_iter().flat_map(|person| {
        ["cookie", "bearer", "jwt"].into_iter().map(move |word| (Some(person), word))
    });
    [(None, "nobody")].into_iter().chain(known).collect()
}

async fn visitor(
    server: &TestApp,
    (who, word): (Option<&'static Person>, &'static str),
) -> Visitor {
    let client = match (who, word) {
        (Some(person), "cookie") => server.sign_in(person).await,
        (Some(person), "bearer") => server.mobile(person).await,
        (Some(person), _) => {
            let answer = server.login_by_email(person).await.json();
            server.client().bearer(answer["accessToken"].as_str().unwrap())
        }
        (None, _) => server.client(),
    };
    Visitor { who, client, word }
}

/// A program of each person, with a key of every scope. No route ends one, and there are only so many.
async fn programs(server: &TestApp) -> Vec<Visitor> {
    let mut programs = Vec::new();
    for person in PEOPLE {
        let body = json!({"name": "program", "scopes": ["admin"]});
        let made = api_keys::create(&server.mobile(person).await, &body).await;
        let client = server.client().key(made["key"].as_str().unwrap());
        programs.push(Visitor { who: Some(person), client, word: "key" });
    }
    programs
}

async fn visitors(server: &TestApp) -> Vec<Visitor> {
    let mut visitors = Vec::new();
    for way in ways() {
        visitors.push(visitor(server, way).await);
    }
    visitors.extend(programs(server).await);
    visitors
}

/// Whether the person's role holds the key, asked of the store.
async fn holds(server: &TestApp, person: &Person, key: &str) -> bool {
    let mut tx = server.app.db.read().await.unwrap();
    let role = roles::by_name(&mut tx, person.role).await.unwrap().unwrap();
    role.grants.allows(&Key::parse(key).unwrap())
}

async fn is_superuser(server: &TestApp, person: &Person) -> bool {
    let mut tx = server.app.db.read().await.unwrap();
    let role = roles::by_name(&mut tx, person.role).await.unwrap().unwrap();
    role.grants.covers(&Grant::All)
}

/// The verdict of a request with a good token, where somebody is signed in. Keys need none.
async fn knock(visitor: &Visitor, method: &Method, path: &str) -> String {
    let mut request = visitor.client.request(method.clone(), path);
    if visitor.who.is_some() && visitor.word != "key" && *method != Method::GET {
        request = request.header("x-csrf-token", &visitor.client.fetch_csrf().await);
    }
    request.send().await.verdict()
}

#[tokio::test]
async fn a50_each_person_at_each_route() {
    on_each_database(async |server| {
        for person in PEOPLE {
            server.add(person).await;
        }
        for row in routes::rows() {
            // Some routes end the session, or the person's others: each signs in right before.
            for way in ways() {
                let visitor = visitor(server, way).await;
                let verdict = knock(&visitor, &row.method, row.path).await;
                let why = format!(
                    "{} {} as {:?} by {}",
                    row.method,
                    row.path,
                    visitor.who.map(|person| person.email),
                    visitor.word
                );
                let refusal = refusal(server, row.level, visitor.who).await;
                match refusal {
                    Some(refusal) => assert_eq!(verdict, refusal, "{why}"),
                    // `DELETE mobile-auth` takes no cookie, whoever sends it.
                    None if row.doc.id == "revoke_mobile_token" && visitor.word == "cookie" => {
                        assert_eq!(verdict, "401 bearer_required", "{why}");
                    }
                    // Only a JWT is refreshed.
                    None if row.doc.id == "refresh_access_token" && visitor.word != "jwt" => {
                        assert_eq!(verdict, "401 access_token_needed", "{why}");
                    }
                    // Open to everyone while there is nobody.
                    None if row.doc.id == "create_initial_user" => {
                        assert_eq!(verdict, "403 users_exist", "{why}");
                    }
                    None => {
                        let is_refused = verdict.starts_with("401") || verdict.starts_with("403");
                        let asks_for_form_token = matches!(
                            row.doc.id,
                            "submit_sign_in"
                                | "submit_first_run"
                                | "submit_forgot_password"
                                | "submit_reset_password"
                                | "submit_verify_email"
                                | "submit_second_factor"
                                | "submit_second_factor_set_up_first"
                                | "submit_ask_magic_link"
                                | "submit_magic_link"
                                | "submit_magic_code"
                                | "submit_verify_place"
                        );
                        assert!(!is_refused || asks_for_form_token, "{why}: {verdict}");
                    }
                }
            }
        }
    })
    .await;
}

/// A key is as good as its owner where keys are taken, and nothing where somebody must be signed in.
#[tokio::test]
async fn a50_a_key_of_each_person_at_each_route() {
    on_each_database(async |server| {
        for person in PEOPLE {
            server.add(person).await;
        }
        let (mut taken, mut not) = (0, 0);
        for program in programs(server).await {
            for row in routes::rows().iter().filter(|row| row.level.wants_credential()) {
                let verdict = knock(&program, &row.method, row.path).await;
                let who = program.who.map(|person| person.email);
                let why = format!("{} {} by a key of {who:?}: {verdict}", row.method, row.path);
                let is_refused = verdict.starts_with("401") || verdict.starts_with("403");
                match (row.takes_keys, refusal(server, row.level, program.who).await) {
                    (false, None) if row.path.starts_with("/-/") => {
                        assert!(verdict.starts_with("403"), "{why}");
                    }
                    (false, None) => assert_eq!(verdict, "403 session_needed", "{why}"),
                    (false, Some(_)) => assert!(verdict.starts_with("403"), "{why}"),
                    (true, Some(refusal)) => assert_eq!(verdict, refusal, "{why}"),
                    (true, None) => assert!(!is_refused, "{why}"),
                }
                *(if row.takes_keys { &mut taken } else { &mut not }) += 1;
            }
        }
        assert!(taken > 50 && not > 50, "{taken} {not}");
    })
    .await;
}

/// What somebody must be told at a door of this level, if it is shut.
async fn refusal(server: &TestApp, level: Level, who: Option<&Person>) -> Option<&'static str> {
    let Some(person) = who else {
        return level.wants_credential().then_some("401 credential_missing");
    };
    let is_staff = person.account_type == AccountType::Staff;
    match (level, level.permission()) {
        (Level::Staff(_), _) if !is_staff => Some("403 account_type"),
        (Level::Superuser, _) if !is_superuser(server, person).await => {
            Some("403 permission_missing")
        }
        (_, Some(key)) if !holds(server, person, key).await => Some("403 permission_missing"),
        _ => None,
    }
}

/// The gate's rules beside which nothing is let in.
const RULES: &str = r#"[gate]
rule = [
    { id = "public", path = "/public", allow = "anyone" },
    { id = "members", path = "/members", allow = "signed_in" },
    { id = "jobs", path = "/jobs", allow = { permission = "api.jobs.manage.manage" } },
    { id = "read", path = "/jobs/list", methods = ["GET"], allow = "signed_in" },
    { id = "leads", path = "/leads", allow = { permission = "api.leads.list" } },
    { id = "staff", path = "/staff", allow = { account_type = "staff" } },
    { id = "agents", path = "/staff/agents", allow = { account_type = "agent" } },
    { id = "other", path = "/", host = "other.example", allow = "anyone" },
]"#;

async fn expected(server: &TestApp, rule: &Rule, who: Option<&Person>) -> &'static str {
    match (&rule.allow, who) {
        (Allow::Anyone, _) | (Allow::SignedIn, Some(_)) => "200",
        (_, None) => "401 credential_missing",
        (Allow::Permission(key), Some(person)) => {
            if holds(server, person, key.as_str()).await {
                "200"
            } else {
                "403 permission_missing"
            }
        }
        (Allow::AccountType(kind), Some(person)) => is_of(person, *kind),
    }
}

fn is_of(person: &Person, kind: AccountType) -> &'static str {
    if person.account_type == kind { "200" } else { "403 account_type" }
}

#[tokio::test]
async fn a50_each_person_at_each_rule_of_the_gate() {
    on_each_database_with(Setup::with(RULES), async |server| {
        for person in PEOPLE {
            server.add(person).await;
        }
        let visitors = visitors(server).await;
        for rule in server.app.config.gate.rules.rules() {
            if rule.host.is_some() {
                continue;
            }
            let is_named = rule.methods != Methods::All;
            let methods = if is_named { &["GET", "HEAD"][..] } else { &["GET", "PUT", "DELETE"] };
            for method in methods {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                for below in ["", "/", "/x", "/x?y=/public"] {
                    let path = format!("{}{below}", rule.path.as_str());
                    for visitor in &visitors {
                        let expected = expected(server, rule, visitor.who).await;
                        let verdict = knock(visitor, &method, &path).await;
                        let who = visitor.who.map(|person| person.email);
                        let is_head = method == Method::HEAD;
                        let status = |text: &str| text[..3].to_owned();
                        let (verdict, expected) = if is_head {
                            (status(&verdict), status(expected))
                        } else {
                            (verdict, expected.to_owned())
                        };
                        let word = visitor.word;
                        assert_eq!(verdict, expected, "{method} {path} as {who:?} by {word}");
                    }
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a50_what_no_rule_covers_is_nobodys() {
    on_each_database_with(Setup::with(RULES), async |server| {
        for person in PEOPLE {
            server.add(person).await;
        }
        for visitor in visitors(server).await {
            for path in ["/", "/publicity", "/job", "/Members", "/api/unknown", "/staffroom/x"] {
                for method in [Method::GET, Method::DELETE] {
                    let before = server.upstream.seen().len();
                    let verdict = knock(&visitor, &method, path).await;
                    let who = visitor.who.map(|person| person.email);
                    assert_eq!(verdict, "403 no_rule", "{method} {path} as {who:?}");
                    assert_eq!(server.upstream.seen().len(), before);
                }
            }
            let elsewhere = visitor.client.get("/jobs/7").header("host", "other.example");
            assert_eq!(elsewhere.send().await.status, 200, "control: another host's rule");
        }
    })
    .await;
}
