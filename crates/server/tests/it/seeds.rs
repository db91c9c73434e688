//! The documents' own command lines, run as they are printed by the real `curl` against the real
//! program: `portcullis demo`. Only the host and the tokens, which differ each time, are filled in.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A demo that runs until it is dropped.
struct Demo {
    child: Child,
    url: String,
    users: Value,
}

/// What `curl` printed.
#[derive(Debug)]
struct Printed {
    status: u16,
    body: Value,
    /// Head and body as they came, where the command asked for the head.
    text: String,
}

const FETCH_TOKEN: &str = r#"curl -X GET "https://propops.yourcompany.com/api/security/csrf-token" \
  -H "Authorization: Bearer <token>""#;

const ADD_JOB: &str = r#"curl -X POST https://propops.yourcompany.com/api/jobs/manage \
  -H "Authorization: Bearer <your-token>" \
  -H "X-CSRF-Token: abc123def456..." \
  -H "Content-Type: application/json" \
  -d '{ "title": "Boiler repair", "priority": "high" }'"#;

const REQUEST_BEARER: &str = r#"curl -X POST "https://propops.yourcompany.com/api/security/mobile-auth" \
  -H "Content-Type: application/json" \
  -d '{"email": "user@example.com", "password": "your-password"}'"#;

const REVOKE_BEARER: &str = r#"curl -X DELETE "https://propops.yourcompany.com/api/security/mobile-auth" \
  -H "Authorization: Bearer a1b2c3d4...""#;

const VALIDATE: &str = r#"curl --request POST \
--url https://api.propops.app/api/security/mobile-auth \
--header 'Authorization: Bearer <token>' \
--header 'Content-Type: application/json' \
--data '
{
"action": "validate_token",
"token": "<string>",
"platform": "ios",
"device_type": "iPhone",
"app_version": "2.1.0"
}
'"#;

const PERMISSIONS: &str = r#"curl "https://propops.yourcompany.com/api/users/permissions" \
  -H "Authorization: Bearer <token>""#;

const MY_LEADS: &str =
    r#"curl -i "https://propops.yourcompany.com/api/leads" -H "Authorization: Bearer <token>""#;

/// The fourth document prints requests; these are the same, header for header.
const LOGIN: &str = r#"curl -i -X POST https://propops.yourcompany.com/api/auth/login \
  -H 'Content-Type: application/json' \
  -d '{ "username": "<your-username>", "password": "<your-password>"}'"#;

const ME: &str = r"curl https://propops.yourcompany.com/api/auth/me \
  -H 'Cookie: sessionid=tvmt1xp0c2ep33htukqm140fb4igkz4u;'";

const FETCH_COOKIE: &str = "curl -i https://propops.yourcompany.com/api/csrf";

const ADD_PROJECT: &str = r#"curl -X POST https://propops.yourcompany.com/api/projects \
  -H 'Content-Type: application/json' \
  -H 'Cookie: sessionid=tvmt1xp0c2ep33htukqm140fb4igkz4u; csrftoken=zydcEbNXQGJFxzLphKEO8Mg88VdEwi8c;' \
  -H 'X-Csrftoken: zydcEbNXQGJFxzLphKEO8Mg88VdEwi8c' \
  -d '{ "slug": "sandbox"}'"#;

#[test]
fn the_command_lines_of_the_documents_work_as_printed() {
    let demo = Demo::start();
    let bearer = mobile_auth(&demo);
    csrf_and_jobs(&demo, &bearer);
    validate(&demo, &bearer);
    permissions(&demo);
    revoke(&demo, &bearer);
    cookies_and_projects(&demo);
}

/// Seed 001: an e-mail address and a password give a bearer token.
fn mobile_auth(demo: &Demo) -> String {
    let issued = demo.run(REQUEST_BEARER, &[]);
    assert_eq!(issued.status, 200, "{issued:?}");
    assert_eq!(issued.body["success"], true);
    assert_eq!(issued.body["message"], "Mobile authentication token issued");
    let wrong = demo.run(REQUEST_BEARER, &[("your-password", "not-my-password")]);
    assert_eq!(wrong.status, 401, "{wrong:?}");
    assert_eq!(wrong.body["success"], false);
    issued.text_at("/data/token")
}

