//! Changing a password that one knows, in the documents' two forms.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{NEW, can_sign_in, letters, me};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{PASSWORD, TENANT, Z1, sign_in};
use crate::harness::{Setup, on_each_database, on_each_database_with};

const PATH: &str = "/api/auth/change-password";

/// Changes it as clients of Z do.
async fn by_z(client: &Client, current: &str, new: &str, again: &str) -> Answer {
    let token = client.cookie("csrftoken").unwrap();
    let body = json!({"current_password": current, "new_password": new, "confirm_password": again});
    client.post(PATH).header("x-csrftoken", &token).json(&body).send().await
}

#[tokio::test]
async fn tz18_this_session_stays_and_all_others_end() {
    on_each_database(async |server| {
        let here = server.by_cookie(&Z1).await;
        let elsewhere = server.sign_in(&Z1).await;
        let phone = server.mobile(&Z1).await;
        let somebody_else = server.by_cookie(&TENANT).await;
        let before = here.cookie("sessionid").unwrap();
        let csrf_before = here.cookie("csrftoken").unwrap();

        let answer = by_z(&here, PASSWORD, NEW, NEW).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"success": true})));
        assert_eq!(me(&here).await, 200, "this session");
        for (who, client) in [("another browser", &elsewhere), ("a phone", &phone)] {
            assert_eq!(me(client).await, 401, "{who}");
        }
        assert_eq!(me(&somebody_else).await, 200, "another person");

        // The cookie and its CSRF token are new, and the old ones are good for nothing.
        let copied = server.client();
        copied.set_cookie("sessionid", &before);
        assert_eq!(me(&copied).await, 401, "the old cookie");
        let change = |token: String| {
            let job = json!({"title": "x"});
            here.post("/api/jobs/manage").header("x-csrf-token", &token).json(&job).send()
        };
        assert_eq!(change(csrf_before).await.verdict(), "403 csrf_stale");
        assert_eq!(change(here.cookie("csrftoken").unwrap()).await.status, 201, "the new token");
        let handed_back = answer.header("x-csrf-token").unwrap().to_owned();
        assert_eq!(change(handed_back).await.status, 201, "the token of the answer");

        assert!(!can_sign_in(server, &Z1, PASSWORD).await);
        assert!(can_sign_in(server, &Z1, NEW).await);
        let letter = letters(server, Z1.email, 1).await.pop().unwrap();
        assert_eq!(letter.subject, "Your password was changed");
        assert_eq!(server.events("authn_password_change", 1).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn s17_by_access_token() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let elsewhere = server.sign_in(&TENANT).await;
        let browser = server.client();
        let body = json!({"email": TENANT.email, "password": PASSWORD});
        let login = browser.post("/api/auth/login").json(&body).send().await.json();
        let script = server.client().bearer(login["accessToken"].as_str().unwrap());
        let api = server.client().bearer(login["token"].as_str().unwrap());
        let wrong = json!({"currentPassword": "not that one at all", "newPassword": NEW});
        let answer = script.post(PATH).json(&wrong).send().await;
        assert_eq!(answer.verdict(), "401 wrong_password");
        assert_eq!(answer.json()["message"], "Current password is incorrect");
        assert_eq!(me(&elsewhere).await, 200, "control: nothing was done");

        let right = json!({"currentPassword": PASSWORD, "newPassword": NEW});
        let answer = script.post(PATH).json(&right).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let expected = json!({"success": true, "message": "Password changed successfully"});
        assert_eq!(answer.json(), expected);
        assert_eq!(me(&script).await, 200, "the token that asked goes on");
        // What else the same sign-in gave, and every other sign-in, is over.
        for (what, client) in [("cookie", &browser), ("API token", &api), ("other", &elsewhere)] {
            assert_eq!(me(client).await, 401, "{what}");
        }
    })
    .await;
}

#[tokio::test]
async fn tz19_each_fault_has_its_field_and_code() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let numeric = "1234567890123456789";
        let own = Z1.email;
        for (current, new, again, expected) in [
            ("not that one at all", NEW, NEW, &[("current_password", "invalid")][..]),
            (PASSWORD, NEW, "something else entirely", &[("confirm_password", "invalid")]),
            (
                PASSWORD,
                "123",
                "123",
                &[("new_password", "min_length"), ("new_password", "password_entirely_numeric")],
            ),
            (PASSWORD, numeric, numeric, &[("new_password", "password_entirely_numeric")]),
            (PASSWORD, own, own, &[("new_password", "password_too_similar")]),
            (
                "",
                "",
                "",
                &[
                    ("current_password", "required"),
                    ("new_password", "required"),
                    ("confirm_password", "required"),
                ],
            ),
        ] {
            let answer = by_z(&client, current, new, again).await;
            let body = answer.json();
            assert_eq!(answer.status, 400, "{new}: {body}");
            assert_eq!(body["type"], "validation_error", "{body}");
            let errors: Vec<_> = body["errors"].as_array().unwrap().iter().map(pair).collect();
            assert_eq!(errors, expected, "{new}: {body}");
            // For people each field is named once.
            let error = body["error"].as_str().unwrap();
            for (field, _) in expected {
                assert_eq!(error.matches(field).count(), 1, "{new}: {body}");
            }
            // Clients of S read the same in a list of sentences.
            let is_list = body["message"].is_array() || errors[0].0 == "current_password";
            assert!(is_list, "{body}");
        }
        assert!(can_sign_in(server, &Z1, PASSWORD).await, "nothing was changed");
        assert_eq!(by_z(&client, PASSWORD, NEW, NEW).await.status, 200, "control");
    })
    .await;
}

fn pair(error: &Value) -> (&str, &str) {
    (error["attr"].as_str().unwrap(), error["code"].as_str().unwrap())
}

