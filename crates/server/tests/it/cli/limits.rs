//! `portcullis limits`, beside a running server that would let nobody change them, and alone.

use http::Method;
use serde_json::{Value, json};

use super::beside::beside;
use super::on_each_place;
use crate::harness::people::{STAFF, Z1};
use crate::harness::{Setup, on_each_database_with};

#[tokio::test]
async fn the_operator_changes_what_nobody_else_can_reach() {
    on_each_database_with(Setup::with("[limits]\nrequests = \"3/1h\"\n"), async |server| {
        let user = server.by_bearer(&Z1).await;
        let status = async || user.get("/api/auth/me").send().await.status.as_u16();
        while status().await == 200 {}
        assert_eq!(status().await, 429, "control");
        let told = beside(server, "limits set requests 500/1d --json", "").await.assert(0).json();
        assert_eq!(told, json!({"name": "requests", "value": "500/86400s"}));
        server.app.limits.refresh(&server.app.db).await.unwrap();
        assert_eq!(status().await, 200);

        let event = server.events("limit_changed", 1).await.remove(0);
        let expected = json!({
            "limit": "requests", "before": "3/3600s", "after": "500/86400s", "is_configured": false,
        });
        assert_eq!((event.detail, event.context.actor), (expected, None));
        let owner = server.by_bearer(&STAFF).await;
        let token = owner.fetch_csrf().await;
        let body = json!({"name": "requests", "value": "500/1d"});
        let put = owner.request(Method::PUT, "/api/admin/limits").header("x-csrf-token", &token);
        assert_eq!(put.json(&body).send().await.status, 400, "the API has bounds");
        beside(server, "limits reset requests", "").await.assert(0);
        server.app.limits.refresh(&server.app.db).await.unwrap();
        assert_eq!(server.app.limits.in_force(), server.app.limits.configured());
    })
    .await;
}

#[tokio::test]
async fn limits_are_listed_set_and_reset() {
    on_each_place(async |place| {
        let row = |name: &str| {
            let all = place.run("limits list --json").assert(0).json();
            let rows = all.as_array().unwrap();
            assert_eq!(rows.len(), 5, "{all}");
            rows.iter().find(|row| row["name"] == name).unwrap().clone()
        };
        let before = json!({
            "name": "login", "value": "5/60s", "source": "default", "configured": "5/60s",
            "default": "5/60s", "changed_by": null, "changed_at": null,
        });
        assert_eq!(row("login"), before);
        let done = place.run("limits set login 9/60s");
        assert!(done.assert(0).out.contains("limits.login is 9/60s"), "{done:?}");
        let after = row("login");
        assert_eq!((&after["value"], &after["source"]), (&json!("9/60s"), &json!("changed")));
        let again = place.run("limits set login 9/1m");
        assert!(again.assert(0).out.contains("already"), "{again:?}");
        let table = place.run("limits list");
        let table = &table.assert(0).out;
        assert!(table.contains("9/60s") && table.contains("the operator"), "{table}");
        place.run("limits set upstream off").assert(0);
        assert_eq!(row("upstream")["source"], "changed");
        let back: Value = place.run("limits reset login --json").assert(0).json();
        assert_eq!(back, json!({"name": "login", "value": "5/60s"}));
        assert_eq!(row("login"), before);
        for wrong in ["set login 0/60s", "set body 1/60s", "set login soon", "reset nothing"] {
            place.run(&format!("limits {wrong}")).assert(2);
        }
        assert_eq!(place.events().await.len(), 3, "one a change");
    })
    .await;
}
