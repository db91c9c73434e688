//! A new password: from what somebody typed to what may be stored. There is one way, [`Judge::accept`], wherever
//! it is typed: length and what everybody knows (`domain::password`), then whether it is common or breached
//! (`flows::breach`), and only what came through can be hashed. A source that is silent lets it through, which is
//! written down, so that it is looked up later; that a service is down must not keep people from a password.
//!
//! Not here: who may set one, and what it brings (`flows::password`).

use std::iter;

use portcullis_domain::id::UserId;
use portcullis_domain::origin::Origin;
use portcullis_domain::password::{
    self, BreachState, HashError, Lengths, Memory, Params, Policy, PolicyFault, piece,
};
use portcullis_domain::text::full_name;
use portcullis_store::users::{self, Checked, Strength, User};
use portcullis_store::{Error, Tx, factors};

use super::breach::{self, Answer, Sources};
use crate::app::App;
use crate::config::BreachSource;
use crate::hasher::{Busy, Hasher, Seat};
use crate::random::Random;
use crate::telemetry::breach_checks::CheckResult;

/// The name that stands on the pages of every service.
const PRODUCT: &str = "portcullis";
/// The shortest part of a host's name that is looked for.
const SHORTEST_LABEL: usize = 3;

/// Who judges new passwords.
pub struct Judge<'a> {
    pub lengths: Lengths,
    pub sources: Sources<'a>,
    /// The address that people type.
    pub place: &'a Origin,
}

/// Whose password it is to be: what everybody may know of him. What is not known is empty.
#[derive(Clone, Copy, Default)]
pub struct Person<'a> {
    pub email: &'a str,
    pub username: &'a str,
    pub first_name: &'a str,
    pub last_name: &'a str,
}

/// A new password that is accepted.
pub struct Accepted<'a> {
    text: &'a str,
    strength: Strength,
    checked: Checked,
}

/// The hash of a new password that was accepted. It has no `Debug` and no `Display`.
pub struct NewPassword(users::NewPassword);

impl<'a> Judge<'a> {
    pub fn of(app: &'a App) -> Self {
        Self {
            lengths: app.config.password.lengths(),
            sources: Sources::of(app),
            place: &app.public_url,
        }
    }

    /// What is wrong with a new password by itself, worst first. `min_chars` counts Unicode code points.
    pub fn faults(&self, password: &str, min_chars: usize, whose: &Person<'_>) -> Vec<PolicyFault> {
        let known = self.known_words(whose);
        let known_words: Vec<&str> = known.iter().map(String::as_str).collect();
        Policy { min_chars, known_words: &known_words }.faults(password)
    }

    /// Accepts a new password, or says everything that is wrong with it, worst first. `min_chars` counts Unicode
    /// code points. Nobody is asked about one that is refused anyway.
    pub async fn accept<'p>(
        &self,
        password: &'p str,
        min_chars: usize,
        whose: &Person<'_>,
    ) -> Result<Accepted<'p>, Vec<PolicyFault>> {
        let faults = self.faults(password, min_chars, whose);
        if !faults.is_empty() {
            return Err(faults);
        }
        if self.is_common(password) {
            self.sources.breach.checks.note(BreachSource::List, CheckResult::Found);
            return Err(vec![PolicyFault::TooCommon]);
        }
        let answer = breach::check(self.sources, password).await;
        if let Some(hit) = answer.hit {
            return Err(vec![PolicyFault::Breached { count: hit.count }]);
        }
        let is_short =
            !Policy { min_chars: self.lengths.alone, known_words: &[] }.is_long(password);
        let strength = if is_short { Strength::WithFactor } else { Strength::Alone };
        let checked = Checked { state: state(&answer), corpus: self.sources.corpus() };
        Ok(Accepted { text: password, strength, checked })
    }

    /// Whether it is on the built-in list, once or over and over.
    fn is_common(&self, password: &str) -> bool {
        let common = &self.sources.breach.common;
        self.sources.config.sources.contains(&BreachSource::List)
            && [password, password.trim(), piece(password)]
                .into_iter()
                .any(|text| common.contains(text))
    }

    /// What everybody knows of the person and the service.
    fn known_words(&self, whose: &Person<'_>) -> Vec<String> {
        let (local, domain) = whose.email.split_once('@').unwrap_or((whose.email, ""));
        let name = full_name(whose.first_name, whose.last_name);
        let of_person =
            [whose.email, local, whose.username, whose.first_name, whose.last_name, &name];
        let host = self.place.host().to_string();
        let of_hosts =
            [&host, domain].into_iter().flat_map(|host| iter::once(host).chain(labels(host)));
        of_person.into_iter().chain([PRODUCT]).chain(of_hosts).map(str::to_owned).collect()
    }
}

