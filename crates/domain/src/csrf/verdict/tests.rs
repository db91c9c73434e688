//! The verdict as tables: one row a case, and the sequences that clients of either reading of
//! "single use" send.

use std::collections::HashSet;

use aws_lc_rs::hmac;

use super::*;
use super::{AnonymousWithSession as W, AuthKind as A, Kind as K, Signal as S, Via as V};
use crate::csrf::{FetchedToken, kind_to_issue};

const NOW: Time = Time(1_795_309_323_000);
const LIFE: Duration = Duration::from_hours(12);

fn keys() -> CsrfKeys {
    CsrfKeys::new(1, hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]))
}

fn session(credential: AuthKind) -> SessionFacts<'static> {
    SessionFacts { id: "s1", epoch: 5, credential }
}

/// A request of a signed-in script that sends the token in `X-CSRF-Token`.
fn facts(text: &str) -> Facts<'_> {
    Facts {
        presented: Presented { text, via: Via::TokenHeader },
        session: Some(session(AuthKind::Cookie)),
        pre_session: "",
        csrftoken_cookies: &[],
        signal: Signal::NoBrowser,
        anonymous_with_session: AnonymousWithSession::Compat,
        anonymous_life: LIFE,
    }
}

fn mint(kind: Kind, id: &str, epoch: i64, auth: Option<AuthKind>) -> String {
    keys().mint(kind, &Binding::Session { id, epoch, auth }, NOW, [9; 12]).to_hex()
}

fn anonymous(pre_session: &str) -> String {
    keys().mint(Kind::Anonymous, &Binding::Browser(pre_session), NOW, [9; 12]).to_hex()
}

#[test]
fn a_bound_token_needs_its_session_epoch_and_credential() {
    const REUSABLE: Result<Accepted, Refusal> = Ok(Accepted::Reusable);
    const ONCE: Result<Accepted, Refusal> = Ok(Accepted::OneTime { nonce: [9; 12] });
    let check = |text: String, credential: Option<AuthKind>, expected| {
        let facts = Facts { session: credential.map(session), ..facts(&text) };
        assert_eq!(judge(&keys(), &facts, NOW), expected, "{text} {credential:?}");
    };
    for (kind, expected) in
        [(K::Session, REUSABLE), (K::DoubleSubmit, REUSABLE), (K::OneTime, ONCE)]
    {
        check(mint(kind, "s1", 5, Some(A::Cookie)), Some(A::Cookie), expected);
        check(mint(kind, "s1", 5, None), Some(A::Cookie), expected);
        check(mint(kind, "s1", 5, None), Some(A::Bearer), expected);
        check(mint(kind, "s1", 5, Some(A::Jwt)), Some(A::Jwt), expected);
        check(mint(kind, "s1", 5, Some(A::Cookie)), Some(A::Bearer), Err(Refusal::Invalid));
        check(mint(kind, "s1", 5, Some(A::Bearer)), Some(A::Cookie), Err(Refusal::Invalid));
        check(mint(kind, "s2", 5, None), Some(A::Cookie), Err(Refusal::Invalid));
        check(mint(kind, "s1", 4, None), Some(A::Cookie), Err(Refusal::Stale));
        check(mint(kind, "s1", 2, Some(A::Cookie)), Some(A::Cookie), Err(Refusal::Stale));
        check(mint(kind, "s1", 1, None), Some(A::Cookie), Err(Refusal::Invalid));
        check(mint(kind, "s1", 6, None), Some(A::Cookie), Err(Refusal::Invalid));
        check(mint(kind, "s1", 5, None), None, Err(Refusal::Invalid));
    }
    check(String::new(), Some(A::Cookie), Err(Refusal::Invalid));
    check("c".repeat(64), Some(A::Cookie), Err(Refusal::Invalid));
    check("2".repeat(64), Some(A::Cookie), Err(Refusal::Invalid));
}

#[test]
fn a_token_from_the_future_is_refused() {
    let check = |kind, minutes: i64, expected| {
        let binding = match kind {
            Kind::Anonymous => Binding::Browser(""),
            Kind::Session | Kind::DoubleSubmit | Kind::OneTime => {
                Binding::Session { id: "s1", epoch: 5, auth: None }
            }
        };
        let text = keys().mint(kind, &binding, Time(NOW.0 + minutes * 60_000), [9; 12]).to_hex();
        let session = (kind != Kind::Anonymous).then(|| session(AuthKind::Cookie));
        let verdict = judge(&keys(), &Facts { session, ..facts(&text) }, NOW);
        assert_eq!(verdict.err(), expected, "{kind:?} {minutes}");
    };
    for kind in [Kind::Anonymous, Kind::Session, Kind::DoubleSubmit, Kind::OneTime] {
        check(kind, 1, None);
        check(kind, 2, None);
        check(kind, 3, Some(Refusal::Expired));
        check(kind, -10, None);
    }
    check(Kind::Session, -60 * 24 * 300, None);
    check(Kind::Anonymous, -60 * 11, None);
    check(Kind::Anonymous, -60 * 13, Some(Refusal::Expired));
}

