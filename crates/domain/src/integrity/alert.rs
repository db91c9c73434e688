//! The life of an alert. The same difference is the same alert: seen again it is counted, and opened
//! again if somebody took it for done; nothing that is said of an alert changes what ought to be there.

use std::time::Duration;

use crate::time::Time;
use crate::word::written_as;

/// What an alert is about: a path, or what keeps paths from being looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Added,
    Deleted,
    Modified,
    /// Rights, owner or attributes, and not the content.
    Attributes,
    /// A path could not be checked.
    Unverifiable,
    /// Files have names that nobody watches, by which they can be written to.
    Linked,
    /// The root is not there, or most of what ought to be in it is gone.
    RootUnavailable,
    /// More differs than there are alerts for.
    MassChange,
    /// The baseline in force is not what was signed.
    BaselineInvalid,
    /// The configuration looks at less than it did.
    CoverageNarrowed,
    /// Changes of some folders are not heard of at once.
    Unwatched,
    /// No more copies of good files are kept, so that differences cannot be shown.
    CopiesFull,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Added,
        Self::Deleted,
        Self::Modified,
        Self::Attributes,
        Self::Unverifiable,
        Self::Linked,
        Self::RootUnavailable,
        Self::MassChange,
        Self::BaselineInvalid,
        Self::CoverageNarrowed,
        Self::Unwatched,
        Self::CopiesFull,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Deleted => "deleted",
            Self::Modified => "modified",
            Self::Attributes => "attributes",
            Self::Unverifiable => "unverifiable",
            Self::Linked => "linked",
            Self::RootUnavailable => "root_unavailable",
            Self::MassChange => "mass_change",
            Self::BaselineInvalid => "baseline_invalid",
            Self::CoverageNarrowed => "coverage_narrowed",
            Self::Unwatched => "unwatched",
            Self::CopiesFull => "copies_full",
        }
    }

    /// Reads back what [`Self::as_str`] gave.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether it is about one path, which a baseline can accept; how many names a file has none tells.
    pub fn is_of_a_path(self) -> bool {
        matches!(
            self,
            Self::Added | Self::Deleted | Self::Modified | Self::Attributes | Self::Unverifiable
        )
    }

    /// Whether a look that does not find it any more shows that it is over. What narrowed the view is
    /// for somebody to judge, and what is not watched is told by whoever watches.
    pub fn ends_by_itself(self) -> bool {
        !matches!(self, Self::CoverageNarrowed | Self::Unwatched)
    }
}

written_as!(Kind, as_str);

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
}

impl Severity {
    /// The worst first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }

    /// Reads back what [`Self::as_str`] gave.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }

    /// Whether it is among what has room of its own, so that nothing less bad takes it.
    pub fn is_bad(self) -> bool {
        self <= Self::High
    }

    /// Its place, the worst being 0.
    pub fn rank(self) -> i64 {
        match self {
            Self::Critical => 0,
            Self::High => 1,
            Self::Medium => 2,
            Self::Low => 3,
        }
    }
}

written_as!(Severity, as_str);

/// What has been made of an alert, by its documented number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    New,
    Resolved,
    /// Exactly this difference is of no interest, until a day.
    Ignored,
}

impl Status {
    /// In the order of their numbers.
    pub const ALL: [Self; 3] = [Self::New, Self::Resolved, Self::Ignored];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Resolved => "resolved",
            Self::Ignored => "ignored",
        }
    }

    /// Reads back what [`Self::as_str`] gave.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// The number.
    pub fn number(self) -> i64 {
        match self {
            Self::New => 0,
            Self::Resolved => 1,
            Self::Ignored => 2,
        }
    }

    /// Reads back what [`Self::number`] gave.
    pub fn of(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.number() == number)
    }
}

/// How an alert came to be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It ought to be like that from now on: there is a baseline that says so.
    Accepted,
    /// Somebody put it back.
    Reverted,
    FalsePositive,
    /// Something was done about it.
    Remediated,
    /// It is as it ought to be again, and nobody said why. It stays to be seen: who changes a file and
    /// changes it back may have had reasons.
    AutoReverted,
}

impl Resolution {
    const ALL: [Self; 5] =
        [Self::Accepted, Self::Reverted, Self::FalsePositive, Self::Remediated, Self::AutoReverted];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted_into_baseline",
            Self::Reverted => "reverted",
            Self::FalsePositive => "false_positive",
            Self::Remediated => "remediated",
            Self::AutoReverted => "auto_reverted",
        }
    }

    /// Reads back what [`Self::as_str`] gave.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resolution| resolution.as_str() == word)
    }
}

written_as!(Resolution, as_str);

/// What seeing the difference of an alert once more does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It is counted.
    Counted,
    /// It is new once more: what was said of it has not made the difference go.
    Reopened,
    /// The same, and nobody is told: it has gone and come by itself, and was told of not long ago.
    ReopenedQuietly,
    /// It is open, and the last that people heard of it is that it was gone.
    ToldAgain,
}

