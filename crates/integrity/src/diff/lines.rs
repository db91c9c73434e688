//! Which lines of two contents are alike. Not here: how that is shown.

use std::collections::HashMap;
use std::time::Instant;

use similar::algorithms::{Capture, Replace, diff_slices_deadline};
use similar::{Algorithm, DiffOp};

/// How one becomes the other, line by line.
pub(super) struct Lines {
    pub(super) steps: Vec<DiffOp>,
    pub(super) added: u64,
    pub(super) removed: u64,
}

impl Lines {
    /// Compares. What is not found to be alike before the deadline counts as replaced.
    pub(super) fn compare(old: &[u8], new: &[u8], deadline: Instant) -> Self {
        // A number for each line: long lines are compared once.
        let mut numbers = HashMap::new();
        let mut number = |line| {
            let next = numbers.len();
            *numbers.entry(line).or_insert(next)
        };
        let old: Vec<usize> = split(old).map(&mut number).collect();
        let new: Vec<usize> = split(new).map(&mut number).collect();
        let mut hook = Replace::new(Capture::new());
        // Without the library's pass that makes steps fewer: it is slow where there are many.
        let Ok(()) = diff_slices_deadline(Algorithm::Myers, &mut hook, &old, &new, Some(deadline));
        let steps = hook.into_inner().into_ops();
        let changed = || steps.iter().filter(|step| !matches!(step, DiffOp::Equal { .. }));
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let added = changed().map(|step| count(step.new_range().len())).sum();
        let removed = changed().map(|step| count(step.old_range().len())).sum();
        Self { steps, added, removed }
    }
}

/// The lines, each with its end.
pub(super) fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

/// A line without its end, as either system writes it.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
