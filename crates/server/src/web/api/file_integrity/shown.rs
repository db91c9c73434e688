//! How alerts, checks, baselines and deployments look in answers. Paths come twice: as people read them,
//! and as the bytes that they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_domain::integrity::CheckState;
use portcullis_domain::time::Time;
use portcullis_integrity::path::show;
use portcullis_integrity::{Content, Entry};
use portcullis_store::integrity::alerts::Alert;
use portcullis_store::integrity::baselines::Baseline;
use portcullis_store::integrity::checks::Check;
use portcullis_store::integrity::deployments::Deployment;
use portcullis_store::integrity::sightings::Witness;
use serde_json::{Value, json};

use crate::flows::integrity::alerts::Known;
use crate::flows::integrity::status::{Notice, Progress};

/// An alert, with the documented keys first.
pub(super) fn alert(alert: &Alert) -> Value {
    let about = &alert.about;
    json!({
        "id": alert.id,
        "file_path": about.file_path,
        "alert_type": "file_integrity_violation",
        "severity": about.severity,
        "status": alert.status.number(),
        "details": about.details,
        "created_at": alert.created_at.iso(),
        "change_type": about.kind,
        "root": about.root,
        "rule": about.rule,
        "resolution": alert.resolution,
        "note": alert.note,
        "resolved_by": alert.judged_by,
        "resolved_at": alert.judged_at.map(Time::iso),
        "ignored_until": alert.ignored_until.map(Time::iso),
        "occurrences": alert.occurrences,
        "reopened": alert.reopened,
        "last_seen_at": alert.last_seen_at.iso(),
        "supersedes": alert.supersedes,
        "path": show(&about.path),
        "path_b64": STANDARD.encode(&about.path),
        "moved": about.moved.as_deref().map(show),
    })
}

/// An alert with all that is known of it.
pub(super) fn detail(known: &Known) -> Value {
    let mut shown = alert(&known.alert);
    let sighting = known.sighting.as_ref();
    let others = known.of_path.iter().filter(|other| other.id != known.alert.id);
    let more = json!({
        "was": known.alert.about.was,
        "found": known.alert.about.found,
        "fingerprint": hex::encode(&known.alert.fingerprint),
        "check_id": sighting.and_then(|sighting| sighting.check),
        "deployment_id": sighting.and_then(|sighting| sighting.deployment),
        "unchanged_at": sighting.and_then(|sighting| sighting.since).map(Time::iso),
        "found_at": sighting.map(|sighting| sighting.at.iso()),
        "witnesses": known.witnesses.iter().map(witness).collect::<Vec<_>>(),
        "of_path": others.map(alert).collect::<Vec<_>>(),
    });
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    shown
}

fn witness(witness: &Witness) -> Value {
    let grants: Vec<&str> = witness.grants.split_whitespace().collect();
    json!({
        "user_id": witness.user,
        "email": witness.email,
        "session_id": witness.session,
        "role": witness.role,
        "level": witness.level,
        "permissions": grants,
        "ip": witness.ip,
        "signed_in_at": witness.signed_in_at.iso(),
        "ended_at": witness.ended_at.map(Time::iso),
    })
}

/// One side of a difference: what can be said of it without its lines.
pub(super) fn side(entry: &Entry) -> Value {
    let of_file = match &entry.content {
        Content::File { size, digest } => Some((size, digest.to_string())),
        Content::Folder
        | Content::Link { .. }
        | Content::Pipe
        | Content::Socket
        | Content::CharacterDevice { .. }
        | Content::BlockDevice { .. } => None,
    };
    let (size, digest) = of_file.unzip();
    json!({ "type": entry.content.word(), "size": size, "sha256": digest })
}

/// A check, with the documented keys first.
pub(super) fn check(check: &Check, now: Time) -> Value {
    let counts = &check.counts;
    let took = check.finished_at.unwrap_or(now).since(check.started_at);
    json!({
        "check_id": check.id,
        "status": check.state,
        "files_scanned": counts.scanned,
        "violations_found": counts.violations,
        "duration_ms": took.as_millis(),
        "phase": check.phase,
        "root": check.root,
        "cause": check.cause,
        "files_total_estimate": counts.expected,
        "bytes_hashed": counts.bytes,
        "unverifiable": counts.unverifiable,
        "alerts_raised": counts.alerts,
        "percent": percent(check),
        "eta_ms": left(check, took.as_millis()),
        "scan_mode": "full",
        "fault": (!check.fault.is_empty()).then_some(&check.fault),
        "started_at": check.started_at.iso(),
        "finished_at": check.finished_at.map(Time::iso),
    })
}

/// A check, as whoever follows it is told.
pub(super) fn progress(progress: &Progress, now: Time) -> Value {
    let mut shown = check(&progress.check, now);
    if let Value::Object(members) = &mut shown {
        let oldest = progress.oldest_look.map(Time::iso);
        members.insert("oldest_full_hash_at".to_owned(), oldest.into());
    }
    shown
}

/// The same, without what changes by itself while time goes by.
pub(super) fn without_time(mut shown: Value) -> Value {
    if let Value::Object(members) = &mut shown {
        members.remove("duration_ms");
        members.remove("eta_ms");
    }
    shown
}

/// How much of it is done, as far as baselines tell how much there is.
fn percent(check: &Check) -> Option<i64> {
    let counts = &check.counts;
    let is_known = check.state == CheckState::Running && counts.expected > 0;
    let of_known = is_known.then(|| (counts.scanned * 100 / counts.expected.max(1)).min(99));
    if check.state == CheckState::Complete { Some(100) } else { of_known }
}

/// How long it may take yet, in milliseconds.
fn left(check: &Check, took: u128) -> Option<i64> {
    let percent = percent(check).filter(|percent| (1..100).contains(percent))?;
    let took = i64::try_from(took).ok()?;
    Some(took.checked_mul(100 - percent)? / percent)
}

/// A baseline, without its lines.
pub(super) fn baseline(baseline: &Baseline) -> Value {
    json!({
        "root": baseline.root,
        "number": baseline.number,
        "origin": baseline.origin,
        "state": baseline.state,
        "entries": baseline.entries,
        "digest": hex::encode(&baseline.digest),
        "reason": baseline.reason,
        "created_at": baseline.created_at.iso(),
        "created_by": baseline.created_by,
        "activated_at": baseline.activated_at.map(Time::iso),
    })
}

/// What is so until somebody does something about it.
pub(super) fn notice(notice: Notice) -> Value {
    json!({ "code": notice.code(), "severity": notice.severity(), "text": notice.says() })
}

/// A deployment.
pub(super) fn deployment(deployment: &Deployment) -> Value {
    json!({
        "id": deployment.id,
        "root": deployment.root,
        "baseline": deployment.number,
        "state": deployment.state,
        "reason": deployment.reason,
        "opened_at": deployment.opened_at.iso(),
        "opened_by": deployment.opened_by,
        "ends_at": deployment.ends_at.iso(),
        "closed_at": deployment.closed_at.map(Time::iso),
        "reached": deployment.counts.reached,
        "pending": deployment.counts.pending,
        "unexpected": deployment.counts.unexpected,
    })
}
