//! The table of keys: every setting that exists, with its default, what it accepts and what it is for.
//! Data only.

mod breach;
mod integrity;
mod sign_in;
mod webhook;

use super::keys::{Default, Key, Kind, Section};
use Default::{Follows, Is, Required};
use breach::BREACH;
use integrity::INTEGRITY;
use sign_in::SIGN_IN;

pub(super) use integrity::{INTEGRITY_ROOT, INTEGRITY_RULE};
pub(super) use webhook::WEBHOOK;

const DURATION: &str = "a duration such as 30s, 15m, 2h or 30d";
const DURATION_OR_OFF: &str = "a duration such as 30s, 15m, 2h or 30d, or off";
const LIMIT: &str = "a count and a duration such as 5/60s, or off";
const SIZE: &str = "a size from 1KiB to 64MiB, such as 64KiB or 1MiB";
const ORIGINS: &str = "exact origins such as https://app.example.org, without a path";
const UPSTREAM: &str = "an http or https address such as http://127.0.0.1:3000, without a path";

pub(super) const SECTIONS: &[Section] = &[
    Section { name: "server", doc: "Where the gate listens and keeps its files.", keys: SERVER },
    Section { name: "database", doc: "Where users, sessions and events are kept.", keys: DATABASE },
    Section { name: "cookies", doc: "The names and attributes of our cookies.", keys: COOKIES },
    Section { name: "session", doc: "How long a sign-in lasts.", keys: SESSION },
    Section { name: "tokens", doc: "How long a token lasts.", keys: TOKENS },
    Section { name: "csrf", doc: "Who needs a CSRF token, and of which kind.", keys: CSRF },
    Section {
        name: "password",
        doc: "What a password must be, and how it is hashed.",
        keys: PASSWORD,
    },
    Section { name: "sign_in", doc: "Which other sites take part in a sign-in.", keys: SIGN_IN },
    Section { name: "limits", doc: "How often and how much.", keys: LIMITS },
    Section { name: "mail", doc: "How mail leaves.", keys: MAIL },
    Section { name: "breach", doc: "Which passwords others know already.", keys: BREACH },
    Section { name: "geo", doc: "Where people sign in from.", keys: GEO },
    Section { name: "audit", doc: "The log of what happened.", keys: AUDIT },
    Section { name: "integrity", doc: "The watch over the application's files.", keys: INTEGRITY },
    Section { name: "gate", doc: "The application behind the gate.", keys: GATE },
    Section { name: "backup", doc: "Backups that the server makes by itself.", keys: BACKUP },
    Section { name: "metrics", doc: "Figures for Prometheus.", keys: METRICS },
    Section { name: "log", doc: "What the log holds, and in which form.", keys: LOG },
];

/// The arrays of tables, in the file only.
pub(super) const TABLES: [&Section; 4] = [&WEBHOOK, &INTEGRITY_ROOT, &INTEGRITY_RULE, &RULE];

/// An array of tables, in the file only.
pub(super) const RULE: Section = Section {
    name: "gate.rule",
    doc: "Who may pass to the application: one table a rule, in the file only. A named host beats \
          any host, then the longer path wins, then named methods beat all methods.",
    keys: RULES,
};

const SERVER: &[Key] = &[
    text(
        "listen",
        Is("127.0.0.1:8080"),
        "an address and port such as 127.0.0.1:8080",
        "The address that the gate listens on; with port 0 the system chooses one.",
    ),
    text(
        "public_url",
        Follows { words: "follows `listen`", example: "\"https://app.example.org\"" },
        "an http or https address such as https://app.example.org, without a path",
        "The address that people type. Cookies are marked `Secure` if it is https.",
    ),
    text(
        "data_dir",
        Is("./portcullis-data"),
        "a directory",
        "The directory of everything that the gate writes; relative to where it is started.",
    ),
    text(
        "secret_file",
        Follows { words: "`data_dir`/secret", example: "\"/etc/portcullis/secret\"" },
        "a file",
        "The file of the one secret that every key comes from, the same on every node; made at \
         the first start.",
    ),
    list(
        "trusted_proxies",
        Is(""),
        "addresses and networks such as 10.0.0.5 or 10.0.0.0/8, but not every address (/0)",
        "The proxies in front of the gate, whose `X-Forwarded-For` is believed.",
    ),
    text(
        "tls_cert",
        Follows { words: "none: plain HTTP", example: "\"/etc/portcullis/cert.pem\"" },
        "a PEM file of the certificate and the chain behind it, together with tls_key",
        "The certificate, where the gate speaks TLS by itself; read again when the file changes.",
    ),
    text(
        "tls_key",
        Follows { words: "none: plain HTTP", example: "\"/etc/portcullis/key.pem\"" },
        "a PEM file of the private key, together with tls_cert",
        "The private key of the certificate.",
    ),
];