/// The parts of a host's name. What comes last is a country, or what many have in common.
fn labels(host: &str) -> impl Iterator<Item = &str> {
    host.rsplit('.').skip(1).filter(|label| label.len() >= SHORTEST_LABEL)
}

impl<'a> From<&'a User> for Person<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            email: user.email.as_str(),
            username: user.username.as_ref().map_or("", |name| name.as_str()),
            first_name: user.first_name.as_str(),
            last_name: user.last_name.as_str(),
        }
    }
}

impl Accepted<'_> {
    /// Whether somebody who was to be asked about it did not answer.
    pub fn is_deferred(&self) -> bool {
        self.checked.state == BreachState::Deferred
    }

    /// Hashes it on the threads of the server.
    pub async fn hash(
        &self,
        hasher: &Hasher,
        seat: Seat,
        random: Random,
    ) -> Result<NewPassword, Busy> {
        hasher.hash(seat, self.text, random.bytes()).await.map(|phc| self.hashed(phc))
    }

    /// Hashes it on this thread, which takes tens of milliseconds.
    pub fn hash_here(&self, params: &Params, salt: &[u8; 16]) -> Result<NewPassword, HashError> {
        let phc = password::hash(params, &mut Memory::default(), self.text, salt)?;
        Ok(self.hashed(phc))
    }

    fn hashed(&self, phc: String) -> NewPassword {
        let checked = self.checked.clone();
        NewPassword(users::NewPassword { phc, strength: self.strength, checked })
    }
}

impl NewPassword {
    /// As it is stored.
    pub(super) fn row(&self) -> &users::NewPassword {
        &self.0
    }
}

/// The least length of a new password of a user, in Unicode code points.
pub async fn min_length(app: &App, user: UserId) -> Result<usize, Error> {
    min_length_in(app, &mut app.db.read_once().await?, user).await
}

/// The same in a transaction of the caller's.
pub(super) async fn min_length_in(app: &App, tx: &mut Tx, user: UserId) -> Result<usize, Error> {
    let Lengths { alone, with_factor } = app.config.password.lengths();
    let has_factor = factors::active(tx, user).await?.is_some();
    Ok(if has_factor { with_factor } else { alone })
}

