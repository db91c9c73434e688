//! What stands in front of the gate, tried with ordinary requests: what it really sends, which rule
//! decided, whether people find the sign-in page, what reaches the application, and the tricks.

mod application;
mod sign_in;

use portcullis_domain::origin::Origin;
use portcullis_domain::text::Host;

use super::probe::{Outcome, Prober, Sending, Trouble};
use super::reading::{self, Paths};
use super::stand_in::StandIn;
use super::tricks::{self, Verdict};
use super::{Check, Status, in_words};
use crate::config::Config;
use crate::probe::Seen;
use crate::web::forward_auth::Kind;

/// What is known of the front before anything is sent.
pub struct Front<'a> {
    pub config: &'a Config,
    pub public: &'a Origin,
    /// The proxy that asks; `None` where the gate itself leads on, alone or behind a proxy.
    pub kind: Option<Kind>,
    /// The host of the address that is tried.
    pub host: Host,
    /// A path that not everybody may see, if the rules shall not choose one.
    pub path: Option<String>,
    pub stand_in: Option<&'a StandIn>,
    /// A bearer token of somebody who may pass.
    pub token: Option<String>,
}

/// Tries the front.
pub async fn check(front: &Front<'_>, prober: &Prober<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Err(trouble) = try_all(front, prober, &mut checks).await {
        checks.push(unreachable(&trouble));
    }
    checks
}

fn unreachable(trouble: &Trouble) -> Check {
    let (id, advice) = match trouble {
        Trouble::Front(_) => ("proxy", "start the proxy, or correct --url"),
        Trouble::Server(_) => ("server", "start portcullis serve, or correct server.listen"),
        Trouble::Stranger(_) => {
            ("server", "run doctor with the configuration of the running server, and restart it")
        }
    };
    Check::found(Status::Unreachable, id, trouble.to_string(), advice)
}

async fn try_all(
    front: &Front<'_>,
    prober: &Prober<'_>,
    checks: &mut Vec<Check>,
) -> Result<(), Trouble> {
    let rules = &front.config.gate.rules;
    let chosen = Paths::of(rules, &front.host);
    let paths = Paths { closed: front.path.clone().or(chosen.closed), open: chosen.open };
    let Some(closed) = &paths.closed else {
        let detail = "the rules let anyone pass everywhere on this host";
        checks.push(Check::fault("rules", detail, "write a rule that does not"));
        return Ok(());
    };
    let honest = prober.send(&Sending::get(closed)).await?;
    let Some(seen) = reached(front, &honest, checks) else { return Ok(()) };
    if !trusted(front, seen, checks) {
        return Ok(());
    }
    checks.push(target(front, closed, seen));
    checks.push(decision(&honest, seen));
    checks.push(client_address(prober, closed, front.kind).await?);
    sign_in::check(front, prober, closed, checks).await?;
    if let Some(kind) = front.kind {
        checks.push(endpoint(prober, kind).await?);
    }
    application::check(front, prober, &paths, checks).await?;
    let open = paths.open.as_deref().unwrap_or("/");
    for trick in tricks::all(closed, open, &prober.front.authority) {
        let got = prober.send(&trick.sending).await;
        checks.push(tried(front.kind, seen, &trick, got)?);
    }
    Ok(())
}

