//! The keys of `[[audit.webhook]]`. Data only.

use super::Default::{Follows, Required};
use super::{Key, Section, list, text};

/// An array of tables, in the file only.
pub(in crate::config) const WEBHOOK: Section = Section {
    name: "audit.webhook",
    doc: "Other systems that are sent what happens, in order and signed: one table a receiver, in the \
          file only.",
    keys: WEBHOOKS,
};

const WEBHOOKS: &[Key] = &[
    text(
        "name",
        Required { example: "\"siem\"" },
        "up to 40 of a-z, 0-9, - and _, once",
        "The name of the receiver. How far it is belongs to the name, so a new address goes on there.",
    ),
    Key {
        secret: true,
        ..text(
            "url",
            Required { example: "\"https://siem.example.org/hooks/portcullis\"" },
            "an http or https address without a name, a password or a fragment",
            "Where it is sent by POST. Redirects are not followed.",
        )
    },
    Key {
        secret: true,
        ..text(
            "secret",
            Required { example: "\"whsec_bm90IHRoaXMgb25lOiBtYWtlIG9uZSBvZiB5b3VyIG93bg==\"" },
            "whsec_ and 24 to 64 random bytes in Base64",
            "What messages are signed with, as Standard Webhooks says.",
        )
    },
    text(
        "format",
        Follows { words: "native", example: "\"ocsf\"" },
        "native or ocsf",
        "How an event is written: in our own form, or in that of the Open Cybersecurity Schema \
         Framework.",
    ),
    text(
        "severity",
        Follows { words: "info", example: "\"warning\"" },
        "info, warning or critical",
        "Only what matters at least so much is sent.",
    ),
    list(
        "events",
        Follows { words: "all", example: "[\"authn_*\", \"user_blacklisted\"]" },
        "names of events, which may end in *",
        "Only these are sent.",
    ),
    text(
        "tls_ca",
        Follows { words: "Mozilla's roots", example: "\"/etc/portcullis/siem-ca.pem\"" },
        "a PEM file of certificates",
        "The only certificates that may vouch for the receiver's.",
    ),
];