#[test]
fn the_cookie_rule_is_for_double_submits_by_cookie() {
    let token = mint(Kind::DoubleSubmit, "s1", 5, None);
    let other = mint(Kind::DoubleSubmit, "s2", 5, None);
    let reusable = mint(Kind::Session, "s1", 5, None);
    let check = |text: &str, via, credential, cookies: &[&str], expected: Option<Refusal>| {
        let facts = Facts {
            presented: Presented { text, via },
            session: Some(session(credential)),
            csrftoken_cookies: cookies,
            ..facts(text)
        };
        assert_eq!(
            judge(&keys(), &facts, NOW).err(),
            expected,
            "{via:?} {credential:?} {cookies:?}"
        );
    };
    check(&token, V::CsrftokenHeader, A::Cookie, &[&token], None);
    check(&token, V::CsrftokenHeader, A::Cookie, &[], Some(Refusal::CookieMissing));
    check(&token, V::CsrftokenHeader, A::Cookie, &[&other], Some(Refusal::CookieMismatch));
    check(&token, V::CsrftokenHeader, A::Cookie, &[""], Some(Refusal::CookieMismatch));
    // A tossed cookie beside the right one changes nothing, and helps nobody by itself.
    check(&token, V::CsrftokenHeader, A::Cookie, &["tossed", &token], None);
    check(&other, V::CsrftokenHeader, A::Cookie, &[&other], Some(Refusal::Invalid));
    check(&token, V::TokenHeader, A::Cookie, &[], None);
    check(&token, V::Body, A::Cookie, &[], None);
    check(&token, V::CsrftokenHeader, A::Bearer, &[], None);
    check(&reusable, V::CsrftokenHeader, A::Cookie, &[], None);
}

#[test]
fn an_anonymous_token_beside_a_session() {
    let token = anonymous("");
    let check = |credential: Option<A>, signal, via, setting, cookies: &[&str], expected| {
        let facts = Facts {
            presented: Presented { text: &token, via },
            session: credential.map(session),
            signal,
            csrftoken_cookies: cookies,
            anonymous_with_session: setting,
            ..facts(&token)
        };
        let verdict = judge(&keys(), &facts, NOW).err();
        assert_eq!(verdict, expected, "{credential:?} {signal:?} {via:?} {setting:?} {cookies:?}");
    };
    let invalid = Some(Refusal::Invalid);
    let same = [token.as_str()];
    check(None, S::NoBrowser, V::Body, W::Strict, &[], None);
    check(None, S::Trusted, V::CsrftokenHeader, W::Strict, &[], None);
    check(Some(A::Cookie), S::NoBrowser, V::CsrftokenHeader, W::Compat, &same, None);
    check(Some(A::Cookie), S::SameOrigin, V::CsrftokenHeader, W::Compat, &same, None);
    check(Some(A::Cookie), S::SameOrigin, V::TokenHeader, W::Compat, &same, None);
    check(Some(A::Cookie), S::Trusted, V::CsrftokenHeader, W::Compat, &same, invalid);
    check(Some(A::Cookie), S::Unproven, V::CsrftokenHeader, W::Compat, &same, invalid);
    check(Some(A::Cookie), S::NoBrowser, V::CsrftokenHeader, W::Strict, &same, invalid);
    check(Some(A::Cookie), S::NoBrowser, V::Body, W::Compat, &same, invalid);
    check(Some(A::Bearer), S::NoBrowser, V::CsrftokenHeader, W::Compat, &same, invalid);
    check(Some(A::Jwt), S::NoBrowser, V::CsrftokenHeader, W::Compat, &same, invalid);
    let cookie = Some(A::Cookie);
    check(cookie, S::NoBrowser, V::TokenHeader, W::Compat, &[], Some(Refusal::CookieMissing));
    check(cookie, S::NoBrowser, V::TokenHeader, W::Compat, &["x"], Some(Refusal::CookieMismatch));
}

#[test]
fn an_anonymous_token_belongs_to_its_pre_session() {
    let check = |made_for: &str, sent: &str, good: bool| {
        let text = anonymous(made_for);
        let facts = Facts { session: None, pre_session: sent, ..facts(&text) };
        assert_eq!(judge(&keys(), &facts, NOW).is_ok(), good, "{made_for} {sent}");
    };
    check("", "", true);
    check("p1", "p1", true);
    check("p1", "p2", false);
    check("p1", "", false);
    check("", "p1", false);
}

