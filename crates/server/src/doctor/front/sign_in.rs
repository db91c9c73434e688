//! Whether people find the sign-in page and come back from it, and whether cookies arrive.

use url::Url;

use super::Front;
use crate::doctor::probe::{Outcome, Prober, Sending, Trouble};
use crate::doctor::{Check, Status, reading};
use crate::web::cookies::CookieStyle;
use crate::web::pages;

const REDIRECT: &str = "sign_in_redirect";

pub(super) async fn check(
    front: &Front<'_>,
    prober: &Prober<'_>,
    closed: &str,
    checks: &mut Vec<Check>,
) -> Result<(), Trouble> {
    if reading::is_for_people(closed) {
        let wanted = format!("{closed}?portcullis=doctor&a=%2F");
        let sent = prober.send(&Sending::get(&wanted).by_browser()).await?;
        checks.push(redirect(front, &wanted, &sent));
    } else {
        let detail = format!("{closed} is for programs, which are not led to the sign-in page");
        let advice = "name a page that not everybody may see with --path";
        checks.push(Check::found(Status::NotChecked, REDIRECT, detail, advice));
    }
    let page = prober.send(&Sending::get(pages::SIGN_IN).by_browser()).await?;
    checks.push(sign_in_page(&page));
    checks.push(cookies(front, prober, closed).await?);
    Ok(())
}

/// The way of a browser without a session.
fn redirect(front: &Front<'_>, wanted: &str, sent: &Outcome) -> Check {
    let advice =
        "let the proxy hand on the redirect: X-Auth-Sign-In with nginx, Location with others";
    let status = sent.answer.status;
    let Some(location) = sent.answer.header("location").filter(|_| (300..400).contains(&status))
    else {
        let detail = format!("a browser that wants {wanted} gets {status} and no way to sign in");
        return Check::fault(REDIRECT, detail, advice);
    };
    let base = Url::parse(&front.public.to_string()).ok();
    let Some(url) = base.as_ref().and_then(|base| base.join(location).ok()) else {
        return Check::fault(REDIRECT, format!("Location is {location}"), advice);
    };
    if url.path() != pages::SIGN_IN || base.is_some_and(|base| base.origin() != url.origin()) {
        let detail = format!("Location is {location}, not the sign-in page of server.public_url");
        return Check::fault(REDIRECT, detail, advice);
    }
    let next = url.query_pairs().find(|(name, _)| name == "next").map(|(_, next)| next);
    match next {
        Some(next) if next.ends_with(wanted) => {
            Check::ok(REDIRECT, format!("{status} to {}, and back to {next}", url.path()))
        }
        Some(_) | None => {
            let detail = format!("{location} does not lead back to {wanted}");
            Check::fault(REDIRECT, detail, "hand on the target as it came, with its query")
        }
    }
}

/// The page must come from us, and through the same proxy.
fn sign_in_page(page: &Outcome) -> Check {
    const ID: &str = "sign_in_page";
    let path = pages::SIGN_IN;
    let is_ours = page.seen.iter().any(|seen| seen.target == path);
    let status = page.answer.status;
    if status == 200 && is_ours {
        return Check::ok(ID, format!("{path} answers through the proxy"));
    }
    let detail = format!("{path} answers {status} through the proxy");
    Check::fault(ID, detail, "let the proxy lead the paths of Portcullis to Portcullis, first /-/")
}

/// A cookie of our name must arrive, once.
async fn cookies(front: &Front<'_>, prober: &Prober<'_>, closed: &str) -> Result<Check, Trouble> {
    const ID: &str = "cookies";
    let style = CookieStyle::new(&front.config.cookies, front.public.is_https());
    let name = style.session_name();
    let sending = Sending::get(closed).with("Cookie", format!("{name}=portcullis-doctor"));
    let sent = prober.send(&sending).await?;
    let door = reading::door(front.kind);
    let seen = sent.seen.iter().find(|seen| seen.door == door);
    let count = seen.map_or(0, |seen| seen.cookies.iter().filter(|found| *found == name).count());
    if count != 1 {
        let detail = format!("the cookie {name} was sent once and arrives {count} times");
        let advice = "let the proxy hand on Cookie with the question";
        return Ok(Check::fault(ID, detail, advice));
    }
    if !style.is_shared(front.public.host(), &front.host) {
        let detail = format!(
            "the cookie {name} of {} is not for {}, so nobody is signed in there",
            front.public.host(),
            front.host
        );
        let advice =
            "set cookies.domain to the domain above both, or server.public_url to this host";
        return Ok(Check::fault(ID, detail, advice));
    }
    Ok(Check::ok(ID, format!("the cookie {name} arrives")))
}
