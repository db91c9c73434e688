//! The order in which tables can be filled: each after those that its rows point to.

use std::collections::BTreeSet;

use super::LEFT_OUT;
use crate::driver::Table;

/// The tables of a backup, parents first. Tables that point at each other in a circle stand last, by
/// name: where their rows do not go in, the database says so.
pub(super) fn in_order(mut tables: Vec<Table>) -> Vec<Table> {
    tables.retain(|table| !LEFT_OUT.contains(&table.name.as_str()));
    let mut ordered: Vec<Table> = Vec::new();
    while !tables.is_empty() {
        let waiting: BTreeSet<String> = tables.iter().map(|table| table.name.clone()).collect();
        let can_go = |table: &Table| {
            !table.parents.iter().any(|parent| *parent != table.name && waiting.contains(parent))
        };
        let (mut next, rest): (Vec<Table>, Vec<Table>) = tables.into_iter().partition(can_go);
        tables = rest;
        if next.is_empty() {
            next = std::mem::take(&mut tables);
        }
        ordered.extend(next);
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_nothing_is_lost() {
        let check = |tables: &[(&str, &[&str])], expected: &[&str]| {
            let table = |(name, parents): &(&str, &[&str])| Table {
                name: (*name).to_owned(),
                columns: Vec::new(),
                parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
            };
            let ordered = in_order(tables.iter().map(table).collect());
            let names: Vec<&str> = ordered.iter().map(|table| table.name.as_str()).collect();
            assert_eq!(names, expected);
        };
        check(&[], &[]);
        check(
            &[
                ("credentials", &["sessions"]),
                ("sessions", &["series", "users"]),
                ("series", &["users"]),
                ("users", &[]),
            ],
            &["users", "series", "sessions", "credentials"],
        );
        check(&[("tree", &["tree"]), ("a", &["gone"])], &["tree", "a"]);
        check(&[("a", &["b"]), ("b", &["a"]), ("c", &[])], &["c", "a", "b"]);
        check(&[("nodes", &[]), ("outbox", &[]), ("csrf_spent", &[]), ("a", &[])], &["a"]);
    }
}
