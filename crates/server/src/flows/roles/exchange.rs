//! Roles as a JSON file, to keep them beside a configuration or to carry them to another
//! installation. An import is checked whole before anything is written, and written whole.
//!
//! ```json
//! {"roles": [{"name": "lettings", "level": 30, "permissions": ["api.jobs.*"]}]}
//! ```
//!
//! A role of the file that does not exist is made; one that exists has afterwards the level that the
//! file says, and grants what it says and nothing else. Roles that the file leaves out stay as they
//! are, and the levels of built-in roles do not change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use portcullis_domain::event::{Event, Text};
use portcullis_domain::permission::{Grant, Grants};
use portcullis_domain::role::{self, Level, MAX_ROLES, Role};
use portcullis_domain::text::{Name, fold};
use portcullis_store::{Error, Tx, roles};
use serde::{Deserialize, Serialize};

use super::{Acting, give, insert, parse_name, take};

/// A role as a file wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRole {
    pub name: Name,
    pub level: Level,
    pub grants: Grants,
}

/// What became of an import.
#[derive(Debug, PartialEq, Eq)]
pub enum Import {
    /// How many roles were made, how many changed, and how many were as the file wants them.
    Done { created: usize, changed: usize, unchanged: usize },
    /// More roles than there may be; nothing was changed.
    Full(ImportFault),
    /// Everything that is wrong; nothing was changed.
    Refused(Vec<ImportFault>),
}

/// What is wrong with one role of a file, or with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFault {
    /// Its name; `None` for a fault of the whole file.
    pub role: Option<String>,
    /// A sentence.
    pub fault: String,
}

/// No role of a file is looked at after so many faults.
const MAX_FAULTS: usize = 50;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    roles: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    level: i64,
    permissions: Vec<String>,
}

