//! The pages: each works without scripts, and no secret stands in an address that is sent anywhere.

use super::{NEW, can_sign_in, letters, me, send_form};
use crate::harness::on_each_database;
use crate::harness::people::{PASSWORD, Z1};

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_the_pages_alone() {
    on_each_database(async |server| {
        let signed_in = server.by_cookie(&Z1).await;
        let anybody = server.client();
        let sign_in = anybody.get("/-/sign-in").send().await.text();
        assert!(sign_in.contains("href=\"/-/forgot\">Forgot password?</a>"));
        let asked = send_form(&anybody, "/-/forgot", &[("email", Z1.email)]).await;
        assert_eq!(asked.status, 200);
        let letter = letters(server, Z1.email, 1).await.pop().unwrap();
        let link = letter.link.clone().unwrap();
        let expected = format!("http://{}/-/reset#t=", server.address);
        assert!(link.starts_with(&expected), "{link}");

        let page = anybody.get("/-/reset").send().await;
        let policy = page.header("content-security-policy").unwrap().to_owned();
        assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        let weak = [("code", link.as_str()), ("password", "short")];
        let weak = send_form(&anybody, "/-/reset", &weak).await;
        assert_eq!(weak.status, 400);
        assert!(weak.text().contains("must have at least 15 characters"), "{}", weak.text());
        let wrong = [("code", "no such code"), ("password", NEW)];
        let wrong = send_form(&anybody, "/-/reset", &wrong).await;
        assert_eq!(wrong.status, 400);
        assert!(wrong.text().contains("<code>link_unknown</code>"), "{}", wrong.text());
        // The whole link may be pasted.
        let right = [("code", link.as_str()), ("password", NEW)];
        let done = send_form(&anybody, "/-/reset", &right).await;
        assert_eq!(done.status, 200, "{}", done.text());
        assert!(done.text().contains("Your password is set"), "{}", done.text());
        assert!(done.set_cookie("sessionid").is_none());
        assert_eq!(me(&signed_in).await, 401);
        assert!(can_sign_in(server, &Z1, NEW).await);
        let used = send_form(&anybody, "/-/reset", &right).await;
        assert_eq!(used.status, 410);
    })
    .await;
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        for (path, fields) in [
            ("/-/forgot", vec![("email", Z1.email)]),
            ("/-/reset", vec![("code", "x"), ("password", NEW)]),
            ("/-/verify-email", vec![("code", "x")]),
            ("/-/account/password", vec![("current_password", PASSWORD), ("password", NEW)]),
            ("/-/account/email", vec![("email", "x@example.com")]),
            ("/-/confirm", vec![("current_password", PASSWORD)]),
        ] {
            let cross = client.post(path).header("sec-fetch-site", "cross-site").form(&fields);
            assert_eq!(cross.send().await.status, 403, "{path}: from another site");
            let bare = client.post(path).form(&fields).send().await;
            assert_eq!(bare.status, 403, "{path}: without a token: {bare:?}");
        }
        assert!(can_sign_in(server, &Z1, PASSWORD).await);
    })
    .await;
}

#[tokio::test]
async fn a_password_is_changed_on_its_page() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let elsewhere = server.sign_in(&Z1).await;
        let account = client.get("/-/account").send().await.text();
        for link in ["/-/account/password", "/-/account/email"] {
            assert!(account.contains(&format!("href=\"{link}\"")), "{link}");
        }
        let path = "/-/account/password";
        let wrong = [("current_password", "not it"), ("password", NEW)];
        assert_eq!(send_form(&client, path, &wrong).await.status, 401);
        let weak = [("current_password", PASSWORD), ("password", Z1.email)];
        let weak = send_form(&client, path, &weak).await;
        assert!(
            weak.text().contains("must not be made of your own name or address"),
            "{}",
            weak.text()
        );
        let right = [("current_password", PASSWORD), ("password", NEW)];
        let done = send_form(&client, path, &right).await;
        assert!(done.text().contains("You are still signed in here"), "{}", done.text());
        assert_eq!((me(&client).await, me(&elsewhere).await), (200, 401));
        assert!(can_sign_in(server, &Z1, NEW).await);
    })
    .await;
}
