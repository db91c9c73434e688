//! Several rows by one statement. There is one text for each of a few numbers of rows, so that all of
//! them stay prepared.

use std::sync::OnceLock;

use super::value::Value;
use super::{Result, Tx};

/// The numbers of rows that have a statement of their own, largest first.
const ROWS: [usize; 4] = [64, 16, 4, 1];

/// An insert of rows with so many columns: a `static` beside the function that uses it.
pub(crate) struct Many<const COLUMNS: usize> {
    /// Up to the word `VALUES`, which follows.
    head: &'static str,
    texts: OnceLock<[String; ROWS.len()]>,
}

impl<const COLUMNS: usize> Many<COLUMNS> {
    /// `INSERT INTO table (columns)`.
    pub(crate) const fn new(head: &'static str) -> Self {
        Self { head, texts: OnceLock::new() }
    }

    /// Inserts the rows.
    pub(crate) async fn insert(
        &'static self,
        tx: &mut Tx,
        rows: &[[Value<'_>; COLUMNS]],
    ) -> Result<()> {
        let texts = self.texts.get_or_init(|| {
            ROWS.map(|rows| format!("{} VALUES {}", self.head, values(rows, COLUMNS)))
        });
        let mut left = rows;
        for (count, text) in ROWS.into_iter().zip(texts) {
            while let Some((batch, rest)) = left.split_at_checked(count) {
                tx.execute(text, batch.as_flattened()).await?;
                left = rest;
            }
        }
        Ok(())
    }
}

/// `($1, $2), ($3, $4)`: so many rows of so many columns.
pub(crate) fn values(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let numbers = (1..=columns).map(|column| format!("${}", row * columns + column));
        format!("({})", numbers.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_through() {
        assert_eq!(values(1, 3), "($1, $2, $3)");
        assert_eq!(values(2, 2), "($1, $2), ($3, $4)");
    }
}
