//! Patterns of paths, in the one dialect that there is here. Not here: what they are for.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Whether `A` and `a` are one letter in a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Same,
    Differs,
}

/// Reads patterns: `*` and `?` stay within a name, `**` does not.
pub(crate) fn globs<'p>(
    patterns: impl IntoIterator<Item = &'p str>,
    case: Case,
) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let mut glob = GlobBuilder::new(pattern);
        set.add(glob.literal_separator(true).case_insensitive(case == Case::Same).build()?);
    }
    set.build()
}
