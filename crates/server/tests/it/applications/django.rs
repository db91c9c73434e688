//! Django behind the gate: its own sign-in, sessions, CSRF tokens, messages, uploads and admin site
//! work, and neither gets into the other's way. Needs what `scripts/with-apps` installs.

use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use http::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::browser::{Browser, Page};
use super::process::{Process, installed};
use super::{COMPAT, HARDENED, Place, examples};
use crate::harness::on_each_database_with;
use crate::harness::people::{STAFF, TENANT};

/// Django's own user.
const USER: &str = "ada";
const USER_PASSWORD: &str = "django's own password";

/// What Django calls its cookies.
#[derive(Clone, Copy)]
struct Cookies {
    session: &'static str,
    csrf: &'static str,
}

/// The names that the example gives them.
const RENAMED: Cookies = Cookies { session: "office_sessionid", csrf: "office_csrftoken" };
/// Those of every Django.
const DJANGOS: Cookies = Cookies { session: "sessionid", csrf: "csrftoken" };

#[tokio::test]
async fn django_under_compat_with_cookies_renamed() {
    works(COMPAT, RENAMED).await;
}

#[tokio::test]
async fn django_under_hardened_with_its_usual_cookies() {
    works(HARDENED, DJANGOS).await;
}

/// Why the handbook asks for other names there.
#[tokio::test]
async fn django_under_compat_cannot_take_the_gates_cookies() {
    let django = start(COMPAT, DJANGOS, "off").await;
    on_each_database_with(COMPAT.setup("django", &django), async |server| {
        server.add(&STAFF).await;
        let browser = Browser::new(server, COMPAT);
        let page = browser.sign_in_at_the_gate("/", &STAFF).await;
        page.assert_shows("/accounts/login/?next=/", "Sign in to Django");
        let session = browser.cookie("sessionid");
        let token = browser.cookie("csrftoken").unwrap();
        let page = browser.open("/accounts/login/").await;
        assert_eq!(page.answer.headers.get("set-cookie"), None, "{page:?}");
        let page = sign_in_to_django(&browser, &page).await;
        refused_by_django(&page);
        assert_eq!(browser.cookie("sessionid"), session);
        assert_eq!(browser.cookie("csrftoken"), Some(token));
    })
    .await;
}

/// The other way: whoever passes the gate is signed in to Django, and only for as long.
#[tokio::test]
async fn django_signs_in_whom_the_gate_lets_pass() {
    let django = start(COMPAT, RENAMED, "on").await;
    on_each_database_with(COMPAT.setup("django", &django), async |server| {
        let browser = Browser::new(server, COMPAT);
        for (person, admin) in [(&STAFF, 200), (&TENANT, 403)] {
            let user = server.add(person).await;
            let page = browser.sign_in_at_the_gate("/", person).await;
            // Somebody else in the same browser does not find the session of the one before.
            page.assert_shows(
                "/",
                &format!("In Django: {}. You have been on this page 1 t", user.id),
            );
            browser.open("/").await.assert_shows("/", "this page 2 times");
            assert_eq!(whoami(&browser).await["django_email"], person.email);
            // Staff get as far as Django's question for one of its administrators.
            assert_eq!(browser.open("/admin/").await.answer.status, admin, "{}", person.email);
            assert_eq!(browser.open("/logout").await.path, "/-/sign-in");
        }
    })
    .await;
}

async fn works(place: Place, cookies: Cookies) {
    let django = start(place, cookies, "off").await;
    on_each_database_with(place.setup("django", &django), async |server| {
        server.add(&STAFF).await;
        let browser = Browser::new(server, place);
        let page = browser.sign_in_at_the_gate("/", &STAFF).await;
        page.assert_shows("/accounts/login/?next=/", "Sign in to Django");
        let page = sign_in_to_django(&browser, &page).await;
        page.assert_shows("/", "In Django: ada. You have been on this page 1 time.");
        browser.open("/").await.assert_shows("/", "on this page 2 times.");
        both_have_their_cookies(&browser, place, cookies);
        forms_are_accepted(&browser).await;
        forgeries_are_refused(&browser).await;
        a_file_arrives(&browser).await;
        knows_who_is_calling(&browser, cookies).await;
        the_admin_site_works(&browser).await;
        each_has_a_way_out(&browser, place).await;
    })
    .await;
    assert!(!django.log().contains("Traceback"), "{}", django.log());
}