/// Whoever changes a file and changes it back all day has it told of so often at most.
const TOLD_EVERY: Duration = Duration::from_hours(1);

/// How it stands with an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub status: Status,
    pub resolution: Option<Resolution>,
    pub ignored_until: Option<Time>,
    /// When something was last said of it, by somebody or by a look that did not find it any more.
    pub judged_at: Option<Time>,
    /// When people were last told of it.
    pub told_at: Time,
}

impl Standing {
    /// Whether it is time to tell of it once more, if there is anything to tell.
    pub fn is_told_long_ago(&self, now: Time) -> bool {
        now >= self.told_at.plus(TOLD_EVERY)
    }
}

/// Judges an alert whose difference is seen again.
pub fn seen_again(alert: &Standing, now: Time) -> Again {
    match alert.status {
        Status::New if !is_end_news(alert) && alert.is_told_long_ago(now) => Again::ToldAgain,
        Status::New => Again::Counted,
        Status::Ignored if alert.ignored_until.is_some_and(|until| until > now) => Again::Counted,
        // What somebody has judged is told of at once: that it is back is news to whoever did.
        Status::Resolved
            if alert.resolution == Some(Resolution::AutoReverted)
                && !alert.is_told_long_ago(now) =>
        {
            Again::ReopenedQuietly
        }
        Status::Ignored | Status::Resolved => Again::Reopened,
    }
}

/// Whether it is news that the difference of an alert is gone: nobody was told so since they were told of
/// the alert.
pub fn is_end_news(alert: &Standing) -> bool {
    alert.judged_at.is_none_or(|judged_at| judged_at < alert.told_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_resolved_and_is_still_there_is_new_again() {
        let now = Time(1_000);
        let check = |status, until: Option<i64>, expected| {
            let (resolution, ignored_until) = (Some(Resolution::Remediated), until.map(Time));
            let alert = Standing { status, resolution, ignored_until, ..AT_ONCE };
            assert_eq!(seen_again(&alert, now), expected, "{status:?} {until:?}");
        };
        check(Status::New, None, Again::Counted);
        check(Status::Resolved, None, Again::Reopened);
        check(Status::Resolved, Some(2_000), Again::Reopened);
        check(Status::Ignored, Some(1_001), Again::Counted);
        check(Status::Ignored, Some(1_000), Again::Reopened);
        check(Status::Ignored, None, Again::Reopened);
    }

    const AT_ONCE: Standing = Standing {
        status: Status::Resolved,
        resolution: Some(Resolution::AutoReverted),
        ignored_until: None,
        judged_at: None,
        told_at: Time(0),
    };

    #[test]
    fn what_goes_and_comes_by_itself_is_told_of_once_an_hour() {
        let hour = 3_600_000;
        let check = |alert: Standing, now: i64, expected| {
            assert_eq!(seen_again(&alert, Time(now)), expected, "{alert:?} {now}");
        };
        check(AT_ONCE, 1, Again::ReopenedQuietly);
        check(AT_ONCE, hour - 1, Again::ReopenedQuietly);
        check(AT_ONCE, hour, Again::Reopened);
        for resolution in [Resolution::Reverted, Resolution::FalsePositive, Resolution::Accepted] {
            let judged = Standing { resolution: Some(resolution), ..AT_ONCE };
            check(judged, 1, Again::Reopened);
        }
        check(Standing { resolution: None, ..AT_ONCE }, 1, Again::Reopened);
        check(Standing { status: Status::New, ..AT_ONCE }, hour, Again::Counted);
        // It came back quietly, and stays.
        let back = Standing { status: Status::New, judged_at: Some(Time(5)), ..AT_ONCE };
        check(back, hour - 1, Again::Counted);
        check(back, hour, Again::ToldAgain);
        check(Standing { told_at: Time(6), ..back }, 2 * hour, Again::Counted);

        let told_at = Time(10);
        for (judged_at, is_news) in [(None, true), (Some(9), true), (Some(10), false)] {
            let alert = Standing { judged_at: judged_at.map(Time), told_at, ..AT_ONCE };
            assert_eq!(is_end_news(&alert), is_news, "{judged_at:?}");
        }
    }

    #[test]
    fn every_word_and_number_is_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        for severity in Severity::ALL {
            assert_eq!(Severity::parse(severity.as_str()), Some(severity));
        }
        for resolution in Resolution::ALL {
            assert_eq!(Resolution::parse(resolution.as_str()), Some(resolution));
        }
        for (number, status) in (0..3).zip(Status::ALL) {
            assert_eq!(Status::of(number).map(Status::number), Some(number));
            assert_eq!(Status::parse(status.as_str()), Status::of(number));
        }
        assert_eq!((Kind::parse("moved"), Status::of(3)), (None, None));
    }

    #[test]
    fn the_worst_comes_first() {
        assert!(Severity::ALL.is_sorted_by_key(|severity| severity.rank()));
    }
}
