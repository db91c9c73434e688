//! `portcullis report`: in each form, beside a running server and alone.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::beside::beside;
use super::on_each_place;
use crate::harness::on_each_database;
use crate::harness::people::{STAFF, Z1};

#[tokio::test]
async fn the_operator_counts_what_the_server_counts() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        server.by_cookie(&Z1).await;
        let told = beside(server, "report --format json", "").await.assert(0).json();
        let logins = json!({"successful": 2, "failed": 0});
        assert_eq!(told["logins"], logins, "no job has given them their place yet");
        let answer = staff.get("/api/admin/security-report").send().await.json();
        for figure in ["period", "logins", "sessions_terminated", "blacklisted_users", "previous"] {
            assert_eq!(told[figure], answer["data"][figure], "{figure}");
        }
        let again = beside(server, "report --json", "").await.assert(0).json();
        assert_eq!(again["logins"], told["logins"]);
    })
    .await;
}

#[tokio::test]
async fn it_is_written_in_each_form_and_to_a_file() {
    on_each_place(async |place| {
        let period = "--from 2024-06-01 --to 2024-06-14";
        let people = place.run(&format!("report {period}"));
        let people = &people.assert(0).out;
        for part in ["2024-06-01 to 2024-06-14", "logins.failed", "Owners who can sign in"] {
            assert!(people.contains(part), "{part}: {people}");
        }
        let csv = place.run(&format!("report {period} --format csv"));
        let csv = &csv.assert(0).out;
        assert!(csv.starts_with("section,name,value,previous,change\r\n"), "{csv}");
        assert!(csv.contains("period,to,2024-06-14,2024-05-31,"), "{csv}");

        let file = place.config.with_file_name("report.html");
        let line = format!("report {period} --format html --out {}", file.display());
        let told = place.run(&line);
        assert!(told.assert(0).out.contains("report.html"), "{told:?}");
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "whoever reads it knows who was attacked");
        let html = std::fs::read_to_string(&file).unwrap();
        for part in ["<!doctype html>", "<style>", "2024-06-01 to 2024-06-14", "http://127.0.0.1"] {
            assert!(html.contains(part), "{part}");
        }
        place.run(&line).assert(0);
    })
    .await;
}

#[tokio::test]
async fn a_period_that_cannot_be_meant_is_wrong_usage() {
    on_each_place(async |place| {
        for (period, said) in [
            ("--from yesterday", "--from must be a day"),
            ("--to 2024-02-30", "--to must be a day"),
            ("--from 2024-06-02 --to 2024-06-01", "--from must lie before to"),
            ("--from 2020-01-01 --to 2024-06-01", "at most 366 days"),
        ] {
            let ran = place.run(&format!("report {period}"));
            assert!(ran.assert(2).err.contains(said), "{period}: {ran:?}");
        }
        let coded = place.run("report --json --from 2024-06-02 --to 2024-06-01");
        assert!(coded.assert(2).err.contains("\"code\":\"period_reversed\""), "{coded:?}");
        place.run("report --out x").assert(2);
        let nowhere = place.run("report --format csv --out /nowhere/at/all.csv");
        assert!(nowhere.assert(3).err.contains("/nowhere/at/all.csv"), "{nowhere:?}");
    })
    .await;
}