/// Seeds 000 and 001: a token for one request, then the request.
fn csrf_and_jobs(demo: &Demo, bearer: &str) {
    let refused = demo.run(FETCH_TOKEN, &[]);
    assert_eq!(refused.status, 401, "{refused:?}");
    assert_eq!(refused.body["error"], "Authentication required. Please log in.");

    let issued = demo.run(FETCH_TOKEN, &[("<token>", bearer)]);
    assert_eq!(issued.status, 200, "{issued:?}");
    assert_eq!(issued.body["message"], "CSRF token issued");
    let token = issued.text_at("/data/token");
    let without = demo.run(ADD_JOB, &[("<your-token>", bearer)]);
    assert_eq!((without.status, without.body["code"].as_str()), (403, Some("csrf_invalid")));

    let filled_in = [("<your-token>", bearer), ("abc123def456...", token.as_str())];
    let added = demo.run(ADD_JOB, &filled_in);
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(added.body["success"], true);
    assert_eq!(added.body["data"]["title"], "Boiler repair");
    let again = demo.run(ADD_JOB, &filled_in);
    assert_eq!((again.status, again.body["code"].as_str()), (403, Some("csrf_used")));

    let leads = demo.run(MY_LEADS, &[("<token>", bearer)]);
    assert_eq!(leads.status, 200, "{leads:?}");
    assert!(leads.text.to_lowercase().contains("\nx-total-count: "), "{leads:?}");
}

/// Seed 002: the bearer is exchanged for the session token of a device.
fn validate(demo: &Demo, bearer: &str) {
    let done = demo.run(VALIDATE, &[("<token>", bearer), ("<string>", bearer)]);
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(done.body["success"], true);
    assert_eq!(done.body["message"], "Operation completed successfully");
    let user = done.body["user"].as_object().unwrap();
    assert_eq!(user.len(), 13, "{user:?}");
    assert!(user["ID"].is_i64(), "{user:?}");
    assert_eq!(user["email"], "user@example.com");
    assert_eq!(user["account_type_name"], "Staff");

    let session = done.text_at("/session_token");
    let csrf = done.text_at("/csrf_token");
    let filled_in = [("<your-token>", session.as_str()), ("abc123def456...", csrf.as_str())];
    for _ in 0..2 {
        assert_eq!(demo.run(ADD_JOB, &filled_in).status, 201);
    }
    let wrong = demo.run(VALIDATE, &[("<token>", bearer)]);
    assert_eq!(wrong.status, 401, "{wrong:?}");
}

/// Seed 000: what everybody may do, and the refusal of somebody who may not.
fn permissions(demo: &Demo) {
    let tenant = demo.bearer_of("tenant@example.com");
    let held = demo.run(PERMISSIONS, &[("<token>", &tenant)]);
    assert_eq!(held.status, 200, "{held:?}");
    assert_eq!(held.body["data"]["permissions"], json!({"api.security.mobile_auth.use": true}));
    let issued = demo.run(FETCH_TOKEN, &[("<token>", &tenant)]).text_at("/data/token");
    let filled_in = [("<your-token>", tenant.as_str()), ("abc123def456...", issued.as_str())];
    let denied = demo.run(ADD_JOB, &filled_in);
    assert_eq!(denied.status, 403, "{denied:?}");
    assert_eq!(denied.body["success"], false);
    assert_eq!(denied.body["error"], "You do not have permission to perform this action");
}

/// Seed 001: the bearer is over at once.
fn revoke(demo: &Demo, bearer: &str) {
    let revoked = demo.run(REVOKE_BEARER, &[("a1b2c3d4...", bearer)]);
    assert_eq!(revoked.status, 200, "{revoked:?}");
    assert_eq!(revoked.body, json!({"success": true, "message": "Token revoked"}));
    assert_eq!(demo.run(FETCH_TOKEN, &[("<token>", bearer)]).status, 401);
    assert_eq!(demo.run(REVOKE_BEARER, &[("a1b2c3d4...", bearer)]).status, 401);
}

