//! Plain passwords: how they stand in a file, which are refused and why, and what is left of those that are
//! not.

use portcullis_domain::password::{BreachState, Memory, Verdict, verify};

use super::*;

/// More memory than can be asked for: whoever hashes fails.
const NEVER: Params = Params { memory_kib: u32::MAX, iterations: 1, parallelism: 1 };

/// The plain passwords of a file; of each other row what is wrong with it.
fn passwords(format: Format, file: &str) -> Vec<String> {
    let rows = rows(format, std::io::Cursor::new(file.as_bytes().to_vec())).unwrap();
    let told = rows.map(|row| {
        let read = row.unwrap().cells.and_then(|cells| person(&cells).map_err(|(_, fault)| fault));
        match read {
            Ok((_, None)) => "none".to_owned(),
            Ok((_, Some(Given::Plain(text)))) => format!("{:?}", text.as_str()),
            Ok((_, Some(Given::Hash(_)))) => "hash".to_owned(),
            Err(fault) => fault.to_string(),
        }
    });
    told.collect()
}

#[test]
fn a_password_is_taken_as_it_stands_in_a_table() {
    let check = |file: &str, expected: &[&str]| {
        assert_eq!(passwords(Format::Csv, file), expected, "{file:?}");
    };
    check(
        "email,Password\r\na@b.example, two words \r\nb@b.example,\"a \"\"b\"\", c\"\r\nc@b.example,\r\nd@b.example,  \r\n",
        &["\" two words \"", "\"a \\\"b\\\", c\"", "none", "none"],
    );
    check("password,email\nlast\r,a@b.example\r\n", &["\"last\\r\""]);
    let both = "It has a password and a password_hash: give one of them.";
    let file = format!(
        "email,password,password_hash\na@b.example,x,{BCRYPT}\nb@b.example,,{BCRYPT}\nc@b.example,x,\n"
    );
    check(&file, &[both, "hash", "\"x\""]);
}

#[test]
fn a_password_is_taken_as_it_stands_in_a_line() {
    let check = |value: &str, expected: &str| {
        let line = format!("{{\"email\":\"a@b.example\",\"password\":{value}}}");
        assert_eq!(passwords(Format::Portcullis, &line), [expected], "{value}");
    };
    check("\" a b\\n\"", "\" a b\\n\"");
    check("null", "none");
    check("\"\"", "none");
    check("\"123456789012345\"", "\"123456789012345\"");
    for no_text in ["123456789012345", "1e15", "true", "[\"a\"]"] {
        check(no_text, "password: It is no text: write it in quotes.");
    }
}

#[test]
fn a_hash_is_no_password() {
    let refused = "password: It looks like a hash, which belongs in password_hash.";
    let check = |hash: &str, expected: &str| {
        let file = format!("email,password\na@b.example,{hash}\n");
        assert_eq!(passwords(Format::Csv, &file), [expected], "{hash}");
    };
    check(BCRYPT, refused);
    check("$argon2id$v=19$m=8$c2FsdA$AAAA", refused);
    check("pbkdf2_sha256$1000$seasalt$w7zErs0MNnGIcVebgPuLn1QQSgzd9SCTYdRCFkEcd0w=", refused);
    check("5f4dcc3b5aa765d61d8327deb882cf99", refused);
    check("$2b$ is what hashes begin with", "\"$2b$ is what hashes begin with\"");
    let dump = "[{\"model\":\"auth.user\",\"fields\":{\"email\":\"a@b.example\",\"password\":\"hunter2\"}}]";
    let as_hash = "The password hash is of no scheme that is known here.";
    assert_eq!(passwords(Format::Django, dump), [as_hash]);
}

const FILE: &str = "email,username,first_name,last_name,password\n\
    ada@example.com,ada,Ada,Lovelace,a quiet harbour\n\
    short@example.com,,,,quiet\n\
    number@example.com,,,,1234567\n\
    common@example.com,,,,password1password1\n\
    eve.adams@example.com,,Eve,Adams,Eve Adams 2026!!\n\
    nothing@example.com,,,,\n\
    tom@example.com,,,,Eve Adams 2026!!\n";

#[tokio::test]
async fn each_password_is_judged_and_each_reason_told() {
    let office = Office::open(Authority::operator()).await;
    for mode in [Mode::DryRun, Mode::Write] {
        let report = run(&office, &options(mode), FILE).await;
        let known = "must not be made of your own name or address, or of the name of this service";
        let expected = [
            "3 password: must have at least 15 characters.".to_owned(),
            "4 password: must have at least 15 characters; must not be made of digits alone."
                .to_owned(),
            "5 password: must not be one of the most common passwords.".to_owned(),
            format!("6 password: {known}."),
        ];
        assert_eq!(faults(&report), expected, "{mode:?}");
        assert_eq!((report.created, report.without_password, report.deferred), (3, 1, 0));
    }
    let mut tx = office.db.read().await.unwrap();
    for (id, password) in [(1, "a quiet harbour"), (3, "Eve Adams 2026!!")] {
        let stored = users::password(&mut tx, UserId(id)).await.unwrap().unwrap().phc.unwrap();
        let verdict = verify(&TINY, &mut Memory::default(), stored.reveal(), password);
        assert_eq!(verdict, Verdict::Match, "{id}");
        let standing = users::breach_standing(&mut tx, UserId(id)).await.unwrap().unwrap();
        assert_eq!(standing.state, BreachState::Clear);
        assert!(standing.corpus.starts_with("list 2"), "{}", standing.corpus);
    }
}

#[tokio::test]
async fn nothing_is_hashed_that_is_not_written() {
    let office = Office::open(Authority::operator()).await;
    let bench = Bench::of(vec![BreachSource::List]);
    let with = async |mode: Mode, params: Params| {
        import_with(&office, &bench, (params, &options(mode)), FILE, |_| {}).await
    };
    assert!(matches!(with(Mode::DryRun, NEVER).await, Ok(Outcome::Read(_))));
    assert!(matches!(with(Mode::Write, NEVER).await, Err(Halt::Hash(_))));
    assert!(office.events().await.is_empty(), "a batch is written whole or not at all");
    assert!(matches!(with(Mode::Write, TINY).await, Ok(Outcome::Read(_))));
    // Whoever is here now is not hashed again, and his password is not asked about.
    let Ok(Outcome::Read(again)) = with(Mode::Write, NEVER).await else { panic!() };
    assert_eq!((again.created, again.skipped.len(), again.refused.len()), (0, 3, 4));
    let file = "email,password\nADA@example.com,short\n";
    let report = run(&office, &options(Mode::Write), file).await;
    assert_eq!((report.skipped.len(), report.refused.len()), (1, 0));
}

#[tokio::test]
async fn passwords_that_could_not_be_looked_up_are_counted() {
    let office = Office::open(Authority::operator()).await;
    let bench = Bench::of(vec![BreachSource::List, BreachSource::Online]);
    for mode in [Mode::DryRun, Mode::Write] {
        let how = (TINY, &options(mode));
        let outcome = import_with(&office, &bench, how, FILE, |_| {}).await.unwrap();
        let Outcome::Read(report) = outcome else { panic!("{outcome:?}") };
        assert_eq!((report.created, report.deferred), (3, 2), "{mode:?}");
    }
    let mut tx = office.db.read().await.unwrap();
    let standing = users::breach_standing(&mut tx, UserId(1)).await.unwrap().unwrap();
    assert_eq!(standing.state, BreachState::Deferred);
}
