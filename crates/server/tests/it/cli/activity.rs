//! `portcullis activity` and `portcullis webhook`, beside a running server.

use serde_json::{Value, json};

use super::beside::beside;
use super::on_each_place;
use crate::harness::people::{STAFF, Z1, sign_in};
use crate::harness::receiver::Receiver;
use crate::harness::{Setup, TestApp, database, on_each_database};

#[tokio::test]
async fn what_happened_is_listed_and_found() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let wrong = sign_in(&server.client(), Z1.username.unwrap(), "not the password").await;
        assert_eq!(wrong.status, 401);
        server.by_cookie(&STAFF).await;
        server.events("authn_login_fail", 1).await;
        let line = "activity list --json --action authn_login_fail";
        let found = beside(server, line, "").await.assert(0).json();
        let [row] = found.as_array().unwrap().as_slice() else { panic!("{found}") };
        assert_eq!(
            (&row["event"], &row["outcome"]),
            (&json!("authn_login_fail"), &json!("failure"))
        );
        assert_eq!(row["subject"]["name"], "Jane Smith");
        let line = "activity list --json --action role_deleted,authn_login_fail";
        assert_eq!(beside(server, line, "").await.assert(0).json(), found, "with a comma");
        let line = "activity list --json --action role_deleted --action authn_login_fail";
        assert_eq!(beside(server, line, "").await.assert(0).json(), found, "twice");
        let table = beside(server, "activity list Fredk --outcome failure", "").await;
        assert!(table.assert(0).out.contains("authn_login_fail"), "{table:?}");
        let none = beside(server, "activity list --json --ip 192.0.2.77", "").await;
        assert_eq!(none.assert(0).json(), json!([]));
        for bad in ["--severity high", "--from yesterday", "--ip x", "--session x", "--action A"] {
            beside(server, &format!("activity list {bad}"), "").await.assert(2);
        }
        beside(server, "activity list --before 99999", "").await.assert(1);
    })
    .await;
}

#[tokio::test]
async fn it_is_taken_along_in_each_form() {
    on_each_database(async |server| {
        server.by_cookie(&STAFF).await;
        let ran = beside(server, "activity export --format ndjson --action authn_*", "").await;
        let lines: Vec<Value> =
            ran.assert(0).out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["event"], "authn_login_success");
        let csv = beside(server, "activity export --format csv --action authn_*", "").await;
        assert!(csv.assert(0).out.starts_with("schema,index,at,event,"), "{csv:?}");
        let ocsf = beside(server, "activity export --format ocsf --action authn_*", "").await;
        assert!(ocsf.assert(0).out.contains("\"class_uid\":3002"), "{ocsf:?}");
        assert_eq!(server.events("audit_exported", 3).await.len(), 3);
        let last = lines.last().unwrap()["index"].as_u64().unwrap();
        let line = format!("activity export --format ndjson --action authn_* --after {last}");
        assert_eq!(beside(server, &line, "").await.assert(0).out.trim(), "");
        let table = beside(server, "activity list --action audit_exported", "").await;
        assert_eq!(table.assert(0).out.matches("(command line)").count(), 4, "{table:?}");
        let staff = server.sign_in(&STAFF).await;
        let page = staff.get("/-/admin/activity?action=audit_exported").send().await.text();
        assert_eq!(page.matches("on the command line").count(), 4, "{page}");
        let by_web = staff.get("/api/admin/activity-log/export?format=csv").send().await;
        assert_eq!(by_web.status, 200);
        let page = staff.get("/-/admin/activity?action=audit_exported").send().await.text();
        assert_eq!(page.matches("on the command line").count(), 4, "{page}");
    })
    .await;
}

#[tokio::test]
async fn a_receiver_is_tried_listed_sent_again_and_forgotten() {
    for kind in database::kinds() {
        let receiver = Receiver::start().await;
        let setup = Setup::with(&receiver.config("siem", ""));
        let server = TestApp::start(kind, &setup).await;
        let listed = async || beside(&server, "webhook list --json", "").await.assert(0).json();
        let place = format!("http://{}", receiver.address);
        assert_eq!(listed().await, json!([{"name": "siem", "to": place, "state": "new"}]));
        let sent = beside(&server, "webhook test siem --json", "").await.assert(0).json();
        let [message] = &receiver.messages()[..] else { panic!("one") };
        assert_eq!(sent["webhook_id"], message.id);
        assert_eq!(message.body["type"], "portcullis.audit.test");
        receiver.answers(403);
        let refused = beside(&server, "webhook test siem", "").await;
        assert!(refused.assert(3).err.contains("the answer is 403"), "{refused:?}");
        beside(&server, "webhook test nobody", "").await.assert(1);
        receiver.answers(200);

        server.by_cookie(&STAFF).await;
        server.events("authn_login_success", 1).await;
        server.app.audit.settle(server.app.clock.now()).await.unwrap();
        let mut tx = server.app.db.read().await.unwrap();
        let tree = portcullis_store::audit::tree::read(&mut tx).await.unwrap().unwrap();
        drop(tx);
        beside(&server, "webhook test siem", "").await.assert(0);
        assert_eq!(receiver.messages().last().unwrap().body["data"]["log"], tree.origin);
        let now = server.app.clock.now();
        let mut tx = server.app.db.write().await.unwrap();
        assert!(portcullis_store::audit::sinks::begin(&mut tx, "siem", 0).await.unwrap());
        let failure = "the answer is 500";
        let claimed = portcullis_store::audit::sinks::claim(&mut tx, "siem", "n", now, now).await;
        assert!(claimed.unwrap().is_some());
        let times = (now, now);
        portcullis_store::audit::sinks::fail(&mut tx, "siem", "n", failure, times).await.unwrap();
        tx.commit().await.unwrap();
        let row = &listed().await[0];
        assert_eq!((&row["state"], &row["failure"]), (&json!("failing"), &json!(failure)));
        assert!(row["behind"].as_u64().unwrap() > 0, "{row}");
        let rewound = beside(&server, "webhook rewind siem --to 1 --json", "").await;
        assert_eq!(rewound.assert(0).json(), json!({"name": "siem", "next": 1}));
        let row = &listed().await[0];
        assert_eq!((&row["state"], &row["next"]), (&json!("good"), &json!(1)));
        beside(&server, "webhook rewind siem --to 99999", "").await.assert(1);
        beside(&server, "webhook rewind nobody --to 1", "").await.assert(1);
        beside(&server, "webhook forget siem", "").await.assert(0);
        beside(&server, "webhook forget siem", "").await.assert(1);
        assert_eq!(listed().await[0]["state"], "new");
        server.finish().await;
    }
}

#[tokio::test]
async fn without_receivers_and_without_a_log_there_is_nothing_to_list() {
    on_each_place(async |place| {
        assert_eq!(place.run("webhook list --json").assert(0).json(), json!([]));
        let log = place.run("activity list --json --action role_deleted");
        assert_eq!(log.assert(0).json(), json!([]));
    })
    .await;
}