/// The roles as the text of a file.
pub fn export(roles: &[Role]) -> String {
    let entry = |role: &Role| Entry {
        name: role.name.clone(),
        level: i64::from(role.level.get()),
        permissions: role.grants.iter().map(ToString::to_string).collect(),
    };
    let document = Document { roles: roles.iter().map(entry).collect() };
    // Names, numbers and texts can always be written.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// Reads the text of a file, or says everything that is wrong with it.
pub fn parse(text: &str) -> Result<Vec<WantedRole>, Vec<ImportFault>> {
    let document: Document = serde_json::from_str(text).map_err(|error| {
        vec![ImportFault { role: None, fault: format!("The file is no list of roles: {error}.") }]
    })?;
    if document.roles.len() > MAX_ROLES {
        let fault = format!("The file has more than the {MAX_ROLES} roles that there may be.");
        return Err(vec![ImportFault { role: None, fault }]);
    }
    let (mut wanted, mut faults) = (Vec::new(), Vec::new());
    let mut names = BTreeSet::new();
    for entry in &document.roles {
        // Whoever made so many mistakes is helped by the first of them.
        if faults.len() >= MAX_FAULTS {
            break;
        }
        if !names.insert(fold(entry.name.trim())) {
            faults.push(ImportFault::of(&entry.name, "The file names this role twice."));
        }
        wanted.extend(parse_entry(entry, &mut faults));
    }
    if faults.is_empty() { Ok(wanted) } else { Err(faults) }
}

/// Brings the roles to what a file wants.
pub async fn import(acting: &Acting<'_>, wanted: &[WantedRole]) -> Result<Import, Error> {
    let mut tx = acting.db.write().await?;
    let import = bring(acting, &mut tx, wanted).await?;
    if let Import::Done { .. } = import {
        tx.commit().await?;
    }
    Ok(import)
}

/// The same in a transaction that somebody else commits, if it was done.
pub(super) async fn bring(
    acting: &Acting<'_>,
    tx: &mut Tx,
    wanted: &[WantedRole],
) -> Result<Import, Error> {
    let listed = roles::list(tx).await?;
    let existing: BTreeMap<String, Role> =
        listed.into_iter().map(|role| (fold(&role.name), role)).collect();
    let more =
        wanted.iter().filter(|role| !existing.contains_key(&fold(role.name.as_str()))).count();
    if more > 0 && existing.len() + more > MAX_ROLES {
        let fault = role::Refusal::TooManyRoles.to_string();
        return Ok(Import::Full(ImportFault { role: None, fault }));
    }
    let mut faults = Vec::new();
    let (mut created, mut changed) = (0, 0);
    for role in wanted {
        match existing.get(&fold(role.name.as_str())) {
            Some(now) => faults.extend(faults_of_change(acting, now, role)),
            None => faults.extend(fault_of_creation(acting, role)),
        }
    }
    if !faults.is_empty() {
        return Ok(Import::Refused(faults));
    }
    for role in wanted {
        if let Some(now) = existing.get(&fold(role.name.as_str())) {
            changed += usize::from(change(acting, tx, now, role).await?);
        } else {
            insert(acting, tx, &role.name, role.level, &role.grants).await?;
            created += 1;
        }
    }
    Ok(Import::Done { created, changed, unchanged: wanted.len() - created - changed })
}

fn parse_entry(entry: &Entry, faults: &mut Vec<ImportFault>) -> Option<WantedRole> {
    let mut fault = |text: String| faults.push(ImportFault::of(&entry.name, &text));
    let name = parse_name(&entry.name).map_err(|reason| fault(format!("Its name: {reason}")));
    let level = Level::new(entry.level);
    if level.is_none() {
        fault(format!("Its level is {}; a level is a number from 0 to 100.", entry.level));
    }
    if let Err(refusal) = role::may_have(entry.permissions.len()) {
        fault(refusal.to_string());
        return None;
    }
    let mut grants = Vec::with_capacity(entry.permissions.len());
    for text in &entry.permissions {
        match Grant::parse(text) {
            Ok(grant) => grants.push(grant),
            Err(reason) => fault(format!("{:?} is no permission. {reason}.", clipped(text))),
        }
    }
    Some(WantedRole { name: name.ok()?, level: level?, grants: grants.into_iter().collect() })
}

fn fault_of_creation(acting: &Acting<'_>, wanted: &WantedRole) -> Option<ImportFault> {
    let refusal = role::may_create(acting.authority, wanted.level, &wanted.grants).err()?;
    Some(ImportFault::of(wanted.name.as_str(), &refusal.to_string()))
}

/// One sentence a kind of fault, however many grants it is about.
fn faults_of_change(acting: &Acting<'_>, now: &Role, wanted: &WantedRole) -> Vec<ImportFault> {
    let mut faults = BTreeSet::new();
    if wanted.level != now.level {
        let reach = role::may_create(acting.authority, wanted.level, &Grants::default());
        let refusal = role::may_change(acting.authority, now).and(reach).err();
        faults.extend(refusal.map(|refusal| refusal.to_string()));
    }
    for grant in missing(&wanted.grants, &now.grants) {
        let refusal = role::may_grant(acting.authority, now, grant).err();
        faults.extend(refusal.map(|refusal| refusal.to_string()));
    }
    if missing(&now.grants, &wanted.grants).next().is_some() {
        let refusal = role::may_revoke(acting.authority, now).err();
        faults.extend(refusal.map(|refusal| refusal.to_string()));
    }
    faults.iter().map(|fault| ImportFault::of(&now.name, fault)).collect()
}

/// Brings a role to what the file wants. Says whether it was not so before.
async fn change(
    acting: &Acting<'_>,
    tx: &mut Tx,
    now: &Role,
    wanted: &WantedRole,
) -> Result<bool, Error> {
    let mut changed = false;
    if wanted.level != now.level {
        changed = roles::update_level(tx, now.id, wanted.level, acting.now).await?;
        let (role, level) = (Text::clip(&now.name), wanted.level.get());
        acting.record(tx, &Event::RoleLevelChanged { role, level }, None).await?;
    }
    for grant in missing(&wanted.grants, &now.grants) {
        changed |= give(acting, tx, &now.name, now.id, grant).await?;
    }
    for grant in missing(&now.grants, &wanted.grants) {
        changed |= take(acting, tx, now, grant).await?;
    }
    Ok(changed)
}

/// The grants of `these` that are not among `those`.
fn missing<'a>(these: &'a Grants, those: &'a Grants) -> impl Iterator<Item = &'a Grant> {
    these.iter().filter(|grant| !those.contains(grant))
}

/// What a file says, as far as a message repeats it.
fn clipped(text: &str) -> String {
    text.chars().take(150).collect()
}

impl ImportFault {
    fn of(role: &str, fault: &str) -> Self {
        Self { role: Some(clipped(role)), fault: fault.to_owned() }
    }
}

impl fmt::Display for ImportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(role) = &self.role {
            write!(f, "role {role:?}: ")?;
        }
        f.write_str(&self.fault)
    }
}
