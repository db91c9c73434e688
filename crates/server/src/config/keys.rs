//! The shape of the table of keys, and look-ups in it. The table itself is in `table`.

use portcullis_domain::audit::note::PRIVATE;

use super::fault::{Fault, Place};
use super::table::SECTIONS;

/// A `[section]` of the file.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) keys: &'static [Key],
}

/// One setting: everything that parsing, the sample and the handbook need to know.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Default,
    /// Completes "accepted: …".
    pub(super) accepted: &'static str,
    /// A sentence for the handbook.
    pub(super) doc: &'static str,
    /// A secret is never shown, and may be given as `NAME_file`.
    pub(super) secret: bool,
}

/// How TOML writes the value. The environment writes them all as text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Switch,
    /// An array of text; comma-separated in the environment.
    List,
    /// A word, or an inline table of one name and one text.
    WordOrPair,
}

/// What holds when nobody wrote the key.
#[derive(Clone, Copy)]
pub(super) enum Default {
    /// Written as the environment writes it.
    Is(&'static str),
    /// Nothing, or something that follows another key: said in words, with an example in TOML.
    Follows { words: &'static str, example: &'static str },
    /// It must be written. With an example in TOML.
    Required { example: &'static str },
}

pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// The names of the sections, for the fault of an unknown one.
pub(super) fn names() -> String {
    SECTIONS.iter().map(|section| section.name).collect::<Vec<_>>().join(", ")
}

impl Section {
    /// The key of a written name, and whether the name is that of its file: `KEY_file`.
    pub(super) fn named(&self, name: &str) -> Option<(&'static Key, bool)> {
        let in_file = || self.key(name.strip_suffix("_file")?).filter(|key| key.secret);
        self.key(name).map(|key| (key, false)).or_else(|| Some((in_file()?, true)))
    }

    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The names of the keys, for the fault of an unknown one.
    pub(super) fn names(&self) -> String {
        self.keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
    }
}

impl Key {
    /// The fault of a value that this key does not take; `shown` is the value as it was written.
    pub(super) fn fault(&self, section: &Section, place: Place, shown: &str) -> Fault {
        // The private half of a key, where the public one belongs, is a secret too.
        let is_secret = self.secret || shown.contains(PRIVATE);
        let shown = if is_secret { "the value (a secret)" } else { shown };
        Fault {
            place,
            key: format!("{}.{}", section.name, self.name),
            found: format!("{shown} is not accepted"),
            accepted: self.accepted.to_owned(),
        }
    }

    /// A value in TOML's spelling, from the environment's.
    pub(super) fn toml(&self, text: &str) -> String {
        match self.kind {
            Kind::Number | Kind::Switch => text.to_owned(),
            Kind::Text | Kind::WordOrPair => format!("{text:?}"),
            Kind::List => {
                let items: Vec<String> = items(text).map(|item| format!("{item:?}")).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }
}

/// The items of a list as the environment writes it.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
