//! The cases of the contract, under their ids.

use serde_json::json;

use super::{Owner, STEP, assert_gives_nothing, login, me, ticket};
use crate::harness::on_each_database;
use crate::harness::people::Z1;

#[tokio::test]
async fn ts17_setup_by_the_documented_sample_gives_qr_secret_and_ten_codes() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        for prefix in ["/api/two-factor", "/api/auth/2fa"] {
            let token = login(&server.client(), &Z1, None).await.json()["accessToken"].clone();
            // The documents' sample: a JWT, no CSRF token, no Origin, no body.
            let program = server.client().bearer(token.as_str().unwrap());
            let answer = program.post(&format!("{prefix}/setup")).send().await;
            assert_eq!(answer.status, 201, "{answer:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
            let body = answer.json();
            for key in ["qrCode", "qrCodeDataUrl", "qrCodeUrl"] {
                let picture = body[key].as_str().unwrap();
                assert!(picture.starts_with("data:image/png;base64,"), "{key}: {body}");
            }
            assert!(body["qrCodeSvg"].as_str().unwrap().starts_with("<svg "), "{body}");
            let secret = body["secret"].as_str().unwrap();
            assert_eq!(secret.len(), 32, "160 bits: {body}");
            let url = body["otpauthUrl"].as_str().unwrap();
            let expected = format!(
                "otpauth://totp/127.0.0.1:fred%40example.com?secret={secret}&issuer=127.0.0.1\
                 &algorithm=SHA1&digits=6&period=30"
            );
            assert_eq!(url, expected);
            let codes = body["backupCodes"].as_array().unwrap();
            assert_eq!(codes.len(), 10);
            let is_code = |code: &str| {
                code.len() == 9
                    && code.bytes().enumerate().all(|(at, byte)| {
                        if at == 4 { byte == b'-' } else { byte.is_ascii_alphanumeric() }
                    })
            };
            assert!(codes.iter().all(|code| is_code(code.as_str().unwrap())), "{body}");
            let status = program.get(&format!("{prefix}/status")).send().await.json();
            assert_eq!((&status["enabled"], &status["isEnabled"]), (&false.into(), &false.into()));
            assert_eq!(login(&server.client(), &Z1, None).await.status, 201, "only begun");
        }
    })
    .await;
}

#[tokio::test]
async fn ts18_a_login_needs_the_code() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let without = login(&server.client(), &Z1, None).await;
        ticket(&without);
        let body = without.json();
        assert_eq!((&body["statusCode"], &body["expires_in"]), (&401.into(), &300.into()));
        ticket(&login(&server.client(), &Z1, Some("")).await);
        let wrong = login(&server.client(), &Z1, Some(&owner.wrong(server))).await;
        assert_eq!(wrong.verdict(), "401 second_factor_wrong");
        assert_eq!(wrong.json()["message"], "Invalid verification code");
        assert_gives_nothing(&wrong);
        let client = server.client();
        let right = login(&client, &Z1, Some(&owner.code(server))).await;
        assert_eq!(right.status, 201, "{right:?}");
        assert!(right.json()["accessToken"].is_string(), "{right:?}");
        assert_eq!(me(&client).await, 200);
    })
    .await;
}

#[tokio::test]
async fn ts19_a_code_signs_in_once() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let code = owner.code(server);
        assert_eq!(login(&server.client(), &Z1, Some(&code)).await.status, 201);
        let again = login(&server.client(), &Z1, Some(&code)).await;
        assert_eq!(again.verdict(), "401 second_factor_wrong");
        server.advance(STEP);
        let again = login(&server.client(), &Z1, Some(&code)).await;
        assert_eq!(again.verdict(), "401 second_factor_wrong", "still inside its window");
        let next = login(&server.client(), &Z1, Some(&owner.code(server))).await;
        assert_eq!(next.status, 201, "control: {next:?}");
    })
    .await;
}

