//! What the running server itself warns of in `/readyz`, and what to do. Not here: whether it is ready at
//! all (`installation`).

use serde_json::Value;

use super::probe::Prober;
use super::{Check, Status};

const ID: &str = "warnings";

/// What the server warns of, each by itself; nothing where it does not answer.
pub async fn check(prober: &Prober<'_>) -> Vec<Check> {
    let Ok(answer) = prober.ask("/readyz", "").await else { return Vec::new() };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let words = body.get("warnings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    of(words.iter().filter_map(Value::as_str))
}

fn of<'w>(words: impl Iterator<Item = &'w str>) -> Vec<Check> {
    // Backups have a check of their own, which knows more.
    let words = words.filter(|word| !word.starts_with("backup_"));
    let found = |word| {
        Check::found(Status::Warning, ID, format!("{word}: {}", meaning(word).0), meaning(word).1)
    };
    let checks: Vec<Check> = words.map(found).collect();
    if checks.is_empty() {
        vec![Check::ok(ID, "the running server warns of nothing")]
    } else {
        checks
    }
}

/// What a warning says, and what to do about it.
fn meaning(word: &str) -> (&'static str, &'static str) {
    match word {
        "audit_log" => (
            "events cannot get their place in the audit log, or are not signed",
            "portcullis audit status says why",
        ),
        "audit_rejected" => (
            "somebody else wrote events for the audit log, which were put aside",
            "portcullis audit rejected, and see the handbook (The audit log)",
        ),
        "audit_verify_late" => (
            "the audit log has not been verified for twice as long as it should be",
            "see the log of the server, then portcullis audit verify",
        ),
        "audit_verify" => (
            "the audit log was not in order when it was last verified",
            "portcullis audit verify, and see the handbook (The audit log)",
        ),
        "webhook_down" => {
            ("a webhook takes nothing", "portcullis webhook list says which, and why")
        }
        "signing_keys" => (
            "the keys of access tokens cannot be replaced or read; the one that is known goes on signing",
            "portcullis signing-key list, and the log of the server",
        ),
        "mail_down" => ("mail cannot be sent", "see the check mail, and the log of the server"),
        "geo_database" => ("the file of places cannot be used", "see the check of that file"),
        "breach_index" => (
            "the index of breached passwords cannot be used",
            "see the check breach_index, and the log of the server",
        ),
        "breach_service" => (
            "the range service of breached passwords does not answer",
            "see the check breach_service; passwords are looked up later",
        ),
        _ => ("not everything works", "see GET /readyz in the handbook"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_is_a_check_with_advice_and_none_is_in_order() {
        let check = |words: &[&str], expected: &[(Status, &str)]| {
            let checks = of(words.iter().copied());
            let seen: Vec<(Status, &str)> = checks
                .iter()
                .map(|check| (check.status, check.advice.as_deref().unwrap_or_default()))
                .collect();
            assert_eq!(seen, expected, "{words:?}");
        };
        check(&[], &[(Status::Ok, "")]);
        check(&["backup_failed", "backup_late"], &[(Status::Ok, "")]);
        let verify =
            (Status::Warning, "portcullis audit verify, and see the handbook (The audit log)");
        let list = (Status::Warning, "portcullis webhook list says which, and why");
        check(&["audit_verify", "backup_late", "webhook_down"], &[verify, list]);
        let rejected =
            (Status::Warning, "portcullis audit rejected, and see the handbook (The audit log)");
        let late = (Status::Warning, "see the log of the server, then portcullis audit verify");
        check(&["audit_rejected", "audit_verify_late"], &[rejected, late]);
        check(&["another"], &[(Status::Warning, "see GET /readyz in the handbook")]);
    }
}
