//! The TOML file, table by table, with the line of each value. Knows the names of keys, not their meaning.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::fault::{Fault, Faults, Place};
use super::keys::{self, Section};
use super::source::{Settings, Source, Written};
use super::table::TABLES;

/// Reads the file's text into `source`. A syntax fault does not hide the faults after it.
pub(super) fn read(path: &Path, text: &str, source: &mut Source, faults: &mut Faults) {
    let document = Document { path, text };
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        faults.push(Fault {
            place: document.place(error.span().map_or(0, |span| span.start)),
            key: String::new(),
            found: format!("this is not TOML ({})", error.message()),
            accepted: "TOML, as at https://toml.io".to_owned(),
        });
    }
    for (name, value) in root.get_ref() {
        document.section(name, value, source, faults);
    }
}

struct Document<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Document<'_> {
    fn section(
        &self,
        name: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        source: &mut Source,
        faults: &mut Faults,
    ) {
        let place = self.place(name.span().start);
        let (Some(section), DeValue::Table(table)) =
            (keys::section(name.get_ref()), value.get_ref())
        else {
            let key = name.get_ref().to_string();
            let found = "there is no such section".to_owned();
            faults.push(Fault { place, key, found, accepted: keys::names() });
            return;
        };
        let mut settings = Settings::at(place);
        for (name, value) in table {
            let full_name = format!("{}.{}", section.name, name.get_ref());
            match TABLES.into_iter().find(|array| array.name == full_name) {
                Some(array) => {
                    source.tables.insert(array.name, self.tables(array, value, faults));
                }
                None => self.key(section, name, value, &mut settings, faults),
            }
        }
        source.sections.insert(section.name, settings);
    }

    /// An array of tables, each of the same keys.
    fn tables(
        &self,
        section: &'static Section,
        value: &Spanned<DeValue<'_>>,
        faults: &mut Faults,
    ) -> Vec<Settings> {
        let not_a_table = |value: &Spanned<DeValue<'_>>| Fault {
            place: self.place(value.span().start),
            key: section.name.to_owned(),
            found: format!("{} is not accepted", self.shown(value)),
            accepted: format!("tables, each under [[{}]]", section.name),
        };
        let Some(tables) = value.get_ref().as_array() else {
            faults.push(not_a_table(value));
            return Vec::new();
        };
        let mut read = Vec::new();
        for entry in tables {
            let DeValue::Table(table) = entry.get_ref() else {
                faults.push(not_a_table(entry));
                continue;
            };
            let place = self.place(entry.span().start);
            let mut settings = Settings::at(place);
            for (name, value) in table {
                self.key(section, name, value, &mut settings, faults);
            }
            read.push(settings);
        }
        read
    }

    fn key(
        &self,
        section: &Section,
        name: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        settings: &mut Settings,
        faults: &mut Faults,
    ) {
        let written = Written::Toml { shown: self.shown(value), value: value.get_ref() };
        settings.set(section, name.get_ref(), self.place(name.span().start), &written, faults);
    }

    /// The value as it was written, on one line and cut where it is long.
    fn shown(&self, value: &Spanned<DeValue<'_>>) -> String {
        let written = self.text.get(value.span()).unwrap_or_default();
        written.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect()
    }

    fn place(&self, offset: usize) -> Place {
        let breaks = self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        Place::File { path: self.path.to_owned(), line: breaks + 1 }
    }
}