const DATABASE: &[Key] = &[Key {
    secret: true,
    ..text(
        "url",
        Is("sqlite:portcullis.db"),
        "sqlite:FILE, or postgres://USER:PASSWORD@HOST/NAME",
        "The database; a relative SQLite file is inside `data_dir`.",
    )
}];

const COOKIES: &[Key] = &[
    text(
        "profile",
        Is("compat"),
        "compat or hardened",
        "`compat` has the documented names `sessionid` and `csrftoken`; `hardened` adds the \
         `__Host-` prefix and needs https.",
    ),
    text(
        "domain",
        Follows { words: "none: this host only", example: "\"example.org\"" },
        "a host name such as example.org that public_url's host ends in; with profile = \"compat\" only",
        "The domain that our cookies are shared with.",
    ),
];

const SESSION: &[Key] = &[
    text("absolute", Is("2h"), DURATION, "A session ends so long after the sign-in, used or not."),
    text("idle", Is("30m"), DURATION, "A session ends when it was not used for so long."),
    text(
        "remember",
        Is("30d"),
        "a duration of at most 400d, or off",
        "A browser that asks for it stays signed in for so long; with off none does.",
    ),
    text(
        "username_login",
        Is("14d"),
        "a duration of at most 90d, or off",
        "The life of the cookie of a sign-in by username; with off it is that of every other sign-in.",
    ),
    text(
        "revocation_bound",
        Is("2s"),
        "a duration of at most 60s; 0s reads the database on every request",
        "The longest time that a revoked credential can still pass, on any node.",
    ),
];

const TOKENS: &[Key] = &[
    text("api", Is("90d"), DURATION, "The life of an API token."),
    text("mobile", Is("365d"), DURATION, "The life of a mobile token."),
    text(
        "mobile_idle",
        Is("off"),
        DURATION_OR_OFF,
        "A mobile token ends when it was not used for so long.",
    ),
    text("access", Is("24h"), DURATION, "The life of an access token (JWT)."),
    switch(
        "one_api_token",
        Is("false"),
        "With true, a sign-in by e-mail revokes the account's earlier API token.",
    ),
    text(
        "signing",
        Is("EdDSA"),
        "EdDSA, ES256 or RS256",
        "What new keys sign access tokens and assertions with. Another value makes a new key.",
    ),
    text(
        "rotate_every",
        Is("90d"),
        "a duration of at least 1h, or off",
        "How long a key signs before a new one takes its place.",
    ),
];

const CSRF: &[Key] = &[
    text(
        "fetched_token",
        Is("one_time"),
        "one_time, first_reusable or session",
        "What a token fetched on demand is: spent by its first use, reusable if it is the first of \
         the session, or always good for the session.",
    ),
    text(
        "bearer",
        Is("require"),
        "require or exempt",
        "Whether an opaque bearer token needs a CSRF token on unsafe methods.",
    ),
    text(
        "jwt",
        Is("browser"),
        "browser or exempt",
        "Whether an access token (JWT) sent by a browser needs a CSRF token on unsafe methods.",
    ),
    text(
        "anonymous_with_session",
        Is("compat"),
        "compat or strict",
        "Whether a token fetched before the sign-in is still good after it.",
    ),
];

