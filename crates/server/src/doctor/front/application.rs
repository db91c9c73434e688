//! What reaches the application: nothing that a client says of who is calling. Seen from the
//! application's place where `doctor` may take it; the gate itself strips what the tests of Portcullis
//! show, so only proxies that lead on by themselves need it.

use super::Front;
use crate::doctor::probe::{Prober, Sending, Trouble};
use crate::doctor::reading::{self, Paths};
use crate::doctor::stand_in::{Arrived, StandIn};
use crate::doctor::{Check, Status};

const IDENTITY: &str = "identity";
const WEBSOCKET: &str = "websocket";

/// A value that nobody has.
const FORGED: &str = "portcullis-doctor-forged";

/// Names by which applications might find somebody, an address or a method.
const NAMES: [&str; 23] = [
    "X-Auth-User",
    "X_Auth_User",
    "X-Auth_User",
    "X.Auth.User",
    "X-Auth-Email",
    "X-Auth-Name",
    "X-Auth-Role",
    "X-Auth-Organisation",
    "X-Auth-Permissions",
    "X-Auth-CSRF-Token",
    "X-Auth-Assertion",
    "X-Forwarded-User",
    "X_Forwarded_User",
    "X-Forwarded-Email",
    "X-Forwarded-Prefix",
    "Remote-User",
    "Remote_User",
    "X-Remote-User",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-Real-IP",
    "Proxy",
];

pub(super) async fn check(
    front: &Front<'_>,
    prober: &Prober<'_>,
    paths: &Paths,
    checks: &mut Vec<Check>,
) -> Result<(), Trouble> {
    let Some(stand_in) = front.stand_in else {
        if front.kind.is_none() {
            let detail = "what a client says of who is calling is removed by the gate itself";
            checks.push(Check::ok(IDENTITY, detail));
            checks.push(upgrade_arrives(front, prober, paths).await?);
            return Ok(());
        }
        let detail = "the proxy leads to the application, where doctor does not see";
        let advice = "stop the application for a moment, and give its address with --stand-in";
        for id in [IDENTITY, WEBSOCKET] {
            checks.push(Check::found(Status::NotChecked, id, detail, advice));
        }
        return Ok(());
    };
    let mut ways: Vec<(&str, Option<&str>)> =
        paths.open.iter().map(|path| (path.as_str(), None)).collect();
    if let (Some(token), Some(closed)) = (&front.token, &paths.closed) {
        ways.push((closed, Some(token)));
    }
    if ways.is_empty() {
        let detail = "no rule lets anyone pass, so nothing of doctor's reaches the application";
        let advice = "give a bearer token of somebody who may pass with --token-stdin";
        for id in [IDENTITY, WEBSOCKET] {
            checks.push(Check::found(Status::NotChecked, id, detail, advice));
        }
        return Ok(());
    }
    for (path, token) in ways {
        checks.push(identity(prober, stand_in, path, token).await?);
        checks.push(websocket(prober, stand_in, path, token).await?);
    }
    Ok(())
}

async fn identity(
    prober: &Prober<'_>,
    stand_in: &StandIn,
    path: &str,
    token: Option<&str>,
) -> Result<Check, Trouble> {
    let forged = NAMES.iter().map(|name| (*name, FORGED.to_owned()));
    let mut sending = Sending::get(path);
    sending.headers.extend(forged);
    let sent = prober.send(&bearing(sending, token)).await?;
    let Some(arrived) = stand_in.arrived(&sent.mark) else {
        return Ok(lost(IDENTITY, path, sent.answer.status));
    };
    let advice = "let the proxy remove these from every request before it sets what the gate says";
    let leaked = leaked(&arrived);
    if !leaked.is_empty() {
        let detail = format!("what a client forges reaches the application: {}", leaked.join(", "));
        return Ok(Check::fault(IDENTITY, detail, advice));
    }
    let users = arrived.all("x-auth-user").count();
    Ok(match (users, token) {
        (0, None) => Check::ok(IDENTITY, format!("nothing that a client forges reaches {path}")),
        (1, Some(_)) => Check::ok(IDENTITY, format!("only the gate says who calls {path}")),
        (count, _) => {
            let detail = format!("X-Auth-User reaches {path} {count} times");
            Check::fault(IDENTITY, detail, "let the proxy set what the gate answers, and no more")
        }
    })
}

fn leaked(arrived: &Arrived) -> Vec<String> {
    let forged = arrived.headers.iter().filter(|(_, value)| value.contains(FORGED));
    let mut names: Vec<_> = forged.map(|(name, _)| name.clone()).collect();
    names.dedup();
    names
}

async fn websocket(
    prober: &Prober<'_>,
    stand_in: &StandIn,
    path: &str,
    token: Option<&str>,
) -> Result<Check, Trouble> {
    let sent = prober.send(&bearing(handshake(path), token)).await?;
    let Some(arrived) = stand_in.arrived(&sent.mark) else {
        return Ok(lost(WEBSOCKET, path, sent.answer.status));
    };
    let is_upgrade = arrived.all("upgrade").any(|value| value.eq_ignore_ascii_case("websocket"));
    Ok(upgrade_found(is_upgrade))
}

/// Whether the wish for a WebSocket arrives at the gate.
async fn upgrade_arrives(
    front: &Front<'_>,
    prober: &Prober<'_>,
    paths: &Paths,
) -> Result<Check, Trouble> {
    let path = paths.closed.as_deref().unwrap_or("/");
    let sent = prober.send(&handshake(path)).await?;
    let door = reading::door(front.kind);
    let seen = sent.seen.iter().find(|seen| seen.door == door);
    let upgrade = seen.and_then(|seen| reading::header(seen, "upgrade"));
    Ok(upgrade_found(upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))))
}

fn upgrade_found(arrives: bool) -> Check {
    if arrives {
        return Check::ok(WEBSOCKET, "the headers of an upgrade arrive");
    }
    Check::found(
        Status::Warning,
        WEBSOCKET,
        "the proxy removes the headers of an upgrade, so WebSockets do not open",
        "hand on Upgrade and Connection, if the application has WebSockets",
    )
}

fn handshake(path: &str) -> Sending {
    Sending::get(path)
        .with("Connection", "Upgrade")
        .with("Upgrade", "websocket")
        .with("Sec-WebSocket-Version", "13")
        .with("Sec-WebSocket-Key", "cG9ydGN1bGxpcy1kb2N0bw==")
}

fn bearing(sending: Sending, token: Option<&str>) -> Sending {
    match token {
        Some(token) => sending.with("Authorization", format!("Bearer {token}")),
        None => sending,
    }
}

fn lost(id: &str, path: &str, status: u16) -> Check {
    let detail = format!("{path} answers {status}, and nothing reaches the place of --stand-in");
    let advice = "give --stand-in the address that the proxy leads to, and a token that may pass";
    Check::found(Status::NotChecked, id, detail, advice)
}
