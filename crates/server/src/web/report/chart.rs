//! The sign-ins of each day as stacked bars: where everything lies, in whole units of the drawing.
//! How it looks is the template's. Whoever cannot see it reads the same in a table.

use portcullis_domain::report::Day;

/// The width of the drawing, in units; a unit is about a tenth of a point on the screen. The template
/// has the height, too.
pub(super) const WIDTH: i64 = 9200;
const LEFT: i64 = 620;
const TOP: i64 = 120;
const BOTTOM: i64 = 2240;
/// The widest bar.
const MOST_WIDE: i64 = 320;
/// Labels below the bars, at most.
const LABELS: usize = 8;

/// What is stacked, from below: the name for people.
pub(super) const SERIES: [&str; 5] =
    ["Signed in", "Wrong password", "Nobody has the name", "During a lock-out", "Other refusals"];

/// A chart.
pub(super) struct Chart {
    pub(super) bars: Vec<Bar>,
    pub(super) ticks: Vec<Tick>,
    /// The rows of the table.
    pub(super) rows: Vec<Row>,
}

/// One day.
pub(super) struct Bar {
    pub(super) pieces: Vec<Piece>,
    /// What is said of it when it is pointed at.
    pub(super) title: String,
    pub(super) x: i64,
    pub(super) width: i64,
    /// Its middle, for the label.
    pub(super) middle: i64,
    pub(super) label: Option<String>,
}

/// One part of a bar.
pub(super) struct Piece {
    /// The number of its series.
    pub(super) series: usize,
    pub(super) y: i64,
    pub(super) height: i64,
}

/// A line across, with its number.
pub(super) struct Tick {
    pub(super) y: i64,
    pub(super) text: String,
}

/// One day in numbers.
pub(super) struct Row {
    pub(super) day: String,
    pub(super) numbers: [i64; SERIES.len()],
    pub(super) failed: i64,
}

impl Chart {
    /// The chart of these days; `None` where nobody tried to sign in.
    pub(super) fn of(days: &[Day]) -> Option<Self> {
        let rows: Vec<Row> = days.iter().map(Row::of).collect();
        let highest = rows.iter().map(|row| row.numbers.iter().sum()).max().unwrap_or(0);
        if highest == 0 {
            return None;
        }
        let step = step(highest);
        let top = steps(highest, step) * step;
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let every = rows.len().div_ceil(LABELS).max(1);
        let bar = |(index, row): (usize, &Row)| {
            let place = i64::try_from(index).unwrap_or(0);
            let (begin, end) = (across(place, count), across(place + 1, count));
            let label = index.is_multiple_of(every).then(|| short(&row.day));
            row.bar(begin, end, top, label)
        };
        let tick = |number: i64| Tick {
            y: BOTTOM - number * step * (BOTTOM - TOP) / top,
            text: portcullis_domain::text::grouped(number * step),
        };
        Some(Self {
            bars: rows.iter().enumerate().map(bar).collect(),
            ticks: (0..=top / step).map(tick).collect(),
            rows,
        })
    }
}

impl Row {
    fn of(day: &Day) -> Self {
        let failed = |reason: &str| day.failures.get(reason).copied().unwrap_or(0);
        let named = ["wrong_password", "unknown_user", "locked_out"].map(failed);
        let [wrong, unknown, locked] = named;
        let other = day.failed - named.iter().sum::<i64>();
        Self {
            day: day.day.clone(),
            numbers: [day.successful, wrong, unknown, locked, other],
            failed: day.failed,
        }
    }

    fn bar(&self, begin: i64, end: i64, top: i64, label: Option<String>) -> Bar {
        let width = ((end - begin) * 7 / 10).clamp(1, MOST_WIDE);
        let middle = begin.midpoint(end);
        let height = |sum: i64| sum * (BOTTOM - TOP) / top;
        let mut below = 0;
        let mut pieces = Vec::new();
        for (series, number) in
            self.numbers.into_iter().enumerate().filter(|(_, number)| *number > 0)
        {
            let (from, to) = (height(below), height(below + number));
            pieces.push(Piece { series, y: BOTTOM - to, height: to - from });
            below += number;
        }
        let title = format!("{}: {} signed in, {} failed", self.day, self.numbers[0], self.failed);
        Bar { pieces, title, x: middle - width / 2, width, middle, label }
    }
}