/// One session as a client sees it: what the issuing side, the verdict and the spend rows do together.
struct Client {
    setting: FetchedToken,
    session: &'static str,
    fetched: u8,
    spent: HashSet<[u8; 12]>,
}

impl Client {
    fn new(setting: FetchedToken, session: &'static str) -> Self {
        Self { setting, session, fetched: 0, spent: HashSet::new() }
    }

    fn token(&self, kind: Kind, nonce: u8) -> String {
        let binding = Binding::Session { id: self.session, epoch: 0, auth: None };
        keys().mint(kind, &binding, NOW, [nonce; 12]).to_hex()
    }

    fn get(&mut self) -> String {
        self.fetched += 1;
        self.token(kind_to_issue(self.setting, self.fetched == 1, false), self.fetched)
    }

    fn post(&mut self, text: &str, via: Via, cookies: &[&str]) -> Result<(), Refusal> {
        let facts = Facts {
            presented: Presented { text, via },
            session: Some(SessionFacts {
                id: self.session,
                epoch: 0,
                credential: AuthKind::Cookie,
            }),
            csrftoken_cookies: cookies,
            ..facts(text)
        };
        match judge(&keys(), &facts, NOW)? {
            Accepted::Reusable => Ok(()),
            Accepted::OneTime { nonce } if self.spent.insert(nonce) => Ok(()),
            Accepted::OneTime { .. } => Err(Refusal::Used),
        }
    }

    fn both(&mut self, texts: [&str; 2]) -> Vec<Result<(), Refusal>> {
        texts.map(|text| self.post(text, Via::TokenHeader, &[])).to_vec()
    }

    fn twice_as_cookie(&mut self, text: &str) -> Vec<Result<(), Refusal>> {
        [text, text].map(|text| self.post(text, Via::CsrftokenHeader, &[text])).to_vec()
    }
}

/// The two sentences of the documents, "single-use" and "once at session start and reuse", as one
/// table: what each sequence gives under each setting.
#[test]
fn both_readings_of_single_use_hold() {
    type Sequence = fn(&mut Client) -> Vec<Result<(), Refusal>>;
    const OK: Result<(), Refusal> = Ok(());
    const USED: Result<(), Refusal> = Err(Refusal::Used);
    const FOREIGN: Result<(), Refusal> = Err(Refusal::Invalid);
    let check = |name: &str, sequence: Sequence, expected: [&[Result<(), Refusal>]; 3]| {
        let settings = [FetchedToken::OneTime, FetchedToken::FirstReusable, FetchedToken::Session];
        for (setting, expected) in settings.into_iter().zip(expected) {
            let answers = sequence(&mut Client::new(setting, "x"));
            assert_eq!(answers, expected, "{name} under {setting:?}");
        }
    };
    check(
        "t = login; POST t; POST t",
        |client| {
            let t = client.token(Kind::Session, 100);
            client.both([&t, &t])
        },
        [&[OK, OK], &[OK, OK], &[OK, OK]],
    );
    check(
        "t1 = GET; POST t1; POST t1",
        |client| {
            let t1 = client.get();
            client.both([&t1, &t1])
        },
        [&[OK, USED], &[OK, OK], &[OK, OK]],
    );
    check(
        "t1 = GET; t2 = GET; POST t2; POST t2",
        |client| {
            let (_t1, t2) = (client.get(), client.get());
            client.both([&t2, &t2])
        },
        [&[OK, USED], &[OK, USED], &[OK, OK]],
    );
    check(
        "t1 = GET; t2 = GET; POST t1; POST t2",
        |client| {
            let (t1, t2) = (client.get(), client.get());
            client.both([&t1, &t2])
        },
        [&[OK, OK], &[OK, OK], &[OK, OK]],
    );
    check(
        "t of session x used in session y",
        |client| {
            let (born, fetched) = (client.token(Kind::Session, 100), client.get());
            Client::new(client.setting, "y").both([&born, &fetched])
        },
        [&[FOREIGN, FOREIGN], &[FOREIGN, FOREIGN], &[FOREIGN, FOREIGN]],
    );
    check(
        "cookie csrftoken and X-CSRFToken, twice",
        |client| {
            let t = client.token(Kind::DoubleSubmit, 100);
            client.twice_as_cookie(&t)
        },
        [&[OK, OK], &[OK, OK], &[OK, OK]],
    );
    check(
        "the same after a new sign-in",
        |client| {
            let t = client.token(Kind::DoubleSubmit, 100);
            Client::new(client.setting, "new").twice_as_cookie(&t)
        },
        [&[FOREIGN, FOREIGN], &[FOREIGN, FOREIGN], &[FOREIGN, FOREIGN]],
    );
}
