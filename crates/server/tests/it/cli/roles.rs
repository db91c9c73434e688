//! `portcullis role`: each act with what it leaves in the store, and each refusal beside a control.

use portcullis_store::roles;
use serde_json::{Value, json};

use super::{Place, on_each_place};

impl Place {
    /// Level and permissions of a role; empty if there is none.
    async fn role(&self, name: &str) -> String {
        let db = self.store().await;
        let role = roles::by_name(&mut db.read().await.unwrap(), name).await.unwrap();
        db.close().await;
        role.map_or_else(String::new, |role| {
            let grants: Vec<String> = role.grants.iter().map(ToString::to_string).collect();
            format!("{} {}", role.level.get(), grants.join(" "))
        })
    }

    /// The stable word of a refusal.
    #[track_caller]
    fn refusal(&self, line: &str) -> String {
        let ran = self.run(&format!("{line} --json"));
        let told: Value = serde_json::from_str(&ran.assert(1).err).unwrap();
        told["code"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_role_is_made_once() {
    on_each_place(async |place| {
        let line = "role create --name Lettings --level 30 --permission API.Jobs-Old.* \
                    --permission api.leads.list --permission api.leads.list";
        let told = place.run(line);
        assert!(told.assert(0).out.contains("Lettings"), "{told:?}");
        assert_eq!(place.role("lettings").await, "30 api.jobs_old.* api.leads.list");
        let events = place.events().await;
        assert_eq!(events.len(), 3, "{events:?}");
        assert_eq!(events.last().unwrap(), r#"role_created - {"level":30,"role":"Lettings"}"#);

        let taken = place.refusal("role create --name LETTINGS --level 1 --permission api.x");
        assert_eq!(taken, "role_taken");
        assert_eq!(place.refusal("role create --name owner --level 1"), "role_taken");
        assert_eq!(place.role("lettings").await, "30 api.jobs_old.* api.leads.list");
        assert_eq!(place.events().await, events);
        let made = place.run("role create --name all --level 100 --permission * --json");
        assert_eq!(made.assert(0).json(), json!({ "id": 5, "name": "all" }));
    })
    .await;
}

#[tokio::test]
async fn a_permission_is_given_and_taken() {
    on_each_place(async |place| {
        place.run("role create --name clerk --level 20 --permission api.jobs.*").assert(0);
        let before = place.events().await.len();
        let changed = |line: &str, expected: bool| {
            let told = place.run(&format!("role {line} --json")).assert(0).json();
            assert_eq!(told["changed"], expected, "{line}: {told}");
        };
        assert_eq!(place.refusal("role grant nobody api.x"), "role_unknown");
        assert_eq!(place.refusal("role revoke nobody api.x"), "role_unknown");
        assert_eq!(place.refusal("role grant owner api.x"), "not_allowed");
        assert_eq!(place.refusal("role revoke owner *"), "not_allowed");
        assert_eq!(place.refusal("role revoke clerk api.jobs.read"), "permission_kept");
        changed("grant clerk api.jobs.*", false);
        changed("revoke clerk api.leads", false);
        assert_eq!(place.events().await.len(), before);

        changed("grant CLERK api.leads", true);
        assert_eq!(place.role("clerk").await, "20 api.jobs.* api.leads");
        changed("revoke clerk api.jobs.*", true);
        assert_eq!(place.role("clerk").await, "20 api.leads");
        let events = place.events().await;
        assert_eq!(events.len(), before + 2);
        let given =
            r#"privilege_permissions_changed - {"granted":true,"key":"api.leads","role":"clerk"}"#;
        assert!(events.contains(&given.to_owned()), "{events:?}");
        // Built-in roles but the owner's take and lose permissions.
        changed("grant user api.leads", true);
        assert_eq!(place.role("user").await, "10 api.leads api.security.mobile_auth.use");
    })
    .await;
}

#[tokio::test]
async fn every_role_is_listed() {
    on_each_place(async |place| {
        let listed = place.run("role list --json").assert(0).json();
        let names: Vec<&str> =
            listed.as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["owner", "staff", "user"]);
        let owner = json!({
            "id": 1, "name": "owner", "level": 100, "built_in": true, "permissions": ["*"],
        });
        assert_eq!(listed[0], owner);
        let table = place.run("role list").assert(0).out.clone();
        assert!(table.contains("api.security.sessions.terminate"), "{table}");
    })
    .await;
}

#[tokio::test]
async fn roles_are_carried_by_a_file() {
    on_each_place(async |place| {
        place.run("role create --name clerk --level 20 --permission api.jobs.*").assert(0);
        let exported = place.run("role export").assert(0).out.clone();
        let file = place.directory().join("roles.json");
        std::fs::write(&file, &exported).unwrap();
        let import = format!("role import {} --json", file.display());
        let before = place.events().await;
        let told = place.run(&import).assert(0).json();
        assert_eq!(told, json!({ "created": 0, "changed": 0, "unchanged": 4 }));
        assert_eq!(place.events().await, before);

        let text = r#"{"roles": [
            {"name": "clerk", "level": 25, "permissions": ["api.leads"]},
            {"name": "porter", "level": 5, "permissions": ["api.*"]}
        ]}"#;
        std::fs::write(&file, text).unwrap();
        let told = place.run(&import).assert(0).json();
        assert_eq!(told, json!({ "created": 1, "changed": 1, "unchanged": 0 }));
        assert_eq!(place.role("clerk").await, "25 api.leads");
        assert_eq!(place.role("porter").await, "5 api.*");
        assert_eq!(place.role("owner").await, "100 *");
        assert_eq!(place.events().await.len(), before.len() + 5);
    })
    .await;
}

#[tokio::test]
async fn a_faulty_file_changes_nothing() {
    on_each_place(async |place| {
        let file = place.directory().join("roles.json");
        let import = format!("role import {}", file.display());
        let refused = |text: &str, says: &[&str]| {
            std::fs::write(&file, text).unwrap();
            let ran = place.run(&import);
            for sentence in says {
                assert!(ran.assert(1).err.contains(sentence), "{sentence}: {ran:?}");
            }
        };
        refused("{", &["line 1"]);
        refused(
            r#"{"roles": [
                {"name": "fine", "level": 1, "permissions": ["api.x"]},
                {"name": "high", "level": 101, "permissions": ["api..x"]},
                {"name": "Fine", "level": 2, "permissions": []}
            ]}"#,
            &["Its level is 101", "\"api..x\"", "twice"],
        );
        refused(
            r#"{"roles": [
                {"name": "fine", "level": 1, "permissions": ["api.x"]},
                {"name": "owner", "level": 99, "permissions": ["api.x"]}
            ]}"#,
            &["built-in"],
        );
        assert_eq!(place.role("fine").await, "");
        assert_eq!(place.role("owner").await, "100 *");
        assert!(place.events().await.is_empty());
        place.run("role import /nowhere/roles.json").assert(3);

        let fine = r#"{"roles": [{"name": "fine", "level": 1, "permissions": ["api.x"]}]}"#;
        std::fs::write(&file, fine).unwrap();
        place.run(&import).assert(0);
        assert_eq!(place.role("fine").await, "1 api.x");
    })
    .await;
}
