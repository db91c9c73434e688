//! Files and their rows by table, and what an import leaves on a real database.

mod plain;

use portcullis_domain::id::UserId;
use portcullis_domain::password::Params;
use portcullis_domain::role::Authority;

use super::super::new_password::tests::{Bench, TINY};
use super::super::roles::tests::{Office, actor};
use super::*;
use crate::config::BreachSource;
use crate::hasher::Hasher;
use crate::telemetry::metrics::Metrics;

const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuumeEFg6zY3F9UMkjHzpfyE4WkVj6Z2cW";

/// What a file holds: `number email` of each row that makes a person, `number fault` of the others.
fn read_all(format: Format, file: &str) -> Vec<String> {
    let input = std::io::Cursor::new(file.as_bytes().to_vec());
    let rows = match rows(format, input) {
        Ok(rows) => rows,
        Err(fault) => return vec![format!("file {fault}")],
    };
    let told = rows.map(|row| match row {
        Ok(Row { at, cells }) => {
            match cells.map_err(|fault| (None, fault)).and_then(|cells| person(&cells)) {
                Ok((person, _)) => format!("{at} {}", person.email),
                Err((_, fault)) => format!("{at} {fault}"),
            }
        }
        Err(fault) => format!("{} file {fault}", fault.at()),
    });
    told.collect()
}

fn person(cells: &Cells) -> Result<(Person, Option<Given>), (Option<Email>, RowFault)> {
    Person::read(cells, Origin::Elsewhere, AccountType::Tenant)
}

fn check(format: Format, file: &str, expected: &[&str]) {
    let found = read_all(format, file);
    let is_so = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
    let head: String = file.chars().take(500).collect();
    assert!(is_so, "{head}\n{found:#?}");
}

#[test]
fn csv_is_read_by_the_names_of_its_columns() {
    let good = |file: &str, expected: &[&str]| check(Format::Csv, file, expected);
    good("email\na@example.com\n", &["2 a@example.com"]);
    good("\u{feff}Email, Username\r\na@example.com,a\r\n", &["2 a@example.com"]);
    good("email,role\r\n\r\na@example.com,\r\n\r\nb@example.com,user\r\n\r\n", &["3 a@", "5 b@"]);
    good("username,email\na,a@example.com\n\n\"b\",b@example.com", &["2 a@", "4 b@"]);
    good("email,phone\na@example.com,\"1\n2\"\nb@example.com,3\n", &["2 phone: ", "4 b@"]);
    good("email,role\na@example.com\nb@example.com,user\n", &["2 It has 1 fields", "3 b@"]);
    good("email\n\n", &[]);
    let long = format!("email\na@example.com\n\"{}", "x".repeat(2 << 20));
    good(&long, &["2 a@", "3 file It is longer than 1 MiB"]);
    let refused = |file: &str, says: &str| check(Format::Csv, file, &[&format!("file {says}")]);
    refused("", "The first line must name the columns");
    refused("username,password_hash\na,b\n", "The first line must name the columns");
    refused("email;username\na@example.com;a\n", "The first line must name the columns");
    refused("email,colour\na@example.com,red\n", "There is no column \"colour\"");
    refused("email,Email\na@example.com,red\n", "The column \"Email\" is there twice");
    refused("username,password\na,b\n", "The first line must name the columns");
    // No header at all: what stands there may be anything, and is not repeated.
    let headless = read_all(Format::Csv, &format!("a@example.com,{BCRYPT}\n"));
    assert!(!headless[0].contains("2b") && !headless[0].contains("example"), "{headless:?}");
}

#[test]
fn one_user_is_read_from_each_line() {
    let lines = |file: &str, expected: &[&str]| check(Format::Portcullis, file, expected);
    lines(
        "{\"email\":\"a@example.com\",\"branch\":2,\"active\":false,\"phone\":null}\n\n{\"email\":\"b@example.com\"}",
        &["1 a@example.com", "3 b@example.com"],
    );
    lines(
        "{\"email\":\"a@example.com\"\n{\"email\":\"b@example.com\"}\n",
        &["1 It is no JSON", "2 b@"],
    );
    lines("[]\n7\n{}\n", &["1 It is no JSON", "2 It is no JSON", "3 There is no e-mail"]);
    lines("{\"email\":\"a@example.com\",\"colour\":1}", &["1 colour is none of its keys"]);
    lines(
        &format!("{{\"email\":\"a@example.com\",\"{BCRYPT}\":1}}"),
        &["1 One is none of its keys"],
    );
    lines("{\"email\":\"a@example.com\",\"Email\":\"b@example.com\"}", &["1 It has one key twice"]);
    lines("{\"email\":[\"a@example.com\"]}", &["1 It is no JSON object"]);
    let long =
        format!("{{\"email\":\"{}\"}}\n{{\"email\":\"b@example.com\"}}", "x".repeat(2 << 20));
    lines(&long, &["1 file It is longer than 1 MiB"]);
}