#[tokio::test]
async fn ts20_codes_of_a_signed_in_user_are_verified_and_used() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        for (prefix, code) in [
            ("/api/auth/2fa", owner.code(server)),
            ("/api/two-factor", owner.backup_codes[0].to_lowercase()),
        ] {
            let verify = async || {
                let sending = owner.program.post(&format!("{prefix}/verify"));
                sending.json(&json!({"code": code})).send().await
            };
            let right = verify().await;
            assert_eq!((right.status.as_u16(), right.json()), (201, json!({"success": true})));
            assert_eq!(verify().await.verdict(), "401 second_factor_wrong", "once");
        }
        let status = owner.program.get("/api/auth/2fa/status").send().await.json();
        assert_eq!(status["enabled"], true);
        assert_eq!(status["backupCodesRemaining"], 9, "{status}");
        assert_eq!(status["trustedDevicesCount"], 0, "{status}");
        assert!(status["enabledAt"].is_string(), "{status}");
    })
    .await;
}

#[tokio::test]
async fn ts21_a_backup_code_signs_in_once() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let code = &owner.backup_codes[3];
        assert_eq!(login(&server.client(), &Z1, Some(code)).await.status, 201);
        let again = login(&server.client(), &Z1, Some(code)).await;
        assert_eq!(again.verdict(), "401 second_factor_wrong");
        let other = login(&server.client(), &Z1, Some(&owner.backup_codes[4])).await;
        assert_eq!(other.status, 201, "control: {other:?}");
        let listed = owner.program.get("/api/auth/2fa/backup-codes").send().await.json();
        assert_eq!(listed["backupCodesRemaining"], 8, "{listed}");
        assert_eq!(listed["codes"][3]["used"], true, "{listed}");
        let shown = listed.to_string();
        assert!(!owner.backup_codes.iter().any(|code| shown.contains(code.as_str())), "{shown}");

        let renewed = owner.program.post("/api/auth/2fa/regenerate-backup-codes").send().await;
        assert_eq!(renewed.status, 201, "{renewed:?}");
        let fresh = renewed.json()["backupCodes"][0].as_str().unwrap().to_owned();
        let old = login(&server.client(), &Z1, Some(&owner.backup_codes[5])).await;
        assert_eq!(old.verdict(), "401 second_factor_wrong", "the old ones are dead");
        assert_eq!(login(&server.client(), &Z1, Some(&fresh)).await.status, 201);
    })
    .await;
}

/// S4–S8 in the words that the documents have for what goes wrong.
#[tokio::test]
async fn refusals_are_worded_as_documented() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let token = login(&server.client(), &Z1, None).await.json()["accessToken"].clone();
        let program = server.client().bearer(token.as_str().unwrap());
        let check = async |path: &str, body, verdict: &str, message: &str| {
            let path = format!("/api/auth/2fa/{path}");
            let answer = program.post(&path).json(&body).send().await;
            assert_eq!(answer.verdict(), verdict, "{path}: {answer:?}");
            let told = answer.json()["message"].to_string();
            assert!(told.contains(message), "{path}: {told}");
        };
        let code = || json!({"code": "123456"});
        let (begun, said) = ("404 second_factor_not_begun", "Two-factor setup not initiated");
        check("verify-setup", code(), begun, said).await;
        let (off, said) =
            ("400 second_factor_not_enabled", "Two-factor authentication is not enabled");
        check("verify", code(), off, said).await;
        check("disable", json!({"password": "x"}), off, said).await;
        check("disable", code(), off, said).await;
        check("regenerate-backup-codes", json!({}), off, said).await;
        let invalid = "400 invalid";
        check("verify", json!({}), invalid, "code should not be empty").await;
        check("verify", json!({"code": "12345"}), invalid, "code must be longer").await;
        check("verify", json!({"code": "12345678901"}), invalid, "code is too long").await;
        check("verify", json!({"code": 123_456}), invalid, "code must be a string").await;
        let other = json!({"code": "123456", "x": 1});
        check("verify", other, invalid, "property x should not exist").await;
        check("setup", json!({"user": 1}), invalid, "property user should not exist").await;
        let control = program.post("/api/two-factor/setup").json(&json!({})).send().await;
        assert_eq!(control.status, 201, "control: {control:?}");
        let wrong = "400 second_factor_wrong";
        check("verify-setup", code(), wrong, "Invalid verification code").await;
        let listed = program.get("/api/auth/2fa/backup-codes").send().await;
        assert_eq!(listed.verdict(), off);
    })
    .await;
}
