//! The pages: each works without scripts, and no secret stands in an address that is sent anywhere.

use super::{MARK, asked_by_program, asked_in, letter_to, me, send_form};
use crate::harness::people::Z1;
use crate::harness::{Setup, on_each_database, on_each_database_with};

#[tokio::test]
async fn somebody_signs_in_by_the_pages_alone() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let browser = server.client();
        let page = browser.get("/-/sign-in?next=/public/a?b=1").send().await.text();
        let way = "href=\"/-/magic/ask?next=%2Fpublic%2Fa%3Fb%3D1\">Mail me a link to sign in</a>";
        assert!(page.contains(way), "{page}");
        let path = "/-/magic/ask?next=%2Fpublic%2Fa%3Fb%3D1";
        let shown = browser.get(path).send().await.text();
        assert!(shown.contains("name=\"next\" value=\"/public/a?b=1\""), "{shown}");
        let fields = [("email", Z1.email), ("next", "/public/a?b=1"), ("remember", "1")];
        let letter =
            letter_to(server, &Z1, async || send_form(&browser, "/-/magic/ask", &fields).await)
                .await;
        assert_eq!(letter.subject, "Your link to sign in");
        let link = letter.link.clone().unwrap();
        assert!(link.starts_with(&format!("http://{}/-/magic#t=", server.address)), "{link}");
        assert!(!link.contains("public"), "where one was heading does not travel in the mail");
        assert!(letter.code.is_none());
        let elsewhere = server.client();
        let code = send_form(&elsewhere, "/-/magic", &[("code", &link)]).await;
        assert_eq!(code.status, 401);
        assert!(code.text().contains("class=\"shown-code\""), "{}", code.text());
        assert!(code.set_cookie("sessionid").is_none());
        let done = send_form(&browser, "/-/magic", &[("code", &link)]).await;
        assert_eq!((done.status.as_u16(), done.header("location")), (303, Some("/public/a?b=1")));
        assert!(done.set_cookie("remember").is_some(), "as it was asked for");
        assert_eq!(me(&browser).await, 200);
        let used = send_form(&elsewhere, "/-/magic", &[("code", &link)]).await;
        assert_eq!(used.status, 410);
        assert!(used.text().contains("<code>link_used</code>"), "{}", used.text());
    })
    .await;
}

#[tokio::test]
async fn the_code_is_typed_on_the_page_that_waits() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let (desk, phone) = (server.client(), server.client());
        let fields = [("email", Z1.email), ("next", "/public/x")];
        let letter =
            letter_to(server, &Z1, async || send_form(&desk, "/-/magic/ask", &fields).await).await;
        let token = letter.token();
        let shown = send_form(&phone, "/-/magic", &[("code", &token)]).await.text();
        let code = shown.split("class=\"shown-code\">").nth(1).unwrap()[..6].to_owned();
        let wrong = [("code", super::other_than(&code))];
        let wrong = send_form(&desk, "/-/magic/wait", &wrong).await;
        assert_eq!(wrong.status, 401);
        assert!(wrong.text().contains("<code>magic_code_wrong</code>"), "{}", wrong.text());
        let stranger = send_form(&phone, "/-/magic/wait", &[("code", &code)]).await;
        assert!(stranger.text().contains("<code>magic_code_over</code>"), "{}", stranger.text());
        let done = send_form(&desk, "/-/magic/wait", &[("code", &code)]).await;
        assert_eq!((done.status.as_u16(), done.header("location")), (303, Some("/public/x")));
        assert!(done.set_cookie("remember").is_none(), "nobody asked for that");
        assert_eq!((me(&desk).await, me(&phone).await), (200, 401));
    })
    .await;
}

/// Anybody may have a link mailed to himself by a program, and lure others to it.
#[tokio::test]
async fn a17_a_link_that_no_browser_asked_for_names_its_account_first() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let token = asked_by_program(server, &Z1).await;
        let browser = server.client();
        let named = send_form(&browser, "/-/magic", &[("code", &token)]).await;
        assert_eq!(named.status, 200);
        assert!(named.text().contains(&format!("Sign in as {}", Z1.email)), "{}", named.text());
        assert!(named.set_cookie("sessionid").is_none());
        assert_eq!(me(&browser).await, 401);
        let done = send_form(&browser, "/-/magic", &[("code", &token), ("named", "1")]).await;
        assert_eq!(done.status, 303, "control");
        assert_eq!(me(&browser).await, 200);
        // One that a browser asked for gives nobody else a session, whatever he presses.
        let token = asked_in(server, &server.client(), &Z1).await;
        let victim = server.client();
        let pressed = send_form(&victim, "/-/magic", &[("code", &token), ("named", "1")]).await;
        assert_eq!((pressed.status.as_u16(), me(&victim).await), (401, 401));
    })
    .await;
}

#[tokio::test]
async fn a_place_of_others_is_not_gone_on_to() {
    let setup = Setup::with("[sign_in]\nredirect_origins = [\"https://app.example\"]");
    on_each_database_with(setup, async |server| {
        server.add(&Z1).await;
        for (next, expected) in [
            ("//evil.example", "/"),
            ("https://evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("https://app.example/a", "/-/sign-in?next=https%3A%2F%2Fapp.example%2Fa"),
        ] {
            let browser = server.client();
            let fields = [("email", Z1.email), ("next", next)];
            let ask = async || send_form(&browser, "/-/magic/ask", &fields).await;
            let token = letter_to(server, &Z1, ask).await.token();
            let done = send_form(&browser, "/-/magic", &[("code", &token)]).await;
            assert_eq!(
                (done.status.as_u16(), done.header("location")),
                (303, Some(expected)),
                "{next}"
            );
            server.advance(6 * super::MINUTE);
        }
    })
    .await;
}

#[tokio::test]
async fn the_mark_is_of_the_hardened_profile_too() {
    let setup = Setup::with(
        "[server]\npublic_url = \"https://gate.example\"\n[cookies]\nprofile = \"hardened\"\n[mail]\ntransport = \"file:outbox\"",
    );
    let mark = &format!("__Host-{MARK}");
    on_each_database_with(setup, async |server| {
        server.add(&Z1).await;
        let browser = server.client().naming("gate.example");
        let body = serde_json::json!({"email": Z1.email});
        let asked = browser.post(super::ASK).json(&body).from_own_page().send().await;
        let line = asked.set_cookie(mark).unwrap();
        for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=600"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        let token = super::letters(server, Z1.email, 1).await.pop().unwrap().token();
        let body = serde_json::json!({"token": token});
        let verify = browser.post(super::VERIFY).json(&body).from_own_page().send().await;
        assert_eq!(verify.status, 201, "{verify:?}");
    })
    .await;
}
