//! The shortest way through the whole server, to see first whether anything works at all.

use serde_json::json;

use crate::harness::on_each_database;
use crate::harness::people::{STAFF, Z1};

#[tokio::test]
async fn sign_in_fetch_a_token_and_reach_the_upstream() {
    on_each_database(async |server| {
        let bearer = server.by_bearer(&STAFF).await;
        let token = bearer.fetch_csrf().await;
        let job = json!({"title": "Boiler repair", "priority": "high"});
        let refused = bearer.post("/api/jobs/manage").json(&job).send().await;
        assert_eq!(refused.verdict(), "403 csrf_missing");
        let send = bearer.post("/api/jobs/manage").header("x-csrf-token", &token).json(&job);
        let answer = send.send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(server.upstream.last().body, job.to_string());

        let browser = server.by_cookie(&Z1).await;
        let me = browser.get("/api/auth/me").send().await;
        assert_eq!(me.json()["user"]["username"], "Fredkiss3", "{me:?}");
    })
    .await;
}