/// What an answer without a hit makes of a password.
pub(super) fn state(answer: &Answer) -> BreachState {
    match (&answer.by, answer.silent.is_empty()) {
        (_, false) => BreachState::Deferred,
        (Some(_), true) => BreachState::Clear,
        (None, true) => BreachState::Unchecked,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use portcullis_domain::time::Time;

    use super::*;
    use crate::breach::Breach;
    use crate::clock::Clock;
    use crate::config;

    pub(in crate::flows) const TINY: Params =
        Params { memory_kib: 64, iterations: 1, parallelism: 1 };

    /// Those who are asked, without a judge over them.
    pub(in crate::flows) struct Bench {
        config: config::Breach,
        breach: Breach,
        clock: Clock,
        place: Origin,
    }

    impl Bench {
        pub(in crate::flows) fn of(sources: Vec<BreachSource>) -> Self {
            let range_url = "http://127.0.0.1:9/range/".parse().unwrap();
            let at_sign_in = config::AtSignIn::Off;
            let (offline_index, index_key) = (None, None);
            let config =
                config::Breach { sources, range_url, offline_index, index_key, at_sign_in };
            Self {
                breach: Breach::new(&config).unwrap(),
                config,
                clock: Clock::fake(Time(0)),
                place: Origin::parse("https://auth.acme.example").unwrap(),
            }
        }

        pub(in crate::flows) fn judge(&self) -> Judge<'_> {
            let (config, breach, clock) = (&self.config, &self.breach, &self.clock);
            let lengths = Lengths { alone: 15, with_factor: 8 };
            Judge { lengths, sources: Sources { config, breach, clock }, place: &self.place }
        }
    }

    /// A password that is accepted.
    pub(in crate::flows) async fn accepted(text: &str) -> NewPassword {
        let bench = Bench::of(vec![BreachSource::List]);
        let accepted = bench.judge().accept(text, 15, &Person::default()).await;
        accepted.ok().unwrap().hash_here(&TINY, &[3; 16]).unwrap()
    }

    #[tokio::test]
    async fn each_fault_has_a_control_that_is_accepted() {
        let bench = Bench::of(vec![BreachSource::List]);
        let person = Person {
            email: "ada.lovelace@engine.example",
            username: "countess",
            first_name: "Ada",
            last_name: "Lovelace",
        };
        let check = async |password: &str, expected: &[&str]| {
            let judged = bench.judge().accept(password, 8, &person).await;
            let faults = judged.err().unwrap_or_default();
            let codes: Vec<&str> = faults.iter().map(|fault| fault.code()).collect();
            assert_eq!(codes, expected, "{password:?}");
        };
        check("quiet harbour", &[]).await;
        check("harbour", &["min_length"]).await;
        check("20261128", &["password_entirely_numeric"]).await;
        check("password1", &["password_too_common"]).await;
        check("PASSWORD1", &["password_too_common"]).await;
        check(" password1 ", &["password_too_common"]).await;
        check("password1password1", &["password_too_common"]).await;
        check("password1 quiet", &[]).await;
        check("abcdefghij", &["password_too_common"]).await;
        check("countess2026", &["password_too_similar"]).await;
        check("Ada Lovelace", &["password_too_similar"]).await;
        check("acme-2026", &["password_too_similar"]).await;
        check("auth.acme.example", &["password_too_similar"]).await;
        check("Lovelace.Engine1", &["password_too_similar"]).await;
        check("Portcullis!", &["password_too_similar"]).await;
        check("acme of mine", &[]).await;
    }

    #[tokio::test]
    async fn what_it_is_good_for_and_what_was_found_out_go_with_the_hash() {
        let bench = Bench::of(vec![BreachSource::List]);
        let hashed = async |judge: Judge<'_>, text: &str| {
            let accepted = judge.accept(text, 8, &Person::default()).await.ok().unwrap();
            accepted.hash_here(&TINY, &[1; 16]).unwrap().0
        };
        let long = hashed(bench.judge(), "a quiet harbour").await;
        assert!(long.phc.starts_with("$argon2id$"));
        assert_eq!(long.strength, Strength::Alone);
        assert_eq!(long.checked.state, BreachState::Clear);
        assert!(long.checked.corpus.starts_with("list 2"), "{}", long.checked.corpus);
        assert_eq!(hashed(bench.judge(), "quiet harbour").await.strength, Strength::WithFactor);
        let nobody = Bench::of(vec![BreachSource::Offline]);
        let unchecked = hashed(nobody.judge(), "password1 quiet").await;
        assert_eq!(unchecked.checked.state, BreachState::Unchecked);
    }

    #[tokio::test]
    async fn a_service_that_is_silent_keeps_nobody_from_a_password_and_is_written_down() {
        let bench = Bench::of(vec![BreachSource::List, BreachSource::Online]);
        let accepted = bench.judge().accept("a quiet harbour", 15, &Person::default()).await;
        let accepted = accepted.ok().unwrap();
        assert!(accepted.is_deferred());
        let common = bench.judge().accept("password1", 8, &Person::default()).await;
        assert_eq!(common.err(), Some(vec![PolicyFault::TooCommon]), "others still answer");
    }
}
