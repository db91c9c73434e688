//! The watched folder itself: who may write to it is part of what ought to be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use super::deployments::{begin, config, copy, end, key, manifest, release};
use super::{alerts, check, number, on_each, on_each_with, post, row, told};

fn set_mode(root: &Path, mode: u32) {
    fs::set_permissions(root, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn the_folder_itself_is_watched_and_can_be_accepted() {
    on_each(async |_, staff, root| {
        set_mode(root, 0o755);
        check(staff).await;
        assert_eq!(check(staff).await["violations_found"], 0, "control");
        set_mode(root, 0o777);
        check(staff).await;
        let page = alerts(staff, "").await;
        assert_eq!(page["total"], 1, "{page}");
        let shown = &page["data"][0];
        for (key, value) in [
            ("path", ""),
            ("file_path", root.to_str().unwrap()),
            ("change_type", "attributes"),
            ("severity", "high"),
            ("rule", "writable"),
        ] {
            assert_eq!(shown[key], value, "{page}");
        }
        let path = format!("/api/security/file-integrity-alert?alert_id={}", shown["id"]);
        assert_eq!(staff.get(&path).send().await.status, 200);

        set_mode(root, 0o755);
        check(staff).await;
        assert_eq!(told(staff, "").await, [row("", "attributes", 1)], "it is as it was again");
        set_mode(root, 0o750);
        check(staff).await;
        let body = json!({"alert_ids": [number(staff, "").await], "note": "narrower"});
        let answer = post(staff, "accept-alerts", body).await.json();
        assert_eq!(answer["message"], "1 alert(s) accepted into the baseline", "{answer}");
        assert_eq!(check(staff).await["violations_found"], 0);
        set_mode(root, 0o755);
        assert_eq!(check(staff).await["violations_found"], 1, "that is what ought to be now");
    })
    .await;
}

/// What a manifest does not tell of stays as it was.
#[tokio::test]
async fn a_deployment_that_says_nothing_of_the_folder_hides_no_change_of_it() {
    on_each_with(&config(), async |_, staff, root| {
        set_mode(root, 0o755);
        check(staff).await;
        let next = release(root);
        let declared = manifest(&next, "app", &key("pipeline", 5));
        let id = begin(staff, &declared).await;
        for name in ["index.php", "more.php"] {
            copy(&next, root, name);
        }
        set_mode(root, 0o777);
        check(staff).await;
        assert_eq!(told(staff, "").await, [row("", "attributes", 0)]);
        assert_eq!(end(staff, &id).await["data"]["state"], "incomplete");
        set_mode(root, 0o755);
        let id = begin(staff, &declared).await;
        assert_eq!(end(staff, &id).await["data"]["state"], "complete", "control");
    })
    .await;
}
