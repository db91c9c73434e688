//! What was written, from the file and the environment, in one shape: sections of named values with their places.
//!
//! Finds what is unknown, doubled, unreadable or of the wrong TOML type. What a text means is for `sections`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::de::DeValue;

use super::document;
use super::fault::{Fault, Faults, Place, Reported};
use super::keys::{self, Key, Kind, Section};

/// Everything that was written.
#[derive(Default)]
pub(super) struct Source {
    pub(super) sections: BTreeMap<&'static str, Settings>,
    /// What stands in each array of tables, by its name, in the order of the file.
    pub(super) tables: BTreeMap<&'static str, Vec<Settings>>,
}

/// What was written in one table.
#[derive(Clone, Default)]
pub(super) struct Settings {
    /// Of the table itself.
    place: Option<Place>,
    by_name: BTreeMap<&'static str, Result<Setting, Reported>>,
}

/// One value, without its meaning.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) place: Place,
    /// As it was written, for a fault.
    pub(super) shown: String,
    /// One for a plain value; any number for a list; two for a pair.
    pub(super) items: Vec<String>,
}

/// A value in one of the two spellings.
pub(super) enum Written<'a> {
    Toml { shown: String, value: &'a DeValue<'a> },
    Variable(&'a str),
}

/// Reads both; the environment wins.
pub(super) fn read(
    path: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    faults: &mut Faults,
) -> Source {
    let mut source = Source::default();
    if let Some(path) = path {
        match fs::read_to_string(path) {
            Ok(text) => document::read(path, &text, &mut source, faults),
            Err(error) => {
                faults.push(unreadable(Place::File { path: path.to_owned(), line: 0 }, "", &error));
            }
        }
    }
    for (variable, text) in env {
        if let Some(name) = variable.strip_prefix(PREFIX) {
            read_variable(&variable, name, &text, &mut source, faults);
        }
    }
    source
}

impl Source {
    /// `None`: nobody wrote it.
    pub(super) fn setting(&self, section: &str, name: &str) -> Option<&Result<Setting, Reported>> {
        self.sections.get(section)?.get(name)
    }

    /// Where a key is written; else its table.
    pub(super) fn place_of(&self, section: &str, name: &str) -> Place {
        self.sections.get(section).map_or(Place::Default, |settings| settings.place_of(name))
    }

    /// The tables of an array, in the order of the file.
    pub(super) fn tables(&self, section: &Section) -> &[Settings] {
        self.tables.get(section.name).map_or(&[], Vec::as_slice)
    }

    /// The settings of a section; empty if nobody wrote it.
    pub(super) fn section(&self, section: &Section) -> Settings {
        self.sections.get(section.name).cloned().unwrap_or_default()
    }
}

impl Settings {
    /// Those of a table that stands here, before any is read.
    pub(super) fn at(place: Place) -> Self {
        Self { place: Some(place), by_name: BTreeMap::new() }
    }

    /// `None`: nobody wrote it.
    pub(super) fn get(&self, name: &str) -> Option<&Result<Setting, Reported>> {
        self.by_name.get(name)
    }

    /// A plain text, if one was written.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let setting = self.get(name)?.as_ref().ok()?;
        setting.items.first().map(String::as_str)
    }

    /// Where a key is written; else its table.
    pub(super) fn place_of(&self, name: &str) -> Place {
        let of_key = self.get(name).and_then(|read| read.as_ref().ok()).map(|read| &read.place);
        of_key.or(self.place.as_ref()).cloned().unwrap_or(Place::Default)
    }

    /// Takes a value under the name that was written: a key, or `KEY_file` of a secret.
    pub(super) fn set(
        &mut self,
        section: &Section,
        name: &str,
        place: Place,
        written: &Written<'_>,
        faults: &mut Faults,
    ) {
        let full_name = format!("{}.{name}", section.name);
        let Some((key, in_file)) = section.named(name) else {
            let found = "there is no such key".to_owned();
            faults.push(Fault { place, key: full_name, found, accepted: section.names() });
            return;
        };
        let twice = self.get(key.name).is_some_and(|earlier| match earlier {
            Ok(earlier) => same_layer(&earlier.place, &place),
            Err(Reported) => false,
        });
        let read = match written.items(key.kind) {
            _ if twice => Err(faults.push(Fault {
                place,
                key: full_name,
                found: "the value is given twice".to_owned(),
                accepted: format!("{0} or {0}_file", key.name),
            })),
            None => Err(faults.push(key.fault(section, place, &written.shown()))),
            Some(items) if in_file => secret(&items.concat(), place, &full_name, faults),
            Some(items) => Ok(Setting { place, shown: written.shown(), items }),
        };
        self.by_name.insert(key.name, read);
    }
}

