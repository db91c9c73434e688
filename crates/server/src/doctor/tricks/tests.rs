//! The verdicts, on observations made up.

use std::net::Ipv4Addr;

use super::*;
use crate::doctor::wire::Answer;
use crate::probe::{Door, Judged};

const NGINX: Option<Kind> = Some(Kind::Nginx);

fn seen(door: Door, target: &str, code: Option<&str>, rule: &str) -> Seen {
    Seen {
        door,
        peer: Ipv4Addr::LOCALHOST.into(),
        is_trusted: true,
        client: Ipv4Addr::LOCALHOST.into(),
        method: "GET".to_owned(),
        target: target.to_owned(),
        headers: vec![("x-original-url".to_owned(), format!("http://a{target}"))],
        cookies: Vec::new(),
        judged: Some(Judged {
            method: "GET".to_owned(),
            target: target.to_owned(),
            host: "a".to_owned(),
        }),
        rule: Some(rule.to_owned()),
        code: code.map(str::to_owned),
        why: None,
    }
}

fn trick(id: &str) -> Trick {
    let tricks = all("/admin", "/public", "a");
    tricks.into_iter().find(|trick| trick.id == id).unwrap()
}

fn outcome(status: u16, seen: Vec<Seen>) -> Outcome {
    Outcome { answer: Answer { status, ..Answer::default() }, seen, mark: String::new() }
}

const MISSING: Option<&str> = Some("credential_missing");

#[test]
fn every_trick_has_a_name_of_its_own() {
    let mut names: Vec<_> = all("/admin", "/", "a").iter().map(|trick| trick.id).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), count), (54, 54));
    assert_eq!(trick("encoded_letter").sending.target, "/%61dmin");
    assert_eq!(trick("two_dots").sending.target, "/public/x/../admin");
}

#[test]
fn spellings_are_judged_by_what_arrives() {
    let honest = seen(Door::ForwardAuth, "/admin", MISSING, "admin");
    let check = |id: &str, status, arrived: Option<Seen>, expected: &str| {
        let got = outcome(status, arrived.into_iter().collect());
        let verdict = trick(id).judge(NGINX, &honest, &got);
        let word = match verdict {
            Verdict::Refused => "refused".to_owned(),
            Verdict::Same => "same".to_owned(),
            Verdict::Different(text) | Verdict::Rewritten(text) => text,
        };
        assert_eq!(word, expected, "{id}");
    };
    let ask = |target: &str, code, rule| Some(seen(Door::ForwardAuth, target, code, rule));
    let unclear = Seen { judged: None, ..ask("//admin", Some("ambiguous_path"), "x").unwrap() };
    check("empty_segment", 400, None, "refused");
    check("endless", 502, None, "refused");
    check("empty_segment", 400, Some(unclear.clone()), "refused");
    check("empty_segment", 200, Some(unclear), "answered 200 against the decision");
    check("empty_segment", 200, None, "answered 200, and the gate was not asked");
    check("empty_segment", 302, None, "answered 302, and the gate was not asked");
    check("empty_segment", 401, ask("/admin", MISSING, "admin"), "//admin arrives as /admin");
    check("encoded_letter", 401, ask("/%61dmin", MISSING, "admin"), "same");
    check("other_case", 401, ask("/ADMIN", MISSING, "home"), "refused");
    check(
        "other_case",
        200,
        ask("/ADMIN", None, "all"),
        "it may pass: read GET /ADMIN on a: may pass by rule all",
    );
    let at_gate = Some(seen(Door::Gate, "/ADMIN", MISSING, "home"));
    check("other_case", 404, at_gate, "refused");
}

#[test]
fn a_path_that_is_rewritten_before_the_gate_is_told_apart() {
    let honest = seen(Door::Gate, "/admin", MISSING, "admin");
    let got = outcome(401, vec![seen(Door::Gate, "/admin", MISSING, "admin")]);
    let expected = Verdict::Rewritten("//admin arrives as /admin".to_owned());
    assert_eq!(trick("empty_segment").judge(None, &honest, &got), expected);
}

#[test]
fn headers_must_change_nothing() {
    let honest = seen(Door::ForwardAuth, "/admin", MISSING, "admin");
    let check = |status, arrived: Seen, expected: Verdict| {
        let verdict = trick("forwarded_uri").judge(NGINX, &honest, &outcome(status, vec![arrived]));
        assert_eq!(verdict, expected);
    };
    let different = |text: &str| Verdict::Different(text.to_owned());
    check(401, honest.clone(), Verdict::Same);
    let unclear = Seen { judged: None, code: Some("forwarded_target".into()), ..honest.clone() };
    check(400, unclear, Verdict::Refused);
    check(403, Seen { code: Some("csrf_origin".into()), ..honest.clone() }, Verdict::Refused);
    let open = seen(Door::ForwardAuth, "/public", None, "public");
    check(200, open, different("it may pass: read GET /public on a: may pass by rule public"));
    let home = seen(Door::ForwardAuth, "/public", MISSING, "home");
    check(401, home, different("read GET /public on a: credential_missing by rule home"));
    let judged = Judged { method: "OPTIONS".into(), ..honest.judged.clone().unwrap() };
    let options = Seen { judged: Some(judged), ..honest.clone() };
    check(401, options, different("read OPTIONS /admin on a: credential_missing by rule admin"));
}