/// Whether the request came to the server at all, and by the expected way.
fn reached<'o>(
    front: &Front<'_>,
    honest: &'o Outcome,
    checks: &mut Vec<Check>,
) -> Option<&'o Seen> {
    let door = reading::door(front.kind);
    if let Some(seen) = honest.seen.iter().find(|seen| seen.door == door) {
        return Some(seen);
    }
    let status = honest.answer.status;
    let check = match (honest.seen.first(), front.kind) {
        (None, Some(kind)) => Check::fault(
            "proxy",
            format!("answered {status}, and asked the running server nothing"),
            format!(
                "let the proxy ask http://{}/forward-auth/{}, and hand on User-Agent; with several \
                 nodes, run doctor where the proxy leads to one",
                front.config.server.listen,
                kind.name()
            ),
        ),
        (None, None) => Check::fault(
            "proxy",
            format!("answered {status}, and the running server has seen no request"),
            "let the proxy lead to server.listen, or correct --url",
        ),
        (Some(_), Some(_)) => Check::fault(
            "proxy",
            "the proxy leads to the gate itself, and asks it nothing",
            "run doctor without --proxy, or let the proxy ask",
        ),
        (Some(_), None) => Check::fault(
            "proxy",
            "the proxy asks the gate, and leads to the application itself",
            "run doctor with --proxy and the kind of the proxy",
        ),
    };
    checks.push(check);
    None
}

/// Whether the peer may speak for others. Where it may not and should, nothing else is worth trying.
fn trusted(front: &Front<'_>, seen: &Seen, checks: &mut Vec<Check>) -> bool {
    let forwarded = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];
    let said = forwarded.into_iter().find(|name| reading::header(seen, name).is_some());
    let peer = seen.peer;
    let advice =
        format!("server.trusted_proxies = [\"{peer}\"], if that is the proxy; then restart");
    match (seen.is_trusted, front.kind, said) {
        (true, ..) => {
            let detail = format!("the peer {peer} is in server.trusted_proxies");
            checks.push(Check::ok("trusted_proxies", detail));
            true
        }
        (false, Some(_), _) => {
            let detail = format!("the peer {peer} asks, and is not in server.trusted_proxies");
            checks.push(Check::fault("trusted_proxies", detail, advice));
            false
        }
        (false, None, Some(name)) => {
            let detail = format!(
                "the peer {peer} sends {name}, and is not in server.trusted_proxies: everybody has \
                 its address, and shares its limits and lock-outs"
            );
            checks.push(Check::fault("trusted_proxies", detail, advice));
            true
        }
        (false, None, None) => {
            let detail = format!("the peer {peer} speaks for nobody else");
            checks.push(Check::ok("trusted_proxies", detail));
            true
        }
    }
}

/// Whether the server read the request that was sent.
fn target(front: &Front<'_>, sent: &str, seen: &Seen) -> Check {
    let from = match front.kind {
        Some(kind) => format!("by {}", reading::target_header(kind)),
        None => "as it came".to_owned(),
    };
    let page = "compare the proxy's configuration with the handbook's (With a proxy that you have)";
    let arrived = reading::described(front.kind, seen).unwrap_or_default();
    match (&seen.judged, &seen.why) {
        (None, Some(why)) => Check::fault("target", why.clone(), page),
        (None, None) => Check::fault("target", in_words(seen), page),
        (Some(judged), _) if judged.method != "GET" || arrived != sent => {
            let detail = format!("GET {sent} arrives as {} {arrived} {from}", judged.method);
            Check::fault("target", detail, page)
        }
        (Some(judged), _) => {
            let detail = format!("read {from}: GET {} on {}", judged.target, judged.host);
            Check::ok("target", detail)
        }
    }
}

/// Whether what was decided is what came back.
fn decision(honest: &Outcome, seen: &Seen) -> Check {
    let status = honest.answer.status;
    let told = format!("{}; the answer is {status}", in_words(seen));
    match seen.code.as_deref() {
        None => Check::fault("decision", told, "name a closed path with --path"),
        Some("unknown_host") => Check::fault(
            "decision",
            told,
            "set server.public_url to the address that people type, or a rule's host",
        ),
        Some(_) if (401..=403).contains(&status) => Check::ok("decision", told),
        Some(_) if (400..500).contains(&status) => {
            Check::fault("decision", told, "see the reason code in the handbook")
        }
        Some(_) => Check::fault("decision", told, "let the proxy hand on what the gate answers"),
    }
}

