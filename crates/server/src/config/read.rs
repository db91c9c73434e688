//! Reads the settings of one section by the table's names: what was written or else the default, parsed,
//! or a fault in the list.

use super::fault::{Fault, Faults, Reported};
use super::keys::{Default, Key, Section};
use super::source::{Setting, Settings};

/// One section (or one rule), and the list that its faults go to.
pub(super) struct Reader<'a> {
    section: &'static Section,
    settings: Settings,
    faults: &'a mut Faults,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        section: &'static Section,
        settings: Settings,
        faults: &'a mut Faults,
    ) -> Self {
        Self { section, settings, faults }
    }

    /// A key that has a default or must be written.
    pub(super) fn one<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Reported> {
        self.whole(name, |items| match items {
            [text] => parse(text),
            _ => None,
        })
    }

    /// A key that may be left out.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Reported> {
        if self.is_written(name) { self.one(name, parse).map(Some) } else { Ok(None) }
    }

    /// A key that may be left out, and whose items only mean something together.
    pub(super) fn optional_whole<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&[String]) -> Option<T>,
    ) -> Result<Option<T>, Reported> {
        if self.is_written(name) { self.whole(name, parse).map(Some) } else { Ok(None) }
    }

    /// A key that `off` switches off.
    pub(super) fn one_or_off<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Reported> {
        enum Switched<T> {
            On(T),
            Off,
        }
        let switched = self.one(name, |text| match text {
            "off" => Some(Switched::Off),
            on => parse(on).map(Switched::On),
        })?;
        match switched {
            Switched::On(value) => Ok(Some(value)),
            Switched::Off => Ok(None),
        }
    }

    /// A list; each item that is not accepted is a fault of its own.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Reported> {
        let (key, setting) = self.setting(name)?;
        let parsed: Vec<Result<T, Reported>> = setting
            .items
            .iter()
            .map(|item| {
                let fault = || key.fault(self.section, setting.place.clone(), &format!("{item:?}"));
                parse(item).ok_or_else(|| self.faults.push(fault()))
            })
            .collect();
        parsed.into_iter().collect()
    }

    /// A key whose items only mean something together.
    pub(super) fn whole<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&[String]) -> Option<T>,
    ) -> Result<T, Reported> {
        let (key, setting) = self.setting(name)?;
        parse(&setting.items)
            .ok_or_else(|| self.faults.push(key.fault(self.section, setting.place, &setting.shown)))
    }

    /// Says that accepted values do not go together; the fault stands where the key is written.
    pub(super) fn refuse(&mut self, name: &str, found: &str, accepted: &str) -> Reported {
        self.faults.push(Fault {
            place: self.settings.place_of(name),
            key: format!("{}.{name}", self.section.name),
            found: found.to_owned(),
            accepted: accepted.to_owned(),
        })
    }

    fn is_written(&self, name: &str) -> bool {
        self.settings.get(name).is_some()
    }

    fn setting(&mut self, name: &str) -> Result<(&'static Key, Setting), Reported> {
        let Some(key) = self.section.key(name) else {
            return Err(self.refuse(name, "there is no such key", &self.section.names()));
        };
        match (self.settings.get(name), key.default) {
            (Some(setting), _) => setting.clone().map(|setting| (key, setting)),
            (None, Default::Is(text)) => Ok((key, Setting::by_default(key, text))),
            (None, Default::Follows { .. } | Default::Required { .. }) => {
                Err(self.refuse(name, "is missing", key.accepted))
            }
        }
    }
}
