//! Whether it is time for a check.

use std::time::Duration;

use portcullis_domain::time::Time;
use portcullis_store::Error;
use portcullis_store::integrity::checks;

use super::Monitor;

/// Whether the last check of every root began so long ago as the schedule says, or nearly. One that goes on
/// is one; the look at the end of a deployment is one at a single root, and is none.
pub async fn is_due(monitor: &Monitor<'_>) -> Result<bool, Error> {
    let Some(every) = monitor.settings.schedule else { return Ok(false) };
    let last = checks::last_of_all(&mut monitor.db.read().await?).await?;
    let [random] = monitor.random.bytes();
    Ok(last.is_none_or(|last| is_time(last, every, monitor.now(), random)))
}

/// In the last twentieth it is left to chance: nobody knows to the minute when files are looked at, and
/// servers that were started together do not look together.
fn is_time(last: Time, every: Duration, now: Time, random: u8) -> bool {
    let early = every / 20 * u32::from(random) / u32::from(u8::MAX);
    last.plus(every) <= now.plus(early)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_comes_a_little_early_and_never_late() {
        let every = Duration::from_hours(1);
        let check = |minutes: u64, random: u8, expected: bool| {
            let now = Time(0).plus(Duration::from_mins(minutes));
            assert_eq!(is_time(Time(0), every, now, random), expected, "{minutes} {random}");
        };
        for random in [0, 128, 255] {
            check(56, random, false);
            check(60, random, true);
        }
        check(57, 255, true);
        check(57, 254, false);
        check(59, 0, false);
    }
}
