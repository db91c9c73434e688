//! The keys of `[breach]`. Data only.

use super::Default::{Follows, Is};
use super::{Key, list, text};

pub(super) const BREACH: &[Key] = &[
    list(
        "sources",
        Is("list,offline,online"),
        "list, offline and online, each once and at least one",
        "Who is asked, in this order: the built-in list of common passwords; `offline_index`, if there \
         is one; the range service, which is told the first five of forty digits of a hash. Without \
         `online` nothing of a password leaves the machine.",
    ),
    text(
        "range_url",
        Is("https://api.pwnedpasswords.com/range/"),
        "an http or https address that ends with a slash",
        "The range service; five digits are put behind it.",
    ),
    text(
        "offline_index",
        Follows { words: "none", example: "\"/var/lib/portcullis/breached.index\"" },
        "a file that `breach build` made",
        "The index of all breached passwords; read again when another one takes its place.",
    ),
];
