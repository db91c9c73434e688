//! One event as it is shown outside: in lists, exports and messages to other systems. Pure forms of
//! one [`Record`]: our own JSON, the Open Cybersecurity Schema Framework in `ocsf`, a row of a table in
//! `row`; in `query` and `span` what of them is wanted. Not here: where records come from.

pub mod ocsf;
pub mod query;
pub mod row;
pub mod span;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::{Map, Value};

use crate::audit::entry::Person;
use crate::audit::tree::Hash;
use crate::event::ocsf::{Mapping, Resource, mapping};
use crate::id::UserId;
use crate::time::Time;

/// The version of the form in which records leave. A member may be added without a new one; none is
/// renamed, removed or given another meaning.
pub const SCHEMA: u32 = 1;

/// One event, with what is known today of the people in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its place in the log, from 0.
    pub index: u64,
    /// What the tree over the log is built of: the hash of the entry.
    pub leaf_hash: Hash,
    /// A `UUIDv7`.
    pub id: String,
    /// When it happened.
    pub at: Time,
    /// When it got its place.
    pub logged: Time,
    /// The name in the log.
    pub event: String,
    pub outcome: String,
    pub severity: String,
    /// Who acted.
    pub actor: Option<Somebody>,
    /// Whose account it is about.
    pub subject: Option<Somebody>,
    /// The public handle of the session.
    pub session: Option<String>,
    pub request_id: Option<String>,
    pub ip: Option<String>,
    pub peer: Option<String>,
    pub user_agent: Option<String>,
    /// The fields of the event, those that came from outside among them.
    pub detail: Map<String, Value>,
    /// Whether there was personal data that is erased.
    pub is_erased: bool,
}

/// A person in an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Somebody {
    /// Who it is in the log, for ever.
    pub person: Person,
    /// `None` once the person was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// What the user is called today.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Record {
    /// Whether somebody did it on the command line. Only of what nobody but a person does, and whom the
    /// web would name, this can be told.
    pub fn is_by_command(&self) -> bool {
        const BY_PEOPLE: [&str; 6] = [
            "audit_exported",
            "audit_pruned",
            "audit_anchor_replaced",
            "audit_rejected_cleared",
            "privacy_erased",
            "backup_restored",
        ];
        let is_from_nowhere = self.actor.is_none() && self.ip.is_none();
        is_from_nowhere && !self.is_erased && BY_PEOPLE.contains(&self.event.as_str())
    }

    /// What it is about.
    pub fn resource(&self) -> Option<Resource> {
        self.mapping().map(|mapping| mapping.resource)
    }

    /// Which of them, as far as that has a name.
    pub fn resource_id(&self) -> Option<String> {
        let of_detail = |member: &str| self.detail.get(member).map(worded);
        match self.resource()? {
            Resource::User => self.user()?.user_id.map(|id| id.0.to_string()),
            Resource::Session => self.session.clone(),
            Resource::Role => of_detail("role"),
            Resource::Permission => of_detail("key").or_else(|| of_detail("role")),
            Resource::Limit => of_detail("limit"),
            Resource::Address | Resource::Place => of_detail("network"),
            Resource::Route => of_detail("path"),
            Resource::Device | Resource::Letter => of_detail("id"),
            Resource::Token => of_detail("kind"),
            Resource::Link => of_detail("purpose"),
            Resource::File => of_detail("file_path").or_else(|| of_detail("alert")),
            Resource::Baseline => of_detail("root"),
            Resource::Log | Resource::Server => None,
        }
    }

    /// Whom it is about: the subject, else who acted.
    pub fn user(&self) -> Option<&Somebody> {
        self.subject.as_ref().or(self.actor.as_ref())
    }

    fn mapping(&self) -> Option<&'static Mapping> {
        mapping(&self.event, &self.detail)
    }
}

/// Our own form: a flat object, whose absent members are left out.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("schema", &SCHEMA)?;
        map.serialize_entry("index", &self.index)?;
        map.serialize_entry("leaf_hash", &self.leaf_hash.to_string())?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("at", &to_the_millisecond(self.at))?;
        map.serialize_entry("logged", &to_the_millisecond(self.logged))?;
        map.serialize_entry("event", &self.event)?;
        map.serialize_entry("outcome", &self.outcome)?;
        map.serialize_entry("severity", &self.severity)?;
        for (name, somebody) in [("actor", &self.actor), ("subject", &self.subject)] {
            if let Some(somebody) = somebody {
                map.serialize_entry(name, somebody)?;
            }
        }
        map.serialize_entry("resource_type", &self.resource().map(Resource::as_str))?;
        map.serialize_entry("resource_id", &self.resource_id())?;
        let texts = [
            ("session", &self.session),
            ("request_id", &self.request_id),
            ("ip_address", &self.ip),
            ("peer", &self.peer),
            ("user_agent", &self.user_agent),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                map.serialize_entry(name, text)?;
            }
        }
        map.serialize_entry("detail", &self.detail)?;
        if self.is_erased {
            map.serialize_entry("erased", &true)?;
        }
        map.end()
    }
}

/// RFC 3339 in UTC with three digits behind the second.
pub fn to_the_millisecond(time: Time) -> String {
    let range = Timestamp::MIN.as_millisecond()..=Timestamp::MAX.as_millisecond();
    let millis = time.0.clamp(*range.start(), *range.end());
    format!("{:.3}", Timestamp::from_millisecond(millis).unwrap_or_default())
}

/// A member as a text: strings without their quotation marks.
fn worded(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
