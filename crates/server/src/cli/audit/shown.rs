//! A verdict for people and for machines.

use std::process::ExitCode;

use portcullis_domain::time::Time;
use serde_json::{Value, json};

use crate::cli::output::{self, Output};
use crate::cli::{DONE, FORGED, REFUSED};
use crate::flows::audit::verify::Verdict;

/// Prints it; the exit code says how it ended.
pub(super) fn show(verdict: &Verdict, output: Output) -> anyhow::Result<ExitCode> {
    match output {
        Output::Person => output::print(&text(verdict))?,
        Output::Machine => output::print(&value(verdict).to_string())?,
    }
    Ok(ExitCode::from(code(verdict)))
}

fn code(verdict: &Verdict) -> u8 {
    if verdict.faults.is_clean() {
        DONE
    } else if verdict.is_forged() {
        FORGED
    } else {
        REFUSED
    }
}

fn text(verdict: &Verdict) -> String {
    let mut lines = vec![format!("Log        {}", verdict.key.name())];
    lines.push(match verdict.entries() {
        0 => "Entries    none".to_owned(),
        some => format!(
            "Entries    {some} looked at: {} to {} of {}",
            verdict.first,
            verdict.end.saturating_sub(1),
            verdict.size
        ),
    });
    if verdict.pruned > 0 {
        lines.push(format!("Pruned     entries below {}", verdict.pruned));
    }
    lines.push(signed(verdict));
    if verdict.unsigned() > 0 {
        let since = verdict.unsigned_since.map(|at| format!(", the oldest of {}", at.iso()));
        let since = since.unwrap_or_default();
        lines.push(format!("Unsigned   {} newest entries{since}", verdict.unsigned()));
    }
    if verdict.erased > 0 {
        lines.push(format!("Erased     {} parts of personal data", verdict.erased));
    }
    if verdict.expired > 0 {
        let expired = verdict.expired;
        lines.push(format!("Expired    {expired} parts of personal data (audit.keep_personal)"));
    }
    if verdict.untold > 0 {
        let untold = verdict.untold;
        lines.push(format!(
            "Untold     {untold} parts of personal data are said to be erased, and no entry of the bundle \
             tells why"
        ));
    }
    lines.push(if verdict.faults.is_clean() {
        "Result     in order".to_owned()
    } else {
        format!("Result     NOT in order, {} found:", verdict.faults.total())
    });
    lines.extend(
        verdict.faults.first().iter().map(|fault| format!("  {:<17}{fault}", fault.kind())),
    );
    let kept = verdict.faults.first().len() as u64;
    if verdict.faults.total() > kept {
        lines.push(format!("  and {} more", verdict.faults.total() - kept));
    }
    lines.join("\n")
}

fn signed(verdict: &Verdict) -> String {
    let Some(pin) = verdict.signed else { return "Signed     nothing".to_owned() };
    let at = pin.at.map(|at| format!(" on {}", at.iso())).unwrap_or_default();
    let agreed = match verdict.confirmed {
        1 => "1 checkpoint or anchor agrees".to_owned(),
        some => format!("{some} checkpoints and anchors agree"),
    };
    format!("Signed     the first {} entries{at}; {agreed}", pin.size)
}

pub(super) fn value(verdict: &Verdict) -> Value {
    let faults: Vec<Value> = verdict
        .faults
        .first()
        .iter()
        .map(|fault| json!({"kind": fault.kind(), "index": fault.index(), "text": fault.to_string()}))
        .collect();
    json!({
        "origin": verdict.key.name(),
        "key": verdict.key.to_string(),
        "size": verdict.size,
        "first": verdict.first,
        "end": verdict.end,
        "pruned": verdict.pruned,
        "signed": verdict.signed.map(|pin| json!({
            "size": pin.size,
            "at": pin.at.map(Time::iso),
        })),
        "unsigned": {
            "entries": verdict.unsigned(),
            "since": verdict.unsigned_since.filter(|_| verdict.unsigned() > 0).map(Time::iso),
        },
        "confirmed": verdict.confirmed,
        "erased_parts": verdict.erased,
        "expired_parts": verdict.expired,
        "untold_parts": verdict.untold,
        "result": result(verdict),
        "kinds": verdict.faults.kinds(),
        "faults": faults,
    })
}

fn result(verdict: &Verdict) -> &'static str {
    match code(verdict) {
        DONE => "in_order",
        FORGED => "forged",
        _ => "differs",
    }
}
