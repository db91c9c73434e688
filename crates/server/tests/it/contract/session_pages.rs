//! The pages of sessions: one's own on the account page, everybody's for staff.

use super::DAY;
use super::session_list::{begin_sessions, form_token};
use crate::harness::client::{Answer, Client};
use crate::harness::on_each_database;
use crate::harness::people::{AGENT, STAFF, STAFF0, TENANT};

const ACCOUNT: &str = "/-/account";
const ADMIN: &str = "/-/admin/sessions";

#[tokio::test]
async fn people_see_their_own_sessions_and_end_them() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let here = server.sign_in(&TENANT).await;
        let phone = server.mobile(&TENANT).await;
        let page = show(&here, ACCOUNT).await;
        assert!(page.contains("This session") && page.contains("Mobile app"), "{page}");
        assert_eq!(page.matches("action=\"/-/account/sessions/end\"").count(), 1);
        let (_, rest) = page.split_once("name=\"session_id\" value=\"").unwrap();
        let handle = rest.split('"').next().unwrap();
        let ended = post(&here, "/-/account/sessions/end", &page, &[("session_id", handle)]).await;
        assert_eq!(
            (ended.status.as_u16(), ended.header("location")),
            (303, Some("/-/account#sessions"))
        );
        assert_eq!(phone.get("/api/auth/me").send().await.verdict(), "401 session_ended");
        let again = post(&here, "/-/account/sessions/end", &page, &[("session_id", handle)]).await;
        assert_eq!(again.status, 303, "twice is no fault");
        let page = show(&here, ACCOUNT).await;
        assert!(!page.contains("/-/account/sessions/end"), "nothing is left to end: {page}");

        let others = [server.mobile(&TENANT).await, server.sign_in(&TENANT).await];
        let page = show(&here, ACCOUNT).await;
        assert!(page.contains("Sign out everywhere else (2 sessions)"), "{page}");
        let ended = post(&here, "/-/account/sessions/end-others", &page, &[]).await;
        assert_eq!(ended.status, 303);
        for other in others {
            assert_eq!(other.get("/api/auth/me").send().await.verdict(), "401 session_ended");
        }
        assert_eq!(here.get("/api/auth/me").send().await.status, 200);
        let missing = here.post("/-/account/sessions/end-others").form(&[]).send().await;
        assert_eq!(missing.status, 403, "the token of the form is asked for");
    })
    .await;
}

#[tokio::test]
async fn staff_search_and_turn_pages() {
    on_each_database(async |server| {
        let tenant = server.add(&TENANT).await;
        let staff = server.by_cookie(&STAFF).await;
        begin_sessions(server, &tenant, 60).await;
        let first = show(&staff, ADMIN).await;
        assert!(first.contains("61 signed in, newest first"), "{first}");
        assert_eq!(first.matches("action=\"/-/admin/sessions/end\"").count(), 49, "not one's own");
        let older = link(&first, "Older").unwrap();
        let second = show(&staff, &older).await;
        assert_eq!(second.matches("action=\"/-/admin/sessions/end\"").count(), 11);
        assert_eq!(link(&second, "Older"), None);
        let found = show(&staff, &format!("{ADMIN}?user=staff&ip=&kind=")).await;
        assert!(found.contains("1 found") && found.contains("value=\"staff\""), "{found}");
        let found = show(&staff, &format!("{ADMIN}?user=%22%3E%3Cscript%3E&kind=mobile")).await;
        assert!(found.contains("0 found") && !found.contains("<script"), "{found}");
        let wrong =
            staff.get(&format!("{ADMIN}?ip=here")).header("accept", "text/html").send().await;
        assert_eq!(wrong.status, 400);
        assert!(wrong.text().contains("ip: must be an IP address"), "{wrong:?}");
        let (_, rest) = second.split_once("name=\"session_id\" value=\"").unwrap();
        let handle = rest.split('"').next().unwrap();
        let ended = post(&staff, "/-/admin/sessions/end", &second, &[("session_id", handle)]).await;
        assert_eq!(ended.status, 303);
        assert!(show(&staff, ADMIN).await.contains("60 signed in"));
        server.advance(DAY);
        assert!(show(&staff, ADMIN).await.contains("1 signed in"), "the others have expired");
        for person in [&STAFF0, &AGENT] {
            let denied = server.by_cookie(person).await.get(ADMIN).send().await;
            assert_eq!(denied.status, 403, "{denied:?}");
        }
    })
    .await;
}

async fn show(client: &Client, path: &str) -> String {
    let answer = client.get(path).header("accept", "text/html").send().await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.text()
}

/// Sends a form of a page, with its token.
async fn post(client: &Client, path: &str, page: &str, fields: &[(&str, &str)]) -> Answer {
    let mut form = vec![("csrf_token", form_token(page))];
    form.extend(fields);
    client.post(path).from_own_page().form(&form).send().await
}

/// Where the link of this text leads.
fn link(page: &str, text: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!(">{text}</a>"))?;
    let (_, target) = before.rsplit_once("href=\"")?;
    Some(target.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&"))
}