#[test]
fn djangos_dump_is_read_element_by_element() {
    let one = |model: &str, fields: &str| {
        format!("{{\"model\": \"{model}\", \"pk\": 1, \"fields\": {{{fields}}}}}")
    };
    let dump = |elements: &[String]| format!("[\n{}\n]\n", elements.join(",\n"));
    let django = |file: &str, expected: &[&str]| check(Format::Django, file, expected);
    let ada = one("auth.user", "\"email\": \"ada@example.com\", \"password\": \"!x\"");
    let eve = one("accounts.User", "\"email\": \"eve@example.com\", \"groups\": [1]");
    django(&dump(&[ada.clone(), eve.clone()]), &["1 ada@example.com", "2 eve@example.com"]);
    django("[]", &[]);
    django(" [ ] ", &[]);
    let group = one("auth.group", "\"name\": \"x\"");
    django(&dump(&[group, eve.clone()]), &["1 It is no record of users", "2 eve@"]);
    let nobody = one("auth.user", "\"email\": \"\", \"username\": \"root\"");
    django(&dump(&[nobody, eve]), &["1 There is no e-mail", "2 eve@"]);
    django("", &["1 file It is not JSON"]);
    django("{}", &["1 file It is not JSON"]);
    django(&format!("[{ada}"), &["1 ada@", "2 file It is not JSON"]);
    django(&format!("[{ada} {ada}]"), &["1 ada@", "2 file It is not JSON"]);
    django(&format!("[{ada}, {{\"model"), &["1 ada@", "2 file It is not JSON"]);
    let long = one("auth.user", &format!("\"email\": \"{}\"", "x".repeat(2 << 20)));
    django(&dump(&[ada, long]), &["1 ada@", "2 file It is longer than 1 MiB"]);
}

#[test]
fn djangos_fields_become_ours() {
    let file = "[{\"model\": \"auth.user\", \"pk\": 1, \"fields\": {\"email\": \"a@example.com\", \
                \"username\": \"a\", \"first_name\": \"Ada\", \"last_name\": \"L\", \"is_active\": false, \
                \"is_staff\": true, \"is_superuser\": true, \"date_joined\": \"2024-01-01T00:00:00Z\", \
                \"password\": \"pbkdf2_sha256$1000$seasalt$w7zErs0MNnGIcVebgPuLn1QQSgzd9SCTYdRCFkEcd0w=\"}}]";
    let mut rows = rows(Format::Django, std::io::Cursor::new(file)).unwrap();
    let row = rows.next().unwrap().unwrap();
    let Ok((person, Some(Given::Hash(hash)))) = person(&row.cells.unwrap()) else { panic!() };
    assert_eq!(person.username.unwrap().as_str(), "a");
    assert_eq!((person.first_name.as_str(), person.last_name.as_str()), ("Ada", "L"));
    assert_eq!((person.account_type, person.status), (AccountType::Staff, AccountStatus::Disabled));
    assert_eq!((person.role, person.branch_id), (None, 1));
    assert!(hash.reveal().starts_with("pbkdf2_sha256$1000$"));
}

#[test]
fn each_cell_is_judged() {
    let fault = |header: &str, row: &str, expected: &str| {
        let file = format!("email,{header}\na@example.com,{row}\n");
        check(Format::Csv, &file, &[&format!("2 {expected}")]);
    };
    fault("username", "a b", "username: Enter a valid username.");
    fault("first_name", &"x".repeat(151), "first_name: Ensure this field");
    fault("branch", "0", "branch: ");
    fault("branch", "one", "branch: ");
    fault("branch", "7", "a@example.com");
    fault("account_type", "admin", "account_type: ");
    fault("account_type", "Landlord", "a@example.com");
    fault("active", "maybe", "active: ");
    fault("active", "FALSE", "a@example.com");
    fault("password_hash", "hunter2", "The password hash is of no scheme");
    fault("password_hash", "md5$salt$00", "The password hash is MD5");
    fault("password_hash", &BCRYPT.replace("$04$", "$17$"), "The bcrypt hash costs more");
    fault("password_hash", BCRYPT, "a@example.com");
    check(Format::Csv, "email,role\nnobody,\n,user\n", &["2 email: Enter", "3 There is no e-mail"]);
}

fn options(mode: Mode) -> Options {
    let (origin, role) = (Origin::Elsewhere, "user".to_owned());
    Options { mode, origin, role, account_type: AccountType::Tenant }
}

async fn import_with(
    office: &Office,
    bench: &Bench,
    (params, options): (Params, &Options),
    file: &str,
    told: impl FnMut(&Report),
) -> Result<Outcome, Halt> {
    let hasher = Hasher::start(2, params, Metrics::new().hash_times()).unwrap();
    let passwords = Passwords { judge: bench.judge(), hasher };
    let rows = rows(Format::Csv, std::io::Cursor::new(file.to_owned())).unwrap();
    import(&office.acting(), &passwords, options, rows, told).await
}

async fn outcome(office: &Office, options: &Options, file: &str) -> Outcome {
    let bench = Bench::of(vec![BreachSource::List]);
    import_with(office, &bench, (TINY, options), file, |_| {}).await.unwrap()
}

