//! A report as CSV (RFC 4180): one figure a line, with where it belongs, its name, its value, and
//! what it was in the period before. Every word in it is one of our own or a number, and what a
//! spreadsheet would take for a formula is none all the same.

use super::Report;

const HEADER: [&str; 5] = ["section", "name", "value", "previous", "change"];

/// The whole report, with CR LF at the end of every line.
pub(super) fn written(report: &Report) -> String {
    let mut text = String::new();
    line(&mut text, HEADER);
    period(&mut text, report);
    figures(&mut text, report);
    for (name, count) in &report.events {
        plain(&mut text, "events", name, &count.to_string());
    }
    for failure in &report.failures_by_reason {
        let name = format!("{} {}", failure.event, failure.reason);
        plain(&mut text, "failures_by_reason", name.trim_end(), &failure.count.to_string());
    }
    for day in &report.logins_by_day {
        plain(&mut text, "logins_by_day.successful", &day.day, &day.successful.to_string());
        plain(&mut text, "logins_by_day.failed", &day.day, &day.failed.to_string());
    }
    for one in &report.posture {
        let count =
            if one.at_least { format!("{} or more", one.count) } else { one.count.to_string() };
        plain(&mut text, &format!("posture.{}", one.severity.word()), one.check, &count);
    }
    completeness(&mut text, report);
    text
}

fn period(text: &mut String, report: &Report) {
    let (now, before) = (&report.period, &report.previous.period);
    line(text, ["period", "from", &now.from, &before.from, ""]);
    line(text, ["period", "to", &now.to, &before.to, ""]);
}

fn figures(text: &mut String, report: &Report) {
    let rest = report.previous.figures.named().into_iter().zip(report.previous.change.named());
    for ((name, value), ((_, before), (_, change))) in report.figures.named().into_iter().zip(rest)
    {
        let [value, before, change] = [value, before, change].map(|number| number.to_string());
        line(text, ["figures", name, &value, &before, &change]);
    }
    plain(text, "figures", "blacklisted_now", &report.blacklisted_now.to_string());
    let by = &report.sessions_terminated_by;
    for (name, count) in [
        ("from_a_list", by.from_a_list),
        ("signed_out", by.signed_out),
        ("blacklisted", by.blacklisted),
        ("disabled", by.disabled),
        ("deleted", by.deleted),
    ] {
        plain(text, "sessions_terminated_by", name, &count.to_string());
    }
}

fn completeness(text: &mut String, report: &Report) {
    let (found, log) = (&report.data_completeness, &report.log);
    let begins = found.log_begins.map(crate::time::Time::iso).unwrap_or_default();
    let hours = found.hours_without_server.to_string();
    for (name, value) in [
        ("is_complete", found.is_complete.to_string()),
        ("log_begins", begins),
        ("entries_pruned", found.entries_pruned.to_string()),
        ("events_unsequenced", found.events_unsequenced.to_string()),
        ("hours_without_server", hours),
    ] {
        plain(text, "data_completeness", name, &value);
    }
    plain(text, "log", "origin", &log.origin);
    plain(text, "log", "size", &log.size.to_string());
    if let Some(checkpoint) = &log.checkpoint {
        plain(text, "log.checkpoint", "size", &checkpoint.size.to_string());
        plain(text, "log.checkpoint", "at", &checkpoint.at.iso());
        plain(text, "log.checkpoint", "note", &checkpoint.note);
    }
    if let Some(verified) = &log.verified {
        plain(text, "log.verified", "at", &verified.at.iso());
        plain(text, "log.verified", "entries", &verified.entries.to_string());
        plain(text, "log.verified", "faults", &verified.faults.to_string());
    }
    plain(text, "report", "generated_at", &report.generated_at.iso());
}

fn plain(text: &mut String, section: &str, name: &str, value: &str) {
    line(text, [section, name, value, "", ""]);
}

fn line(text: &mut String, cells: [&str; 5]) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&quoted(cell));
    }
    text.push_str("\r\n");
}

/// A cell: numbers as they are, and nothing that a spreadsheet would run.
fn quoted(cell: &str) -> String {
    let is_number = cell.parse::<i64>().is_ok();
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number;
    let guarded = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if guarded.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_nothing_is_a_formula() {
        let check = |cell: &str, expected: &str| assert_eq!(quoted(cell), expected);
        check("", "");
        check("-12", "-12");
        check("2026-11-01", "2026-11-01");
        check("a,b", "\"a,b\"");
        check("a\nb \"c\"", "\"a\nb \"\"c\"\"\"");
        check("=1+1", "'=1+1");
        check("-1+1", "'-1+1");
        check("@x,y", "\"'@x,y\"");
    }
}