impl Setting {
    /// A default, which is spelled as the environment spells it.
    pub(super) fn by_default(key: &Key, text: &str) -> Self {
        let written = Written::Variable(text);
        let items = written.items(key.kind).unwrap_or_default();
        Self { place: Place::Default, shown: written.shown(), items }
    }
}

impl Written<'_> {
    fn shown(&self) -> String {
        match self {
            Self::Toml { shown, .. } => shown.clone(),
            Self::Variable(text) => format!("{text:?}"),
        }
    }

    /// The texts of the value; `None` where TOML's type is not the key's.
    fn items(&self, kind: Kind) -> Option<Vec<String>> {
        match self {
            Self::Toml { value, .. } => toml_items(kind, value),
            Self::Variable(text) if kind == Kind::List => {
                Some(keys::items(text).map(str::to_owned).collect())
            }
            Self::Variable(text) => Some(vec![(*text).to_owned()]),
        }
    }
}

fn toml_items(kind: Kind, value: &DeValue<'_>) -> Option<Vec<String>> {
    let text = |value: &DeValue<'_>| value.as_str().map(str::to_owned);
    match (kind, value) {
        (Kind::Text | Kind::WordOrPair, value) if value.is_str() => Some(vec![text(value)?]),
        (Kind::Number, DeValue::Integer(number)) => Some(vec![number.to_string()]),
        (Kind::Switch, DeValue::Boolean(on)) => Some(vec![on.to_string()]),
        (Kind::List, DeValue::Array(items)) => {
            items.iter().map(|item| text(item.get_ref())).collect()
        }
        (Kind::WordOrPair, DeValue::Table(pair)) if pair.len() == 1 => {
            let (name, value) = pair.iter().next()?;
            Some(vec![name.get_ref().to_string(), text(value.get_ref())?])
        }
        _ => None,
    }
}

fn same_layer(one: &Place, other: &Place) -> bool {
    matches!(
        (one, other),
        (Place::File { .. }, Place::File { .. }) | (Place::Environment(_), Place::Environment(_))
    )
}

/// A secret in a file of its own; the line break at its end is not part of it.
fn secret(file: &str, place: Place, key: &str, faults: &mut Faults) -> Result<Setting, Reported> {
    match fs::read_to_string(file) {
        Ok(text) => {
            let items = vec![text.trim_end_matches(['\r', '\n']).to_owned()];
            Ok(Setting { place, shown: String::new(), items })
        }
        Err(error) => Err(faults.push(unreadable(place, key, &error))),
    }
}

fn unreadable(place: Place, key: &str, error: &std::io::Error) -> Fault {
    Fault {
        place,
        key: key.to_owned(),
        found: format!("the file cannot be read ({error})"),
        accepted: "a UTF-8 text file that this user may read".to_owned(),
    }
}

const PREFIX: &str = "PORTCULLIS__";

fn read_variable(variable: &str, name: &str, text: &str, source: &mut Source, faults: &mut Faults) {
    let place = Place::Environment(variable.to_owned());
    let lower = name.to_lowercase();
    let in_capitals = lower.to_uppercase() == name;
    let named = lower.split_once("__").filter(|_| in_capitals);
    match named.and_then(|(section, key)| Some((keys::section(section)?, key))) {
        Some((section, key)) => {
            let settings = source.sections.entry(section.name).or_default();
            settings.set(section, key, place, &Written::Variable(text), faults);
        }
        None => {
            faults.push(Fault {
                place,
                key: String::new(),
                found: "there is no such setting".to_owned(),
                accepted: format!("{PREFIX}SECTION__KEY with a section of {}", keys::names()),
            });
        }
    }
}