/// Whether the client's address is the proxy's to say.
async fn client_address(
    prober: &Prober<'_>,
    closed: &str,
    kind: Option<Kind>,
) -> Result<Check, Trouble> {
    /// Of a network for examples (RFC 5737): nobody has it.
    const FORGED: &str = "192.0.2.77";
    let sent = prober.send(&Sending::get(closed).with("X-Forwarded-For", FORGED)).await?;
    let door = reading::door(kind);
    let Some(seen) = sent.seen.iter().find(|seen| seen.door == door) else {
        let detail = format!("refused with {}", sent.answer.status);
        return Ok(Check::ok("client_address", detail));
    };
    let header = reading::header(seen, "x-forwarded-for");
    Ok(match header {
        Some(FORGED) if seen.is_trusted => Check::fault(
            "client_address",
            "the proxy hands on X-Forwarded-For as the client sent it: everybody can choose an address",
            "let the proxy set X-Forwarded-For to the address of the connection",
        ),
        None if seen.is_trusted => Check::found(
            Status::Warning,
            "client_address",
            "the proxy sends no X-Forwarded-For: everybody has its address",
            "let the proxy set X-Forwarded-For to the address of the connection",
        ),
        Some(_) if seen.is_trusted => {
            Check::ok("client_address", format!("{} by x-forwarded-for", seen.client))
        }
        Some(_) | None => Check::ok("client_address", format!("{}, the peer's", seen.client)),
    })
}

/// Whether people can ask in the proxy's name.
async fn endpoint(prober: &Prober<'_>, kind: Kind) -> Result<Check, Trouble> {
    const ASKED: &str = "/portcullis-doctor-asks";
    let path = format!("/forward-auth/{}", kind.name());
    let target = if kind == Kind::Envoy { format!("{path}{ASKED}") } else { path.clone() };
    let url = format!("http://{}{ASKED}", prober.front.authority);
    let sending = Sending::get(&target)
        .with("X-Original-URL", url)
        .with("X-Original-Method", "GET")
        .with("X-Forwarded-Uri", ASKED)
        .with("X-Forwarded-Method", "GET");
    let sent = prober.send(&sending).await?;
    let is_answered =
        |seen: &Seen| reading::described(Some(kind), seen).is_some_and(|target| target == ASKED);
    Ok(if sent.seen.iter().any(is_answered) {
        Check::fault(
            "auth_endpoint",
            format!("anybody can ask {path} through the proxy, and it is trusted"),
            "let the proxy answer 404 for /forward-auth",
        )
    } else {
        Check::ok("auth_endpoint", format!("{path} is not reached from outside"))
    })
}

/// What came of a trick.
fn tried(
    kind: Option<Kind>,
    honest: &Seen,
    trick: &tricks::Trick,
    got: Result<Outcome, Trouble>,
) -> Result<Check, Trouble> {
    use super::wire::WireError::{Silent, Timeout};
    let id = format!("trick.{}", trick.id);
    let sent = trick.sent();
    let got = match got {
        Ok(got) => got,
        // Whoever hangs up on a trick has refused it.
        Err(Trouble::Front(error @ (Silent { .. } | Timeout { .. }))) => {
            return Ok(Check::ok(&id, format!("{sent}: refused ({error})")));
        }
        Err(trouble) => return Err(trouble),
    };
    let status = got.answer.status;
    let advice = format!(
        "known from {}; compare the proxy's configuration with the handbook's, and hand on the target \
         and the headers exactly as it does",
        trick.known
    );
    Ok(match trick.judge(kind, honest, &got) {
        Verdict::Refused => Check::ok(&id, format!("{sent}: refused with {status}")),
        Verdict::Same => Check::ok(&id, format!("{sent}: same decision as the honest request")),
        Verdict::Different(how) => Check::fault(&id, format!("{sent}: DIFFERENT: {how}"), advice),
        Verdict::Rewritten(how) => Check::found(
            Status::Warning,
            &id,
            format!("{sent}: the proxy rewrites it: {how}"),
            "let the proxy hand the path on as it came; what the gate judges is what it hands on",
        ),
    })
}