const PASSWORD: &[Key] = &[
    number(
        "min_length",
        Is("15"),
        "a whole number from 8 to 64",
        "The shortest password, in characters.",
    ),
    number(
        "min_length_with_second_factor",
        Is("8"),
        "a whole number from 8 to 64, min_length at most",
        "The same for people with a second factor.",
    ),
    number(
        "argon2_memory_kib",
        Is("19456"),
        "a whole number from 12288 to 1048576; with 1 iteration at least 47104, with 2 at least 19456",
        "The memory of one hash, in KiB.",
    ),
    number(
        "argon2_iterations",
        Is("2"),
        "a whole number from 1 to 64",
        "The passes over that memory.",
    ),
    number("argon2_parallelism", Is("1"), "a whole number from 1 to 16", "The lanes of one hash."),
];

const LIMITS: &[Key] = &[
    text(
        "login",
        Is("5/60s"),
        LIMIT,
        "Attempts to sign in, and tries of codes and links, by address and identifier; six times \
         that by address alone.",
    ),
    text(
        "sensitive",
        Is("3/300s"),
        LIMIT,
        "Requests that send mail, such as for a forgotten password, by address.",
    ),
    text(
        "lockout",
        Is("10/15m"),
        LIMIT,
        "Wrong passwords in a row that lock an account for one network, and for how long.",
    ),
    text("requests", Is("600/60s"), LIMIT, "Requests to our own endpoints by address."),
    text("upstream", Is("off"), LIMIT, "Requests to the application by address."),
    text("body", Is("1MiB"), SIZE, "The largest body that our own endpoints read."),
];

const MAIL: &[Key] = &[
    Key {
        secret: true,
        ..text(
            "transport",
            Follows {
                words: "file:outbox while public_url is this machine; otherwise it must be written",
                example: "\"smtp://gate:password@mail.example.org:587\"",
            },
            "file:DIRECTORY, smtp://USER:PASSWORD@HOST:587 or smtps://USER:PASSWORD@HOST",
            "`file:` keeps each message as a file; a relative directory is inside `data_dir`. \
             `smtp:` speaks TLS after STARTTLS or not at all, `smtps:` from the first byte.",
        )
    },
    text(
        "tls_ca",
        Follows { words: "Mozilla's roots", example: "\"/etc/portcullis/mail-ca.pem\"" },
        "a PEM file of certificates",
        "The only certificates that may vouch for the mail server's, such as a private CA's.",
    ),
    text(
        "from",
        Is("portcullis@localhost"),
        "an e-mail address such as portcullis@example.org",
        "The sender of our mail.",
    ),
];

const GEO: &[Key] = &[text(
    "database",
    Follows { words: "none", example: "\"/var/lib/GeoIP/GeoLite2-City.mmdb\"" },
    "a file in MaxMind's format (.mmdb)",
    "The file that says in which city an address is; read again when it changes.",
)];

const AUDIT: &[Key] = &[
    text(
        "origin",
        Follows { words: "made at the first start", example: "\"app.example.org/audit\"" },
        "up to 128 visible ASCII characters without a space or a plus",
        "What the log is called in its checkpoints and its key; fixed once the log has begun.",
    ),
    text(
        "anchor",
        Follows { words: "`data_dir`/audit/checkpoint", example: "\"/mnt/elsewhere/checkpoint\"" },
        "a file",
        "The file of the last checkpoint that was signed, best on another disk than the database: \
         behind it the log cannot be taken back unseen.",
    ),
    text(
        "keep_personal",
        Is("365d"),
        DURATION_OR_OFF,
        "How long addresses, programs, reasons and paths stay in the log; off keeps them. What happened \
         stays and can be verified.",
    ),
    text(
        "verify_every",
        Is("24h"),
        DURATION_OR_OFF,
        "How often the server verifies the whole log by itself. One node does it.",
    ),
];

