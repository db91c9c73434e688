//! A figure, what is owed, and whether that is met.

/// One line of the second table.
pub(crate) struct Figure {
    name: String,
    measured: String,
    owed: String,
    met: Option<bool>,
}

impl Figure {
    /// A ratio that should be as large as this.
    pub(crate) fn at_least(name: &str, value: f64, least: f64) -> Self {
        Self::judged(name, short(value), format!("≥ {least}"), value >= least)
    }

    /// A ratio that should stay below this.
    pub(crate) fn at_most(name: &str, value: f64, most: f64) -> Self {
        Self::judged(name, short(value), format!("< {most}"), value < most)
    }

    /// An amount that should stay below this.
    pub(crate) fn below(name: &str, value: f64, most: f64, unit: &str) -> Self {
        Self::judged(
            name,
            format!("{} {unit}", short(value)),
            format!("< {most} {unit}"),
            value < most,
        )
    }

    /// An amount of memory about which nothing was promised.
    pub(crate) fn told(name: &str, megabytes: f64) -> Self {
        Self::amount(name, megabytes, "MB")
    }

    /// An amount of anything about which nothing was promised.
    pub(crate) fn amount(name: &str, value: f64, unit: &str) -> Self {
        let text = format!("{} {unit}", short(value));
        Self::judged(name, text.trim_end().to_owned(), String::new(), true).without_a_bound()
    }

    /// The same, and nothing is owed.
    pub(crate) fn without_a_bound(self) -> Self {
        Self { owed: "–".to_owned(), met: None, ..self }
    }

    /// As a row of the table.
    pub(crate) fn line(&self) -> String {
        let Self { name, measured, owed, met } = self;
        let verdict = match met {
            Some(true) => "met",
            Some(false) => "**not met**",
            None => "",
        };
        format!("| {name} | {measured} | {owed} | {verdict} |")
    }

    fn judged(name: &str, measured: String, owed: String, met: bool) -> Self {
        Self { name: name.to_owned(), measured, owed, met: Some(met) }
    }
}

/// Three digits, as far as they are worth something.
fn short(value: f64) -> String {
    match value.abs() {
        10.0..100.0 => format!("{value:.1}"),
        100.0.. => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_whether_it_is_met() {
        let check = |figure: Figure, line| assert_eq!(figure.line(), line);
        check(Figure::at_least("a", 0.596, 0.6), "| a | 0.60 | ≥ 0.6 | **not met** |");
        check(Figure::at_least("a", 41.2, 40.0), "| a | 41.2 | ≥ 40 | met |");
        check(Figure::at_most("a", 3.0, 3.0), "| a | 3.00 | < 3 | **not met** |");
        check(Figure::below("a", 0.29, 0.3, "ms"), "| a | 0.29 ms | < 0.3 ms | met |");
        check(Figure::told("a", 12.34), "| a | 12.3 MB | – |  |");
        check(Figure::at_least("a", f64::NAN, 0.6), "| a | NaN | ≥ 0.6 | **not met** |");
    }
}
