//! What is made of all alerts that a filter finds (B.5): as many as were seen, or none.

use std::fs;

use serde_json::json;

use super::{alerts, check, on_each, post, told};
use crate::harness::people::{STAFF0, TENANT};

#[tokio::test]
async fn all_that_fit_are_judged_or_none() {
    on_each(async |server, staff, root| {
        check(staff).await;
        for name in ["a.txt", "b.txt", "c.txt", "d.php"] {
            fs::write(root.join(name), name).unwrap();
        }
        check(staff).await;
        let low = json!({"status": 0, "severity": "low"});
        for (count, status) in [(2, 409), (4, 409), (3, 200)] {
            let body = json!({"filter": low, "expected_count": count, "resolution": "remediated"});
            let answer = post(staff, "bulk-resolve-alerts", body).await;
            assert_eq!(answer.status, status, "{count}: {answer:?}");
            let is_done = status == 200;
            assert_eq!(alerts(staff, "?status=1").await["total"], if is_done { 3 } else { 0 });
            if is_done {
                assert_eq!(answer.json()["message"], "3 alert(s) resolved");
                assert_eq!(answer.json()["results"].as_array().unwrap().len(), 3);
            } else {
                assert_eq!(answer.json()["code"], "count_differs");
            }
        }
        let events = server.events("fim_alert_resolved", 3).await;
        assert!(events.iter().all(|event| event.context.actor.is_some()));

        let body = json!({"filter": {"root": "app", "change_type": "added", "status": "0"},
            "expected_count": 1, "days": 2, "note": "known"});
        let answer = post(staff, "ignore-alerts", body).await;
        assert_eq!(answer.json()["message"], "1 alert(s) ignored", "{answer:?}");
        assert_eq!(told(staff, "?status=2").await, [super::row("d.php", "added", 2)]);
        let body = json!({"filter": {"root": "other"}, "expected_count": 0});
        assert_eq!(post(staff, "bulk-delete-alerts", body).await.status, 200, "none fits");
        let body = json!({"filter": {}, "expected_count": 4});
        let answer = post(staff, "bulk-delete-alerts", body).await;
        assert_eq!(answer.json()["message"], "4 alert(s) deleted", "{answer:?}");
        assert_eq!(alerts(staff, "").await["total"], 0);
    })
    .await;
}

#[tokio::test]
async fn filters_that_are_wrong_are_refused() {
    on_each(async |server, staff, root| {
        check(staff).await;
        fs::write(root.join("a.txt"), "a").unwrap();
        check(staff).await;
        let id = super::number(staff, "a.txt").await;
        for body in [
            json!({"filter": {}}),
            json!({"expected_count": 1}),
            json!({"filter": {}, "expected_count": 1001}),
            json!({"filter": {}, "expected_count": -1}),
            json!({"filter": {}, "expected_count": "one"}),
            json!({"filter": {}, "expected_count": 1, "alert_ids": [id]}),
            json!({"filter": "status=0", "expected_count": 1}),
            json!({"filter": [], "expected_count": 1}),
            json!({"filter": {"status": 3}, "expected_count": 1}),
            json!({"filter": {"severity": "worst"}, "expected_count": 1}),
            json!({"filter": {"root": 1}, "expected_count": 1}),
            json!({"filter": {"root": "a\0"}, "expected_count": 1}),
            json!({"filter": {"path": "a.txt"}, "expected_count": 1}),
        ] {
            for action in ["bulk-resolve-alerts", "bulk-delete-alerts"] {
                let answer = post(staff, action, body.clone()).await;
                assert_eq!(answer.status, 400, "{action} {body}: {answer:?}");
            }
        }
        let all = json!({"filter": {}, "expected_count": 1, "note": "x"});
        assert_eq!(post(staff, "accept-alerts", all.clone()).await.status, 400, "each by number");
        for person in [&STAFF0, &TENANT] {
            let other = server.by_cookie(person).await;
            assert_eq!(post(&other, "bulk-delete-alerts", all.clone()).await.status, 403);
        }
        assert_eq!(told(staff, "").await, [super::row("a.txt", "added", 0)], "nothing was done");
        assert_eq!(post(staff, "bulk-delete-alerts", all).await.status, 200, "control");
    })
    .await;
}

/// Two at once: each alert is done once, and the other hears that others fit by now.
#[tokio::test]
async fn two_at_once_do_each_once() {
    on_each(async |server, staff, root| {
        check(staff).await;
        for number in 0..20 {
            fs::write(root.join(format!("{number}.txt")), "x").unwrap();
        }
        check(staff).await;
        let body = json!({"filter": {"status": 0}, "expected_count": 20});
        let act = || post(staff, "bulk-resolve-alerts", body.clone());
        let (one, other) = tokio::join!(act(), act());
        let changed = |answer: &crate::harness::client::Answer| {
            let results = answer.json()["results"].as_array().cloned().unwrap_or_default();
            results.iter().filter(|result| result["result"] == "changed").count()
        };
        assert_eq!(changed(&one) + changed(&other), 20, "{one:?} {other:?}");
        server.events("fim_alert_resolved", 20).await;
    })
    .await;
}