async fn start(place: Place, cookies: Cookies, gate_sign_in: &str) -> Process {
    let folder = tempfile::tempdir().unwrap();
    let command = || command(&folder, place, cookies, gate_sign_in);
    run(command().args(["manage.py", "migrate", "-v0"]));
    let email = ["--email", "ada@example.com"];
    run(command()
        .args(["manage.py", "createsuperuser", "--noinput", "--username", USER])
        .args(email)
        .env("DJANGO_SUPERUSER_PASSWORD", USER_PASSWORD));
    let mut serve = command();
    serve.args(["-m", "gunicorn", "--bind", "127.0.0.1:0", "--threads", "4"]);
    serve.args(["--no-control-socket", "office.wsgi"]);
    Process::start(serve, folder).await
}

/// Python in the folder of the example, with the settings of its README.
fn command(folder: &TempDir, place: Place, cookies: Cookies, gate_sign_in: &str) -> Command {
    let mut command = Command::new(installed("venv/bin/python"));
    command
        .current_dir(examples().join("django"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SECRET_KEY", "a key that is long enough for Django, and of no use elsewhere")
        .env("DATABASE", folder.path().join("office.sqlite3"))
        .env("PUBLIC_URL", format!("{}://{}", place.scheme(), place.hostname()))
        .env("SESSION_COOKIE_NAME", cookies.session)
        .env("CSRF_COOKIE_NAME", cookies.csrf)
        .env("GATE_SIGN_IN", gate_sign_in);
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{told}");
}

async fn sign_in_to_django(browser: &Browser, page: &Page) -> Page {
    let fields = [("username", USER), ("password", USER_PASSWORD)];
    browser.submit(page, "/accounts/login/", &fields).await
}

fn both_have_their_cookies(browser: &Browser, place: Place, cookies: Cookies) {
    let own = [place.own_cookie("sessionid"), place.own_cookie("csrftoken")];
    for name in own.iter().map(String::as_str).chain([cookies.session, cookies.csrf]) {
        assert!(browser.cookie(name).is_some(), "{name}");
    }
}

async fn forms_are_accepted(browser: &Browser) {
    let home = browser.open("/").await;
    let page = browser.submit(&home, "/notes/", &[("text", "Boiler & pipes")]).await;
    page.assert_shows("/", "The note was added.");
    page.assert_shows("/", &format!("Boiler &amp; pipes <small>{}</small>", STAFF.email));
    // The message was for once, and no reload adds a second note.
    let page = browser.open("/").await;
    assert!(!page.html().contains("The note was added."), "{page:?}");
    // Something wrong with the form is told by Django, on its page.
    let page = browser.submit(&home, "/notes/", &[("text", "")]).await;
    page.assert_shows("/notes/", "This field is required.");
}

/// What comes from another site does not get past the gate; what lacks Django's token does, and
/// not past Django. The control is above.
async fn forgeries_are_refused(browser: &Browser) {
    let home = browser.open("/").await;
    let fields = [("text", "forged")];
    let forged = browser.filled_in(&home, "/notes/", &fields, "cross-site").send().await;
    assert_eq!(forged.status, 403, "{forged:?}");
    assert!(forged.text().contains("csrf_origin"), "{forged:?}");
    let answer = browser.submission("/notes/", "same-origin").form(&fields).send().await;
    refused_by_django(&browser.follow("/notes/", answer).await);
    let page = browser.open("/").await;
    assert!(!page.html().contains("forged"), "{page:?}");
}

#[track_caller]
fn refused_by_django(page: &Page) {
    assert_eq!(page.answer.status, 403, "{page:?}");
    assert!(page.html().contains("CSRF verification failed. Request aborted."), "{page:?}");
}

async fn a_file_arrives(browser: &Browser) {
    let file: Vec<u8> = (0..5_000_000_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let home = browser.open("/").await;
    let mut body = Vec::new();
    for (name, value) in home.hidden_fields("action=\"/files/\"") {
        let part =
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.into_bytes());
    }
    body.extend(b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"plan.pdf\"\r\n");
    body.extend(b"Content-Type: application/pdf\r\n\r\n");
    body.extend(&file);
    body.extend(b"\r\n--x--\r\n");
    let sending = browser.submission("/files/", "same-origin");
    let answer = sending.body("multipart/form-data; boundary=x", body).send().await;
    // Django wrote the whole address.
    assert_eq!(answer.header("location"), Some(&*format!("{}/", browser.origin())), "{answer:?}");
    let page = browser.follow("/files/", answer).await;
    let digest = hex::encode(digest(&SHA256, &file));
    page.assert_shows("/", &format!("plan.pdf: 5000000 bytes, SHA-256 {digest}."));
}

/// What the gate says arrives, and nothing of what the client says in its place.
async fn knows_who_is_calling(browser: &Browser, cookies: Cookies) {
    let seen = whoami(browser).await;
    assert_eq!(seen["told"]["HTTP_X_AUTH_EMAIL"], STAFF.email, "{seen}");
    assert_eq!(seen["told"]["HTTP_X_AUTH_NAME"], "Jane Smith", "{seen}");
    assert_eq!(seen["told"]["HTTP_X_FORWARDED_FOR"], "127.0.0.1", "{seen}");
    assert_eq!(seen["address"], format!("{}/whoami/", browser.origin()), "{seen}");
    assert_eq!(seen["django_user"], USER, "{seen}");
    let mut expected = vec![cookies.csrf, "messages", cookies.session];
    expected.sort_unstable();
    expected.retain(|name| browser.cookie(name).is_some());
    assert_eq!(seen["cookies"], Value::from(expected), "only Django's own cookies: {seen}");
}

async fn whoami(browser: &Browser) -> Value {
    let mut request = browser.fetch(Method::GET, "/whoami/");
    for name in ["X-Auth-Email", "X_Auth_Email", "X.Auth.Email", "x-auth_user", "Remote-User"] {
        request = request.header(name, "forged");
    }
    for name in ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP"] {
        request = request.header(name, "forged");
    }
    let answer = request.send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.text().contains("forged"), "{answer:?}");
    answer.json()
}

