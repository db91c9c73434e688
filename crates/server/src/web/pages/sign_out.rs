//! Signing out from pages. `GET /logout` is documented (contract P22) although it changes something,
//! so it acts only when no other site can have caused it, and asks otherwise.

use askama::Template;
use http::header::{HeaderName, REFERER};
use http::{Method, StatusCode};
use portcullis_domain::csrf::Kind;
use portcullis_domain::origin::{Origin, Signal};

use super::{SIGN_IN, shown_name};
use crate::flows::sign_out::end_session;
use crate::web::caller::{InSession, Leaving, Visitor};
use crate::web::door;
use crate::web::error::Error;
use crate::web::refusal::Family;
use crate::web::remember;
use crate::web::reply::{redirect_reply, set_header};
use crate::web::request::{Call, Facts};
use crate::web::table::{Answer, Doc};

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_sign_out",
    summary: "Ends the session from a page.",
    fields: &[("csrf_token", true, "The token of the form.")],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/sign-out`.
pub(super) async fn submit(call: Call, Leaving(caller): Leaving) -> Answer {
    end(&call, &caller).await?;
    gone(&call, StatusCode::SEE_OTHER).await
}

pub(super) const LOGOUT: Doc = Doc {
    id: "logout",
    summary: "Ends the session; asks first when another site may have sent you here.",
    family: Family::P,
    answer: (302, ""),
    ..Doc::USUAL
};

/// `GET /logout`.
pub(super) async fn logout(call: Call, Visitor(caller): Visitor) -> Answer {
    let signal = door::look(&call.app, &call.facts).unwrap_or(Signal::Unproven);
    match caller {
        None if is_meant(&call.facts, signal, &call.app.own_origins) => {
            remember::forget(&call.app, &call.facts).await?;
            Ok(redirect_reply(StatusCode::FOUND, SIGN_IN))
        }
        // Nothing ended, so nothing is cleared: any site may send people here.
        None => Ok(redirect_reply(StatusCode::FOUND, SIGN_IN)),
        Some(caller) if is_meant(&call.facts, signal, &call.app.own_origins) => {
            end(&call, &caller).await?;
            gone(&call, StatusCode::FOUND).await
        }
        Some(caller) => ask(&call, &caller),
    }
}

#[derive(Template)]
#[template(path = "sign_out.html")]
struct Ask<'a> {
    name: String,
    email: &'a str,
    csrf_token: String,
}

/// Whether the person, one of our own pages or a script without a browser sent this: not another
/// site, not a picture in somebody's comment, and not a browser that fetches ahead.
fn is_meant(facts: &Facts, signal: Signal, own: &[Origin]) -> bool {
    let is_ahead = facts.headers.contains_key("sec-purpose");
    let leads_somewhere =
        matches!(facts.header("sec-fetch-dest"), None | Some("document" | "empty"));
    let is_ours = match signal {
        Signal::SameOrigin | Signal::NoBrowser => true,
        Signal::Unproven => came_from_us(facts, own),
        Signal::Trusted => false,
    };
    facts.method == Method::GET && is_ours && leads_somewhere && !is_ahead
}

/// Where a browser says nothing better, as over plain http, the page it came from decides.
fn came_from_us(facts: &Facts, own: &[Origin]) -> bool {
    let says_better = ["sec-fetch-site", "origin"];
    let has_better = says_better.iter().any(|name| facts.headers.contains_key(*name));
    let page = facts.header(REFERER.as_str()).and_then(|page| page.split_once("://"));
    let origin = page.and_then(|(scheme, rest)| {
        let host = rest.split('/').next().unwrap_or_default();
        Origin::parse(&format!("{scheme}://{host}")).ok()
    });
    !has_better && origin.is_some_and(|origin| own.contains(&origin))
}

async fn end(call: &Call, caller: &InSession) -> Result<(), Error> {
    let context = call.facts.context_of(caller);
    let session = &caller.session().id;
    end_session(&call.app, caller.user_id(), session, &context).await?;
    Ok(())
}

/// To the sign-in page, and nothing of the session stays in the browser. Cookies are named one by
/// one: `"cookies"` would also take those of sibling hosts and of the application (RFC draft
/// Clear-Site-Data, section 3.1).
async fn gone(call: &Call, status: StatusCode) -> Answer {
    // Instead of what the door queued, which may renew the cookie that is over now.
    call.facts.after().cookies = call.app.cookies.forget_session();
    remember::forget(&call.app, &call.facts).await?;
    let mut reply = redirect_reply(status, SIGN_IN);
    if call.app.public_url.is_https() {
        set_header(&mut reply, CLEAR_SITE_DATA, "\"cache\", \"storage\"");
    }
    Ok(reply)
}

fn ask(call: &Call, caller: &InSession) -> Answer {
    let user = &caller.found().user;
    let page = Ask {
        name: shown_name(user),
        email: user.email.as_str(),
        csrf_token: door::mint(&call.app, caller.session(), Kind::Session),
    };
    super::show(StatusCode::OK, &page)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName};
    use portcullis_domain::client_address::ClientAddress;
    use portcullis_domain::origin::{WallFacts, wall};
    use portcullis_domain::request_path::RequestTarget;
    use portcullis_domain::text::Host;

    use super::*;
    use crate::web::request::Head;

    fn ends(method: Method, lines: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        let head = Head { method, headers, authority: "gate.example".to_owned() };
        let client = ClientAddress::derive([127, 0, 0, 1].into(), &[], &[]);
        let target = RequestTarget::parse("/logout").unwrap();
        let host = Host::parse("gate.example").unwrap();
        let facts = Facts::new(String::new(), target, host, client, head);
        let own = [Origin::parse("http://gate.example").unwrap()];
        let trusted = [Origin::parse("https://friend.example").unwrap()];
        let from = WallFacts {
            unsafe_method: false,
            sec_fetch_site: facts.header("sec-fetch-site"),
            origin: facts.header("origin"),
            other_browser_sign: ["sec-fetch-dest", "referer"]
                .iter()
                .any(|name| facts.headers.contains_key(*name)),
        };
        is_meant(&facts, wall(&from, &own, &trusted).unwrap(), &own)
    }

    #[test]
    fn a18_only_what_no_other_site_can_cause_signs_out() {
        let check = |lines: &[(&'static str, &'static str)], expected| {
            assert_eq!(ends(Method::GET, lines), expected, "{lines:?}");
        };
        let (site, dest) = ("sec-fetch-site", "sec-fetch-dest");
        check(&[], true);
        check(&[(site, "none"), (dest, "document")], true);
        check(&[(site, "same-origin"), (dest, "document")], true);
        check(&[(site, "same-origin"), (dest, "empty")], true);
        check(&[("origin", "http://gate.example")], true);
        check(&[("referer", "http://gate.example/jobs")], true);
        check(&[(site, "cross-site"), (dest, "image")], false);
        check(&[(site, "cross-site"), (dest, "document")], false);
        check(&[(site, "same-site")], false);
        check(&[(site, "cross-site"), ("referer", "http://gate.example/")], false);
        check(&[(site, "cross-site"), ("origin", "https://friend.example")], false);
        check(&[(site, "same-origin"), (dest, "image")], false);
        check(&[(site, "none"), ("sec-purpose", "prefetch;prerender")], false);
        check(&[("origin", "null")], false);
        check(&[("referer", "http://gate.example.evil/")], false);
        check(&[("referer", "http://gate.example@evil/")], false);
        check(&[("referer", "https://gate.example/")], false);
        check(&[(dest, "document")], false);
        assert!(!ends(Method::HEAD, &[]));
    }
}
