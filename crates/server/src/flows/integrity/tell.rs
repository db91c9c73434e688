//! Tells by mail of files that differ: one letter to each of the staff who may manage alerts, for all
//! that was found together, and not more than some an hour.

use portcullis_domain::integrity::alert::Severity;
use portcullis_domain::permission::Key;
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx};

use super::judge::MAY_JUDGE;
use super::settle::Told;
use crate::app::App;
use crate::flows::roles;
use crate::mail::{self, FileLine, Letter};

/// So many of the staff are told.
const MOST_PEOPLE: i64 = 100;
/// So many files have a line of their own.
const MOST_LINES: usize = 20;

/// Tells of what was found, if it is bad enough.
pub async fn tell(app: &App, told: &[Told]) -> Result<(), Error> {
    let Some(from) = app.config.integrity.mail else { return Ok(()) };
    let mut told: Vec<&Told> = told.iter().filter(|told| is_bad_enough(told, from)).collect();
    if told.is_empty() {
        return Ok(());
    }
    told.sort_by_key(|told| told.severity);
    let shown = told.iter().take(MOST_LINES).map(|told| FileLine {
        severity: told.severity.as_str(),
        what: told.kind.as_str(),
        path: told.file_path.clone(),
    });
    let lines: Vec<FileLine> = shown.collect();
    let url = format!("{}/-/admin/files", app.public_url);
    let letter = Letter::files_differ(&lines, told.len() - lines.len(), url);
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    for user in users::staff(&mut tx, MOST_PEOPLE).await? {
        if may_judge(&mut tx, &user).await? {
            mail::send(app, &mut tx, &user.email, &letter, now).await?;
        }
    }
    tx.commit().await
}

/// The worst comes first.
fn is_bad_enough(told: &Told, from: Severity) -> bool {
    told.severity <= from
}

async fn may_judge(tx: &mut Tx, user: &User) -> Result<bool, Error> {
    let role = roles::of_user(tx, user).await?;
    let key = Key::parse(MAY_JUDGE);
    Ok(role.is_some_and(|role| key.is_ok_and(|key| role.grants.allows(&key))))
}
