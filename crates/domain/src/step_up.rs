//! Step-up: what may do lasting harm asks for a proof that is fresh, so that an open laptop or a copied
//! cookie does not change somebody's password for them. Not here: the proof itself, which is a sign-in
//! or the password again, and which routes ask (their own type says so).

use std::str::FromStr;
use std::time::Duration;

use crate::time::Time;

/// How long a proof is fresh. Long enough to fill in a form that one was led away from, short enough
/// that a machine left alone over a meal is not trusted any more.
pub const FRESH_FOR: Duration = Duration::from_mins(15);

/// Where a fresh proof is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepUp {
    /// On pages, which can ask and lead back. Documented clients know no such question.
    Pages,
    /// Everywhere that it matters.
    All,
}

/// Who waits for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    Page,
    Program,
}

/// The text is not a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected \"pages\" or \"all\"")]
pub struct StepUpFault;

impl FromStr for StepUp {
    type Err = StepUpFault;

    fn from_str(text: &str) -> Result<Self, StepUpFault> {
        match text {
            "pages" => Ok(Self::Pages),
            "all" => Ok(Self::All),
            _ => Err(StepUpFault),
        }
    }
}

/// Whether whoever proved who they are at `auth_time` must do so again.
pub fn is_needed(setting: StepUp, asker: Asker, auth_time: Time, now: Time) -> bool {
    let asks = setting == StepUp::All || asker == Asker::Page;
    asks && !is_fresh(auth_time, now)
}

/// Clocks of nodes differ a little, so a proof from the near future counts; one from further ahead is of
/// a clock that was set back, and counts for nothing.
fn is_fresh(auth_time: Time, now: Time) -> bool {
    now < auth_time.plus(FRESH_FOR) && auth_time <= now.plus(FRESH_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_fresh_for_a_quarter_of_an_hour() {
        let check = |setting, asker, ago: i64, expected| {
            let now = Time(10_000_000);
            let asked = is_needed(setting, asker, Time(now.0 - ago), now);
            assert_eq!(asked, expected, "{setting:?} {asker:?} {ago}");
        };
        let quarter = 15 * 60_000;
        check(StepUp::Pages, Asker::Page, 0, false);
        check(StepUp::Pages, Asker::Page, quarter - 1, false);
        check(StepUp::Pages, Asker::Page, quarter, true);
        check(StepUp::Pages, Asker::Program, quarter, false);
        check(StepUp::All, Asker::Program, quarter - 1, false);
        check(StepUp::All, Asker::Program, quarter, true);
        check(StepUp::All, Asker::Page, quarter, true);
        // Another node's clock is a little ahead; a clock was set back.
        check(StepUp::Pages, Asker::Page, -3000, false);
        check(StepUp::Pages, Asker::Page, -quarter - 1, true);
    }

    #[test]
    fn the_setting_is_read_as_written() {
        let check = |text: &str, expected| assert_eq!(text.parse(), expected, "{text:?}");
        check("pages", Ok(StepUp::Pages));
        check("all", Ok(StepUp::All));
        check("off", Err(StepUpFault));
        check("Pages", Err(StepUpFault));
        check("", Err(StepUpFault));
    }
}
