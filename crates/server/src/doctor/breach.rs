//! Whether those who know breached passwords can be asked, and of when what they know is. The service is asked
//! about one prefix, always the same, which tells nothing of any password.

use portcullis_breach::{COMMON_DATE, Common, Sha1};
use portcullis_domain::text::grouped;

use super::{Check, Status};
use crate::breach::{self, Online};
use crate::clock::Clock;
use crate::config::{self, BreachSource};

/// Each of the configuration, in its order.
pub async fn check(config: &config::Breach, clock: &Clock) -> Vec<Check> {
    let mut checks = Vec::new();
    for source in &config.sources {
        checks.push(match source {
            BreachSource::List => list(),
            BreachSource::Offline => index(config),
            BreachSource::Online => service(config, clock).await,
        });
    }
    checks
}

fn list() -> Check {
    let count = in_words(Common::count());
    Check::ok("breach_list", format!("built in: {count} of {COMMON_DATE}"))
}

fn index(config: &config::Breach) -> Check {
    const ID: &str = "breach_index";
    let Some(file) = &config.offline_index else {
        return Check::ok(ID, "none is configured; nobody asks it");
    };
    let shown = file.display();
    match breach::open(file, config.index_key.as_ref()) {
        Ok(index) => {
            let (count, date) = (in_words(index.head().entries), index.head().date);
            Check::ok(
                ID,
                format!("{shown} opens: {count} of {date}; breach verify reads all of it"),
            )
        }
        Err(fault) => {
            let advice = "the others are asked all the same; see portcullis breach verify, or make it anew by portcullis breach build";
            Check::found(Status::Warning, ID, format!("{shown} {fault}"), advice)
        }
    }
}

async fn service(config: &config::Breach, clock: &Clock) -> Check {
    const ID: &str = "breach_service";
    let url = &config.range_url;
    let prefix = Sha1::from_bytes([0; 20]).prefix();
    let online = match Online::new(url) {
        Ok(online) => online,
        Err(fault) => {
            let detail = format!("{:#}", anyhow::Error::new(fault));
            return Check::fault(ID, detail, "see which certificates the machine trusts");
        }
    };
    match online.below(prefix, clock).await {
        Ok(known) => {
            let date = known.date.map_or_else(String::new, |date| format!(", as of {date}"));
            Check::ok(ID, format!("{url} answers{date}"))
        }
        Err(fault) => {
            let advice = "passwords that only it knows are let through and looked up later; let the server out to \
                          it, or leave online out of breach.sources";
            Check::found(Status::Unreachable, ID, format!("{url}: {fault}"), advice)
        }
    }
}

fn in_words(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} password{plural}", grouped(i64::try_from(count).unwrap_or(i64::MAX)))
}