const GATE: &[Key] = &[
    text(
        "upstream",
        Follows { words: "none", example: "\"http://127.0.0.1:3000\"" },
        UPSTREAM,
        "The application, for the rules that name none of their own.",
    ),
    text(
        "default",
        Is("deny"),
        "deny or signed_in",
        "Who may pass where no rule matches: nobody, or everyone who is signed in.",
    ),
    text(
        "csrf_body",
        Is("1MiB"),
        SIZE,
        "The largest body that is searched for a CSRF token on its way to the application.",
    ),
    list(
        "families",
        Is("p,s,z"),
        "any of p, s and z",
        "The families of our own paths that are served; leave one out to keep its paths for the \
         application.",
    ),
];

const BACKUP: &[Key] = &[
    text(
        "directory",
        Follows { words: "none: the server makes none", example: "\"/var/backups/portcullis\"" },
        "a directory",
        "The directory of the backups, made if what is above it is there; a relative one is inside \
         `data_dir`. The secret is not in them.",
    ),
    text(
        "every",
        Is("24h"),
        "a duration of at least 5m, such as 6h or 24h",
        "How often one is made, by one server of a database.",
    ),
    number(
        "keep",
        Is("14"),
        "a number from 1 to 10000",
        "How many are kept of those that the server made; older ones are removed.",
    ),
];

const METRICS: &[Key] = &[text(
    "listen",
    Follows { words: "none", example: "\"127.0.0.1:9464\"" },
    "an address and port such as 127.0.0.1:9464",
    "The address of `GET /metrics`, apart from everything else and open to whoever reaches it.",
)];

const LOG: &[Key] = &[
    text(
        "requests",
        Is("refused"),
        "off, refused or all",
        "Which requests have a line in the log: none, those answered with 400 or above, or all.",
    ),
    text("format", Is("text"), "text or json", "The form of the log of `serve`."),
];

const RULES: &[Key] = &[
    text(
        "id",
        Required { example: "\"reports\"" },
        "a name, once",
        "The name of the rule in events.",
    ),
    text(
        "host",
        Follows { words: "any host", example: "\"app.example.org\"" },
        "a host name such as app.example.org, without a port",
        "The host that the rule is for.",
    ),
    text(
        "path",
        Required { example: "\"/reports\"" },
        "a path such as /reports, as the gate reads it: absolute and without dot segments",
        "The path that the rule is for, and everything below it, by whole segments.",
    ),
    list(
        "methods",
        Follows { words: "all methods", example: "[\"GET\", \"POST\"]" },
        "methods such as GET and POST, at least one",
        "The methods that the rule is for; GET includes HEAD.",
    ),
    text(
        "upstream",
        Follows { words: "`gate.upstream`", example: "\"http://127.0.0.1:3001\"" },
        UPSTREAM,
        "The application that the rule leads to.",
    ),
    text(
        "csrf",
        Follows { words: "token; off where allow = \"anyone\"", example: "\"token\"" },
        "token, origin or off",
        "What guards unsafe methods: a CSRF token, the origin of the request alone, or nothing.",
    ),
    Key {
        kind: Kind::WordOrPair,
        ..text(
            "allow",
            Required { example: "{ permission = \"reports.view\" }" },
            "\"anyone\", \"signed_in\", { permission = \"reports.view\" } or { account_type = \"staff\" }",
            "Who may pass.",
        )
    },
];

const fn text(
    name: &'static str,
    default: Default,
    accepted: &'static str,
    doc: &'static str,
) -> Key {
    Key { name, kind: Kind::Text, default, accepted, doc, secret: false }
}

const fn number(
    name: &'static str,
    default: Default,
    accepted: &'static str,
    doc: &'static str,
) -> Key {
    Key { kind: Kind::Number, ..text(name, default, accepted, doc) }
}

const fn list(
    name: &'static str,
    default: Default,
    accepted: &'static str,
    doc: &'static str,
) -> Key {
    Key { kind: Kind::List, ..text(name, default, accepted, doc) }
}

const fn switch(name: &'static str, default: Default, doc: &'static str) -> Key {
    Key { kind: Kind::Switch, ..text(name, default, "true or false", doc) }
}