async fn run(office: &Office, options: &Options, file: &str) -> Report {
    match outcome(office, options, file).await {
        Outcome::Read(report) => report,
        Outcome::UnknownRole => panic!("there is no role {}", options.role),
    }
}

fn faults(report: &Report) -> Vec<String> {
    report.refused.iter().map(|row| format!("{} {}", row.at, row.fault)).collect()
}

#[tokio::test]
async fn good_rows_are_written_with_their_events() {
    let office = Office::open(Authority::operator()).await;
    let file = format!(
        "email,username,role,active,password_hash\nada@example.com,ada,,,{BCRYPT}\n\
         bad,,,,\ntom@example.com,,STAFF,no,\n"
    );
    for mode in [Mode::DryRun, Mode::Write] {
        let before = office.events().await;
        let report = run(&office, &options(mode), &file).await;
        assert_eq!((report.created, report.without_password, report.disabled), (2, 1, 1));
        assert_eq!(faults(&report), ["3 email: Enter a valid email address."]);
        assert!(mode == Mode::Write || (before.is_empty() && office.events().await.is_empty()));
    }
    let event = |id, role: &str, status: &str| {
        format!(
            r#"user_created {id} {{"account_type":"Tenant","origin":"import","role":"{role}","status":"{status}"}}"#
        )
    };
    let expected = [event(1, "user", "active"), event(2, "staff", "disabled")];
    assert_eq!(office.events().await, expected);
    let mut tx = office.db.read().await.unwrap();
    let ada = users::by_id(&mut tx, UserId(1)).await.unwrap().unwrap();
    let phc = users::password(&mut tx, ada.id).await.unwrap().unwrap().phc.unwrap();
    assert_eq!((ada.email.as_str(), phc.reveal()), ("ada@example.com", BCRYPT));
    let tom = users::by_id(&mut tx, UserId(2)).await.unwrap().unwrap();
    assert_eq!((tom.status, tom.account_type), (AccountStatus::Disabled, AccountType::Tenant));
}

#[tokio::test]
async fn nobody_is_made_twice_and_nobody_is_changed() {
    let office = Office::open(Authority::operator()).await;
    let write = options(Mode::Write);
    let first = "email,username\nada@example.com,ada\neve@example.com,eve@example.org\n";
    assert_eq!(run(&office, &write, first).await.created, 2);
    let file = "email,username\nADA@example.com,other\nnew@example.com,Ada\n\
                eve@example.org,\nnew@example.com,\nNEW@example.com,new\nnewer@example.com,new@example.com\n";
    for mode in [Mode::DryRun, Mode::Write] {
        let report = run(&office, &options(mode), file).await;
        assert_eq!(report.created, 0, "{mode:?}");
        assert_eq!(report.skipped.len(), 1);
        assert_eq!(
            (report.skipped[0].at, report.skipped[0].email.as_str()),
            (2, "ADA@example.com")
        );
        let expected = [
            "3 username: It belongs to another user.",
            "4 email: This is another user's username.",
            "5 The file names this user before, in number 3.",
            "6 The file names this user before, in number 3.",
            "7 The file names this user before, in number 3.",
        ];
        assert_eq!(faults(&report), expected, "{mode:?}");
    }
    assert_eq!(office.events().await.len(), 2);
    // A whole file again.
    let again = run(&office, &write, first).await;
    assert_eq!((again.created, again.skipped.len(), again.refused.len()), (0, 2, 0));
}

#[tokio::test]
async fn roles_are_there_and_within_reach() {
    let office = Office::open(actor(10, &["api.security.mobile_auth.use"])).await;
    let file = "email,role\na@example.com,nobody\nb@example.com,owner\nc@example.com,\n";
    let report = run(&office, &options(Mode::Write), file).await;
    let expected =
        ["2 role: There is no role of this name.", "3 The role is above your own level."];
    assert_eq!((report.created, faults(&report)), (1, expected.map(str::to_owned).to_vec()));
    let unknown = Options { role: "nobody".to_owned(), ..options(Mode::Write) };
    let outcome = outcome(&office, &unknown, "email\nd@example.com\n").await;
    assert!(matches!(outcome, Outcome::UnknownRole));
    assert_eq!(office.events().await.len(), 1);
}

#[tokio::test]
async fn many_rows_go_in_several_transactions() {
    let office = Office::open(Authority::operator()).await;
    let rows: Vec<String> = (0..=BATCH * 2).map(|n| format!("u{n}@example.com")).collect();
    let file = format!("email\n{}\nu0@example.com\n", rows.join("\n"));
    let mut heard = Vec::new();
    let told = |report: &Report| heard.push(report.created);
    let bench = Bench::of(vec![BreachSource::List]);
    let how = (TINY, &options(Mode::Write));
    let outcome = import_with(&office, &bench, how, &file, told).await.unwrap();
    let Outcome::Read(report) = outcome else { panic!("{outcome:?}") };
    assert_eq!(faults(&report), ["403 The file names this user before, in number 2."]);
    assert_eq!(heard, [200, 400, 401]);
}