/// Seed 004: a session cookie, a CSRF cookie that was fetched without it, and both together.
fn cookies_and_projects(demo: &Demo) {
    let filled_in = [("<your-username>", "fredkiss3"), ("<your-password>", "your-password")];
    let signed_in = demo.run(LOGIN, &filled_in);
    assert_eq!(signed_in.status, 201, "{signed_in:?}");
    let line = signed_in.set_cookie("sessionid");
    for attribute in ["; HttpOnly", "; Max-Age=1209600", "; Path=/", "; SameSite=Lax", "; expires="]
    {
        assert!(line.contains(attribute), "{attribute}: {line}");
    }
    // By a real clock, too, what is told of a life is its whole length.
    assert_eq!(signed_in.body["expires_in"], 86_400);
    let session = value(&line);
    let me = demo.run(ME, &[("tvmt1xp0c2ep33htukqm140fb4igkz4u", &session)]);
    assert_eq!((me.status, me.body["user"]["username"].as_str()), (200, Some("fredkiss3")));
    let stranger = demo.run(ME, &[]);
    assert_eq!((stranger.status, &stranger.body["type"]), (401, &json!("client_error")));

    let fetched = demo.run(FETCH_COOKIE, &[]);
    assert_eq!(fetched.status, 200, "{fetched:?}");
    let line = fetched.set_cookie("csrftoken");
    assert!(line.contains("; Max-Age=31449600; Path=/; SameSite=Lax"), "{line}");
    let session = ("tvmt1xp0c2ep33htukqm140fb4igkz4u", session.as_str());
    let token = value(&line);
    let added = demo.run(ADD_PROJECT, &[session, ("zydcEbNXQGJFxzLphKEO8Mg88VdEwi8c", &token)]);
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(added.body["slug"], "sandbox");
    assert!(added.text_at("/id").starts_with("prj_"), "{added:?}");
    assert!(added.body["description"].is_null(), "{added:?}");
    let refused = demo.run(ADD_PROJECT, &[session]);
    assert_eq!(refused.status, 403, "{refused:?}");
    let detail = refused.text_at("/errors/0/detail");
    assert!(detail.starts_with("CSRF Failed:"), "{detail}");
}

impl Demo {
    /// Starts it on a free port and waits for the line that says where.
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["demo", "--port", "0", "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let read = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line);
        let mut demo = Self { child, url: String::new(), users: Value::Null };
        read.unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        said["url"].as_str().unwrap().clone_into(&mut demo.url);
        demo.users = said["users"].clone();
        demo
    }

    /// Runs a printed command line with these texts filled in.
    fn run(&self, line: &str, filled_in: &[(&str, &str)]) -> Printed {
        let mut line = line
            .replace("https://propops.yourcompany.com", &self.url)
            .replace("https://api.propops.app", &self.url);
        for (from, to) in filled_in {
            assert!(line.contains(from), "{from} is not in {line}");
            line = line.replace(from, to);
        }
        let script =
            "curl() { command curl -sS -w '\\n%{http_code}' \"$@\"; }\n".to_owned() + &line;
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let (text, status) = text.rsplit_once('\n').unwrap();
        let body = text.rsplit_once("\r\n\r\n").map_or(text, |(_, body)| body);
        Printed {
            status: status.parse().unwrap(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
            text: text.to_owned(),
        }
    }

    /// A bearer of one of the sample users, with the password that the demo named.
    fn bearer_of(&self, email: &str) -> String {
        let users = self.users.as_array().unwrap();
        let user = users.iter().find(|user| user["email"] == email).unwrap();
        let password = user["password"].as_str().unwrap();
        let filled_in = [("user@example.com", email), ("your-password", password)];
        self.run(REQUEST_BEARER, &filled_in).text_at("/data/token")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Asked to stop, it takes its temporary directory along; told to, it is only gone.
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-s", "TERM", &pid]).status();
        if !asked.is_ok_and(|status| status.success()) {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

impl Printed {
    #[track_caller]
    fn text_at(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("nothing at {pointer}: {self:?}")).to_owned()
    }

    /// The `Set-Cookie` line of a cookie, without the header's name.
    #[track_caller]
    fn set_cookie(&self, name: &str) -> String {
        let mut lines = self.text.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(header, value)| {
            header.eq_ignore_ascii_case("set-cookie") && value.starts_with(&format!("{name}="))
        });
        found.unwrap_or_else(|| panic!("no {name}: {self:?}")).1.to_owned()
    }
}

fn value(line: &str) -> String {
    let pair = line.split(';').next().unwrap();
    pair.split_once('=').unwrap().1.to_owned()
}