#[tokio::test]
async fn wrong_ones_count_as_at_sign_in() {
    let setup = Setup::with("[limits]\nlockout = \"3/15m\"");
    on_each_database_with(setup, async |server| {
        let other = server.by_cookie(&TENANT).await;
        // A device that signed in before counts for itself; this one says nothing of that.
        let client = server.by_cookie(&Z1).await;
        client.set_cookie("portcullis_device", "");
        for _ in 0..3 {
            assert_eq!(by_z(&client, "wrong wrong wrong", NEW, NEW).await.status, 400);
        }
        let locked = by_z(&client, PASSWORD, NEW, NEW).await;
        assert_eq!(locked.verdict(), "429 locked_out");
        assert_eq!(locked.header("retry-after"), Some("900"));
        let sign_in = sign_in(&server.client(), "Fredkiss3", PASSWORD).await;
        assert_eq!(sign_in.verdict(), "429 locked_out", "one count for both");
        assert_eq!(by_z(&other, PASSWORD, NEW, NEW).await.status, 200, "another account");
        assert_eq!(server.events("authn_reauth_fail", 4).await.len(), 4);
        server.advance(Duration::from_secs(901));
        let client = server.sign_in(&Z1).await;
        assert_eq!(by_z(&client, PASSWORD, NEW, NEW).await.status, 200, "later");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_guesses_do_not_outrun_the_count() {
    let setup = Setup::with("[limits]\nlockout = \"5/15m\"");
    on_each_database_with(setup, async |server| {
        let client = server.by_cookie(&Z1).await;
        client.set_cookie("portcullis_device", "");
        let guess = async |_| {
            // Where the queue of passwords is full, the client comes back as it is told.
            loop {
                let answer = by_z(&client, "wrong wrong wrong", NEW, NEW).await;
                if answer.status != 503 {
                    return answer.status.as_u16();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let statuses = join_all((0..40).map(guess)).await;
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!((count(400), count(429)), (5, 35), "{statuses:?}");
        assert_eq!(by_z(&client, PASSWORD, NEW, NEW).await.verdict(), "429 locked_out");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_parallel_changes_one_wins() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let (token, cookie) =
            (client.cookie("csrftoken").unwrap(), client.cookie("sessionid").unwrap());
        let change = async |number: usize| {
            let apart = server.client();
            apart.set_cookie("sessionid", &cookie);
            apart.set_cookie("csrftoken", &token);
            let new = format!("{NEW} number {number}");
            (number, by_z(&apart, PASSWORD, &new, &new).await.status.as_u16(), apart)
        };
        let answers = join_all((0..6).map(change)).await;
        let won: Vec<_> = answers.iter().filter(|(_, status, _)| *status == 200).collect();
        assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|all| all.1).collect::<Vec<_>>());
        let (number, _, winner) = won[0];
        assert_eq!(me(winner).await, 200);
        assert!(can_sign_in(server, &Z1, &format!("{NEW} number {number}")).await);
    })
    .await;
}

#[tokio::test]
async fn a_remembered_browser_comes_back_after_its_own_change_alone() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let (here, elsewhere) = (server.remembered(&Z1).await, server.remembered(&Z1).await);
        assert_eq!(by_z(&here, PASSWORD, NEW, NEW).await.status, 200);
        server.advance(Duration::from_hours(3));
        assert_eq!(me(&here).await, 200, "its own series goes on");
        assert_eq!(me(&elsewhere).await, 401, "another browser's does not");
    })
    .await;
}

#[tokio::test]
async fn a52_nothing_else_is_set_along_with_it() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let before = client.get("/api/auth/me").send().await.json();
        let rights = client.get("/api/users/permissions").send().await.json();
        let token = client.cookie("csrftoken").unwrap();
        let body = json!({
            "current_password": PASSWORD, "new_password": NEW, "confirm_password": NEW,
            "role_id": 1, "account_type_id": 1, "is_superuser": true, "email": "x@example.com",
            "user_id": 1, "password_phc": "x",
        });
        let answer = client.post(PATH).header("x-csrftoken", &token).json(&body).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(client.get("/api/auth/me").send().await.json(), before);
        assert_eq!(client.get("/api/users/permissions").send().await.json(), rights);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_password_is_refused_and_nothing_breaks() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let token = client.cookie("csrftoken").unwrap();
        for body in [
            json!({}),
            json!([]),
            json!({"current_password": 1, "new_password": true, "confirm_password": null}),
            json!({"current_password": {"$ne": ""}, "new_password": [NEW], "confirm_password": NEW}),
            json!({"current_password": "x".repeat(5000), "new_password": NEW, "confirm_password": NEW}),
            json!({"current_password": PASSWORD, "new_password": "x".repeat(2000), "confirm_password": "x".repeat(2000)}),
            json!({"current_password": PASSWORD, "new_password": "a\u{0}bbbbbbbbbbbbbbbb", "confirm_password": "a\u{0}bbbbbbbbbbbbbbbb"}),
            json!({"currentPassword": PASSWORD}),
        ] {
            let sending = client.post(PATH).header("x-csrftoken", &token).json(&body);
            let answer = sending.send().await;
            assert_eq!(answer.status, 400, "{body}: {answer:?}");
        }
        let stranger = server.client().post(PATH).json(&json!({})).send().await;
        assert_eq!(stranger.status, 401);
        let no_token = json!({"current_password": PASSWORD, "new_password": NEW, "confirm_password": NEW});
        let answer = client.post(PATH).json(&no_token).send().await;
        assert_eq!(answer.status, 403, "without a CSRF token: {answer:?}");
        assert_eq!(by_z(&client, PASSWORD, NEW, NEW).await.status, 200, "control");
    })
    .await;
}
