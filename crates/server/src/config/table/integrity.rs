//! The keys of `[integrity]` and its tables. Data only.

use super::Default::{Follows, Is, Required};
use super::{DURATION_OR_OFF, Key, Section, list, switch, text};

const BYTES: &str = "a size such as 64KiB, 1MiB or 1GiB";

pub(super) const INTEGRITY: &[Key] = &[
    text(
        "schedule",
        Is("1h"),
        DURATION_OR_OFF,
        "How often every root is checked, beside the checks at each start and those that are asked for.",
    ),
    switch(
        "watch",
        Is("true"),
        "Whether changes are looked at as soon as the system tells of them. What it does not tell of, \
         such as writes through mapped memory, the next check finds.",
    ),
    text(
        "max_hash_bytes",
        Is("1GiB"),
        BYTES,
        "Files that are larger are not read; each is told of as what could not be checked.",
    ),
    text(
        "read_per_second",
        Is("off"),
        "a size such as 64KiB, 1MiB or 1GiB, or off",
        "How many bytes a check reads in a second at the most.",
    ),
    text(
        "files_per_second",
        Is("off"),
        "a number, or off",
        "At how many files a check looks in a second at the most.",
    ),
    text(
        "diff_max_bytes",
        Is("1MiB"),
        "a size from 1KiB to 64MiB, such as 64KiB or 1MiB",
        "The largest text file whose differences are shown.",
    ),
    text(
        "copies",
        Is("256MiB"),
        "a size such as 64KiB, 1MiB or 1GiB, or off",
        "How much room the copies of good text files may take, sealed, in `data_dir`: differences are \
         shown against them. The same room again is for differences that were kept with alerts.",
    ),
    list(
        "deploy_keys",
        Is(""),
        "public keys as `integrity manifest key` prints them",
        "Whose signed manifests may become baselines. Their private halves belong where releases are \
         built, not here.",
    ),
    text(
        "mail",
        Is("high"),
        "critical, high, medium, low or off",
        "From which severity on those who may manage alerts are told by mail, once for all that is \
         found together.",
    ),
];

/// An array of tables, in the file only.
pub(in crate::config) const INTEGRITY_ROOT: Section = Section {
    name: "integrity.root",
    doc: "The folders whose files are watched: one table a folder, in the file only.",
    keys: ROOTS,
};

const ROOTS: &[Key] = &[
    text(
        "name",
        Required { example: "\"app\"" },
        "up to 40 of a-z, 0-9, - and _, once",
        "The name of the root. Its baseline belongs to the name.",
    ),
    text(
        "path",
        Required { example: "\"/srv/app\"" },
        "an absolute path",
        "The folder. It may be a symbolic link; none below it is followed.",
    ),
    list(
        "exclude",
        Follows { words: "nothing", example: "[\"var/cache/**\", \"*.pid\"]" },
        "patterns of paths below the folder, in which * and ? stay within a name and ** does not",
        "What is passed over. A folder is passed over with all that is in it by a pattern that ends with \
         `/`, and all that is in it by one that ends with `/**`; a folder called `x.pid` is looked into, \
         whatever `*.pid` passes over. Taking something out of sight is itself told of.",
    ),
];

/// An array of tables, in the file only.
pub(in crate::config) const INTEGRITY_RULE: Section = Section {
    name: "integrity.rule",
    doc: "How bad a difference is, before the rules that are built in: one table a rule, in the file \
          only. The first that fits decides.",
    keys: SEVERITIES,
};

const SEVERITIES: &[Key] = &[
    text(
        "name",
        Required { example: "\"languages\"" },
        "up to 64 of a-z, 0-9 and _, once",
        "The name, which every alert of this rule shows.",
    ),
    text(
        "severity",
        Follows { words: "none, with `uploads`", example: "\"ignore\"" },
        "critical, high, medium, low or ignore",
        "How bad it is. `ignore`, which needs `paths`: nobody is told.",
    ),
    list(
        "paths",
        Follows { words: "all", example: "[\"lang/**\"]" },
        "patterns of paths below the folder",
        "Of which paths.",
    ),
    list(
        "changes",
        Follows { words: "all", example: "[\"added\", \"modified\"]" },
        "any of added, deleted, modified, attributes, unverifiable and linked",
        "Of which differences.",
    ),
    list(
        "uploads",
        Follows { words: "none", example: "[]" },
        "patterns of paths such as public/uploads/**, and no other key but `name`",
        "Where files of strangers come in: nobody is told of those that cannot be run, and one that can \
         is critical.",
    ),
];