async fn the_admin_site_works(browser: &Browser) {
    let page = browser.open("/admin/notes/note/").await;
    page.assert_shows("/admin/notes/note/", "Select note to change");
    let style = browser.open("/static/admin/css/base.css").await;
    assert_eq!(style.answer.header("content-type"), Some("text/css; charset=\"utf-8\""));
    let add = "/admin/notes/note/add/";
    let page = browser.open(add).await;
    let mut fields = page.hidden_fields("id=\"note_form\"");
    fields.push(("text".to_owned(), "By the administrator".to_owned()));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let answer = browser.submission(add, "same-origin").form(&fields).send().await;
    let page = browser.follow(add, answer).await;
    page.assert_shows("/admin/notes/note/", "was added successfully.");
}

/// Signing out of one is not signing out of the other, and without the gate nothing opens.
async fn each_has_a_way_out(browser: &Browser, place: Place) {
    let session = place.own_cookie("sessionid");
    let held = browser.cookie(&session).unwrap();
    let page = browser.open("/logout").await;
    page.assert_shows("/-/sign-in", "Sign in");
    assert_eq!(browser.cookie(&session), None);
    for path in ["/", "/accounts/login/", "/admin/"] {
        let page = browser.open(path).await;
        assert!(page.path.starts_with("/-/sign-in?next="), "{page:?}");
    }
    // Django's session outlives the gate's, which the handbook warns of.
    let page = browser.sign_in_at_the_gate("/", &STAFF).await;
    page.assert_shows("/", "In Django: ada.");
    assert_ne!(browser.cookie(&session).unwrap(), held);

    let page = browser.submit(&page, "/accounts/logout/", &[]).await;
    page.assert_shows("/accounts/login/", "Sign in to Django");
    let me = browser.fetch(Method::GET, "/api/auth/me").send().await;
    assert_eq!(me.status, 200, "{me:?}");
}
