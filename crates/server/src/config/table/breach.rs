//! The keys of `[breach]`. Data only.

use super::Default::{Follows, Is};
use super::{DURATION_OR_OFF, Key, list, text};

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
    text(
        "index_key",
        Follows {
            words: "none",
            example: "\"ci+23226823+AVKiKua1hag8/kX9tEul0/82HLLd6d5ICQKqss3ReSba\"",
        },
        "a public key as `integrity manifest key` prints it",
        "Who must have signed the index: one that is not signed by this key is not asked, and one that \
         is, only when all of it was read. Without a key any index is asked.",
    ),
    text(
        "at_sign_in",
        Is("require"),
        "off, tell or require",
        "What is done about a password that turns out to be breached when somebody signs in with it, which \
         is found out after the answer. With tell it is written down and its owner gets a letter; with \
         require it is not taken any more, either, when `grace` is over.",
    ),
    text(
        "grace",
        Is("7d"),
        DURATION_OR_OFF,
        "How long such a password is still taken, from when that was found out. With off, not once more.",
    ),
];
