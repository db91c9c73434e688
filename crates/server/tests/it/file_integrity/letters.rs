//! Who hears by mail of files that differ, and how often.

use std::fs;
use std::time::Duration;

use portcullis_domain::event::Context;
use portcullis_domain::integrity::Cause;
use portcullis_server::flows::integrity::Monitor;
use portcullis_server::flows::integrity::check::{self, Begun};

use super::deployments::{begin, config, end, key, manifest, release};
use super::{on_each, on_each_with, told};
use crate::harness::TestApp;
use crate::harness::letters::{letters_so_far, mails};
use crate::harness::people::{Person, STAFF, STAFF0};

const CHANGED: &str = "Watched files have changed";

/// Checks, as the command does: nobody but the store has what was found.
async fn look(server: &TestApp) {
    let context = Context::default();
    let monitor = Monitor::of(&server.app, &context);
    let begun = check::begin(&monitor, Cause::Command).await.unwrap();
    let Begun::Started(id) = begun else { panic!("{begun:?}") };
    check::run(&monitor, id, &server.app.stopping).await;
}

async fn subjects(server: &TestApp, of: &Person) -> Vec<String> {
    let letters = letters_so_far(server, of.email).await.into_iter();
    letters.map(|letter| letter.subject).filter(|subject| subject.contains("files")).collect()
}

#[tokio::test]
async fn whoever_finds_it_those_who_may_judge_are_told() {
    on_each_with(&config(), async |server, staff, root| {
        server.add(&STAFF0).await;
        look(server).await;
        fs::write(root.join("notes.txt"), "x").unwrap();
        look(server).await;
        assert_eq!(subjects(server, &STAFF).await, [""; 0], "of what is not bad nobody is told");

        fs::write(root.join("new.php"), "<?php\n").unwrap();
        look(server).await;
        assert_eq!(subjects(server, &STAFF).await, [CHANGED], "by a command");
        let letters = mails(server).await.concat();
        assert!(letters.contains("critical: added") && letters.contains("new.php"), "{letters}");

        let next = release(root);
        let id = begin(staff, &manifest(&next, "app", &key("pipeline", 5))).await;
        fs::write(root.join("shell.php"), "<?php\n").unwrap();
        assert_eq!(end(staff, &id).await["data"]["state"], "incomplete");
        assert_eq!(subjects(server, &STAFF).await, [CHANGED; 2], "at the end of a deployment");
        look(server).await;
        assert_eq!(subjects(server, &STAFF).await, [CHANGED; 2], "it is known");
        assert_eq!(subjects(server, &STAFF0).await, [""; 0], "who may not judge is not told");
    })
    .await;
}

#[tokio::test]
async fn what_is_worst_has_letters_of_its_own_and_one_tells_how_much_there_was_beside() {
    on_each(async |server, _, root| {
        look(server).await;
        for number in 0..13 {
            server.advance(Duration::from_secs(1));
            fs::write(root.join(format!("{number}.conf")), "x").unwrap();
            look(server).await;
        }
        assert_eq!(subjects(server, &STAFF).await, [CHANGED; 10]);
        fs::write(root.join("13.conf"), "x").unwrap();
        fs::write(root.join("shell.php"), "<?php\n").unwrap();
        look(server).await;
        assert_eq!(subjects(server, &STAFF).await, [CHANGED; 11], "of what is critical");
        let limits = server.events("excess_rate_limit_exceeded", 1).await;
        let of_letters = limits.iter().filter(|event| event.detail["limit"] == "letters");
        assert_eq!(of_letters.count(), 1, "not for each of them");

        server.advance(Duration::from_hours(1));
        let all = subjects(server, &STAFF).await;
        assert_eq!(all.get(11..).unwrap(), ["More watched files have changed"]);
        let last = mails(server).await.pop().unwrap();
        assert!(last.contains("There are 3 more since"), "{last}");
        fs::write(root.join("14.conf"), "x").unwrap();
        look(server).await;
        assert_eq!(subjects(server, &STAFF).await.len(), 13, "the hour is over");
    })
    .await;
}

#[tokio::test]
async fn what_goes_and_comes_all_day_is_told_of_once_an_hour() {
    on_each(async |server, staff, root| {
        look(server).await;
        let toggle = async |times: u32| {
            for _ in 0..times {
                fs::write(root.join("a.conf"), "x").unwrap();
                look(server).await;
                server.advance(Duration::from_secs(1));
                fs::remove_file(root.join("a.conf")).unwrap();
                look(server).await;
                server.advance(Duration::from_secs(1));
            }
        };
        let count = async |name: &str| server.events(name, 1).await.len();
        toggle(5).await;
        assert_eq!(count("fim_alert_opened").await, 1);
        assert_eq!(count("fim_alert_reverted").await, 1);
        assert_eq!(subjects(server, &STAFF).await, [CHANGED]);
        let page = super::alerts(staff, "").await;
        assert_eq!(page["data"][0]["occurrences"], 5, "{page}");
        assert_eq!(told(staff, "").await, [super::row("a.conf", "added", 1)]);

        server.advance(Duration::from_hours(1));
        toggle(5).await;
        assert_eq!(count("fim_alert_opened").await, 2);
        assert_eq!(count("fim_alert_reverted").await, 2);
        assert_eq!(subjects(server, &STAFF).await, [CHANGED; 2]);
    })
    .await;
}
