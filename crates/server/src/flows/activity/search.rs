//! From a question to the walks that answer it, and to what is looked at on the way. The walks are
//! along the condition that finds the fewest; the others are looked at step by step.

use std::collections::BTreeSet;

use memchr::memmem;
use portcullis_domain::activity::query::{Query, Term, names_like};
use portcullis_domain::audit::entry::Person;
use portcullis_domain::audit::personal::AuditKeys;
use portcullis_domain::time::Time;
use portcullis_store::audit::activity::{self, Along, Step};
use portcullis_store::{Error, Tx};

/// The most people whom a text may mean.
pub(super) const FEW: usize = 10;

/// What a question comes to.
pub(super) enum Resolved {
    Search(Box<Search>),
    /// Nothing can be of it.
    Nothing,
    TooManyPeople,
}

/// How the answer is found.
pub(super) struct Search {
    pub(super) walks: Vec<Along>,
    /// Every step of the walks is wanted.
    pub(super) is_exact: bool,
    names: Option<BTreeSet<String>>,
    people: Option<BTreeSet<Person>>,
    text: Option<Text>,
    marks: Vec<Vec<u8>>,
    span: (Time, Time),
}

/// What a text without a meaning may mean; any of it is enough.
struct Text {
    names: BTreeSet<String>,
    people: BTreeSet<Person>,
    /// Words of the entry itself, where it means neither.
    words: Option<Vec<u8>>,
}

/// Looks for the people who are meant, and chooses the walks.
pub(super) async fn resolve(
    tx: &mut Tx,
    keys: &AuditKeys,
    query: &Query,
) -> Result<Resolved, Error> {
    let names = query.names();
    let people = match meant(tx, query).await? {
        Meant::Anybody => None,
        Meant::These(people) => Some(people),
        Meant::TooMany => return Ok(Resolved::TooManyPeople),
    };
    let text = match &query.term {
        Some(Term::Text(text)) => match of_text(tx, text).await? {
            Some(text) => Some(text),
            None => return Ok(Resolved::TooManyPeople),
        },
        _ => None,
    };
    let is_nobody = people.as_ref().is_some_and(BTreeSet::is_empty);
    let is_nothing = names.as_ref().is_some_and(BTreeSet::is_empty);
    if is_nobody || is_nothing || query.is_impossible() {
        return Ok(Resolved::Nothing);
    }
    let address = query.address().map(|ip| keys.address_mac(&ip.to_canonical().to_string()));
    let mut search = Search {
        walks: Vec::new(),
        is_exact: false,
        names,
        people,
        text,
        marks: query.marks(),
        span: query.span(),
    };
    search.choose(query, address);
    Ok(Resolved::Search(Box::new(search)))
}

impl Search {
    /// One that finds nothing.
    pub(super) fn of_nothing() -> Self {
        let span = (Time(0), Time(0));
        let (walks, marks) = (Vec::new(), Vec::new());
        Self { walks, is_exact: true, names: None, people: None, text: None, marks, span }
    }

    /// Whether everything is wanted.
    pub(super) fn is_everything(&self) -> bool {
        let is_in_any_time = self.span == (Time(0), Time(i64::MAX));
        let is_of_anybody = self.names.is_none() && self.people.is_none() && self.text.is_none();
        is_in_any_time && is_of_anybody && self.marks.is_empty()
    }

    /// Whether an entry is one of those that were asked for.
    pub(super) fn wants(&self, step: &Step) -> bool {
        let (from, until) = self.span;
        let is_of = |people: &BTreeSet<Person>| {
            [step.actor, step.subject].into_iter().flatten().any(|person| people.contains(&person))
        };
        (from..until).contains(&step.place.at)
            && self.names.as_ref().is_none_or(|names| names.contains(&step.name))
            && self.people.as_ref().is_none_or(is_of)
            && self.text.as_ref().is_none_or(|text| text.is_in(step, is_of))
            && self.marks.iter().all(|mark| memmem::find(&step.leaf, mark).is_some())
    }

    fn choose(&mut self, query: &Query, address: Option<[u8; 16]>) {
        let of_people = |people: &BTreeSet<Person>| -> Vec<Along> {
            let both = |person: &Person| [Along::Actor(*person), Along::Subject(*person)];
            people.iter().flat_map(both).collect()
        };
        let of_names = |names: &BTreeSet<String>| -> Vec<Along> {
            names.iter().cloned().map(Along::Name).collect()
        };
        let is_in_any_time = query.from.is_none() && query.until.is_none();
        let Self { names, people, text, .. } = &*self;
        let (walks, is_exact) = match (address, people, names, text) {
            (Some(mac), people, names, text) => {
                let is_alone = people.is_none() && names.is_none() && text.is_none();
                (vec![Along::Address(mac)], is_alone && is_in_any_time)
            }
            (None, Some(people), names, text) => {
                (of_people(people), names.is_none() && text.is_none())
            }
            (None, None, Some(names), text) => (of_names(names), text.is_none()),
            (None, None, None, Some(Text { names, people, words: None })) => {
                (of_people(people).into_iter().chain(of_names(names)).collect(), true)
            }
            (None, None, None, _) => (vec![Along::Everything], text.is_none()),
        };
        self.walks = walks;
        self.is_exact = is_exact && (self.marks.is_empty() || query.names_decide());
    }
}

impl Text {
    fn is_in(&self, step: &Step, is_of: impl Fn(&BTreeSet<Person>) -> bool) -> bool {
        let said =
            self.words.as_ref().is_some_and(|words| memmem::find(&step.leaf, words).is_some());
        said || self.names.contains(&step.name) || is_of(&self.people)
    }
}

/// Who is meant by a question.
enum Meant {
    Anybody,
    These(BTreeSet<Person>),
    TooMany,
}

async fn meant(tx: &mut Tx, query: &Query) -> Result<Meant, Error> {
    let of_user = match query.user {
        None => None,
        Some(user) => Some(activity::person(tx, user).await?.into_iter().collect()),
    };
    let of_text = match &query.person {
        None => None,
        Some(text) => match people(tx, text).await? {
            Some(people) => Some(people),
            None => return Ok(Meant::TooMany),
        },
    };
    Ok(match (of_user, of_text) {
        (None, None) => Meant::Anybody,
        (Some(people), None) | (None, Some(people)) => Meant::These(people),
        (Some(one), Some(others)) => Meant::These(&one & &others),
    })
}

/// The people whom a text may mean; `None` if they are too many.
async fn people(tx: &mut Tx, text: &str) -> Result<Option<BTreeSet<Person>>, Error> {
    let one_more = u32::try_from(FEW + 1).unwrap_or(u32::MAX);
    let found = activity::people(tx, text, one_more).await?;
    let is_few = found.len() <= FEW;
    Ok(is_few.then(|| found.into_iter().flatten().collect()))
}

async fn of_text(tx: &mut Tx, text: &str) -> Result<Option<Text>, Error> {
    let Some(people) = people(tx, text).await? else { return Ok(None) };
    let names = names_like(text);
    let is_unknown = people.is_empty() && names.is_empty();
    // As it stands between quotation marks in JSON.
    let written = serde_json::Value::from(text).to_string();
    let words = is_unknown.then(|| written.trim_matches('"').as_bytes().to_vec());
    Ok(Some(Text { names, people, words }))
}