/// Where the place of this number begins.
fn across(place: i64, count: i64) -> i64 {
    LEFT + (WIDTH - LEFT) * place / count.max(1)
}

/// A round number of which a few make the whole: 1, 2 or 5 with zeros.
fn step(highest: i64) -> i64 {
    let mut step = 1;
    for factor in [2, 5, 10].into_iter().cycle() {
        if steps(highest, step) <= 5 {
            break;
        }
        let power = step_power(step);
        step = power * factor;
    }
    step
}

/// How many steps reach that high.
fn steps(highest: i64, step: i64) -> i64 {
    (highest + step - 1) / step
}

/// The power of ten at or below a step.
fn step_power(step: i64) -> i64 {
    10_i64.pow(step.ilog10())
}

/// `2026-11-05` as `5 Nov`.
fn short(day: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = day.split('-').skip(1).map(str::parse::<usize>);
    match (parts.next(), parts.next()) {
        (Some(Ok(month)), Some(Ok(day))) => {
            format!("{day} {}", MONTHS.get(month.wrapping_sub(1)).unwrap_or(&""))
        }
        _ => day.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn day(day: &str, successful: i64, failures: &[(&str, i64)]) -> Day {
        let failures: BTreeMap<_, _> =
            failures.iter().map(|(reason, number)| ((*reason).to_owned(), *number)).collect();
        Day { day: day.to_owned(), successful, failed: failures.values().sum(), failures }
    }

    #[test]
    fn steps_are_round_and_few() {
        for (highest, expected) in [
            (1, 1),
            (5, 1),
            (6, 2),
            (10, 2),
            (11, 5),
            (25, 5),
            (26, 10),
            (50, 10),
            (51, 20),
            (1000, 200),
            (123_456, 50_000),
        ] {
            assert_eq!(step(highest), expected, "{highest}");
        }
    }

    #[test]
    fn bars_stand_on_each_other_and_end_where_their_sum_is() {
        let days = [
            day("2026-11-01", 6, &[("wrong_password", 2), ("blacklisted", 1)]),
            day("2026-11-02", 0, &[]),
            day("2026-11-03", 10, &[]),
        ];
        let chart = Chart::of(&days).unwrap();
        assert_eq!(chart.rows[0].numbers, [6, 2, 0, 0, 1]);
        let texts: Vec<_> = chart.ticks.iter().map(|tick| tick.text.as_str()).collect();
        assert_eq!(texts, ["0", "2", "4", "6", "8", "10"]);
        let first = &chart.bars[0];
        let series: Vec<_> = first.pieces.iter().map(|piece| piece.series).collect();
        assert_eq!(series, [0, 1, 4]);
        for pair in first.pieces.windows(2) {
            assert_eq!(pair[1].y + pair[1].height, pair[0].y, "no gap");
        }
        assert_eq!(first.pieces[0].y + first.pieces[0].height, BOTTOM);
        assert!(chart.bars[1].pieces.is_empty());
        assert_eq!(chart.bars[2].pieces[0].y, TOP, "the highest reaches the top");
        assert!(chart.bars.iter().all(|bar| bar.x >= LEFT && bar.x + bar.width <= WIDTH));
        let labels: Vec<_> = chart.bars.iter().filter_map(|bar| bar.label.as_deref()).collect();
        assert_eq!(labels, ["1 Nov", "2 Nov", "3 Nov"]);
    }

    #[test]
    fn a_year_has_few_labels_and_nothing_is_no_chart() {
        let days: Vec<_> = (0..366).map(|_| day("2026-11-01", 1, &[])).collect();
        let chart = Chart::of(&days).unwrap();
        let labels = chart.bars.iter().filter(|bar| bar.label.is_some()).count();
        assert_eq!((chart.bars.len(), labels), (366, 8));
        assert!(Chart::of(&days[..0]).is_none());
        assert!(Chart::of(&[day("2026-11-01", 0, &[])]).is_none());
    }
}
