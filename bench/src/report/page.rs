//! The words of the page above its tables.

use anyhow::Result;

use crate::process::machine;

pub(super) const HASH: &str = "bare argon2id (19456 KiB, 2 passes, 1 lane)";

pub(super) fn preface() -> Result<String> {
    Ok(format!(
        "# Benchmarks\n\n\
         Written by `make bench`; run it to get the figures of your machine.\n\n\
         Machine: {}. Portcullis {}, release profile, SQLite with `synchronous = FULL`, limits \
         off, no lines of the log about requests.\n\n{HOW}\n",
        machine()?,
        env!("CARGO_PKG_VERSION"),
    ))
}

const HOW: &str = "\
Every server runs pinned to one core, the load generator and the application behind the gate on \
another. The cases take turns in one run; a row is the round in the middle. What counts is answers \
per second of the server's own CPU time (user and system, of all its processes), because that holds \
on a shared machine; the ratios hold from one machine to the next. The bare handler is axum on one \
thread; its second form repeats one recorded answer of `GET /api/auth/me`, which is what the cookie \
and token checks ask. Forward-auth asks what Caddy asks, headers and all. Before a case is \
measured, the same request with a credential that is nobody's is sent once, and the run stops if \
that is let through.

**At a fixed rate** (the rows that say so many a second) requests are due at fixed moments, whether \
or not earlier ones have been answered. A latency counts from the sending, or from the moment the \
request was due if its connection was still waiting for an answer. What the gate adds is the \
difference between the application asked directly and through the gate, in turns.

**Access tokens** are signed by the key of the server, which the load generator opened for itself, so \
that each can be another one: they are of one session that is signed in, and differ in a word. The one \
that is sent again and again is answered from memory; the bare handler is asked with the same request. \
One that never came before is verified in full; the bare handler beside it takes the signature from the \
request and checks it with the same library, and nothing else. A million bad ones, no two alike, are \
sent to a server that was just started: signed by nobody, naming a key that nobody has, changed after \
they were signed, and good but over.

**An API key** asks forward-auth what Caddy asks, and each request is counted against the limit of the key \
and as a use of it, which is written down once a second; the bare handler is asked with the same headers. \
A million that nobody has, no two alike, are sent to a server that was just started.

**A million sessions**: the database holds 100,000 users with ten sessions each. Forward-auth \
is asked about every session once; then each request brings the cookie of one of them at random, in \
turns with the bare handler. That sessions were used is written down meanwhile, and these writes are \
in the figure.

**The list of a million sessions**: 990,000 of them belong to users with ten each, 10,000 to one user. \
The list is asked for by one request after the other, as JSON, with the count of all that match. \
From the request that terminates a session to the refusal of the next request with its cookie, \
on another connection, is one time; so is blacklisting the user with 10,000 sessions.

**The audit log**: ten million events of 9,000 users in sixty days, with their personal data, half of \
them in the thirty days of the report. Events are written by refusals for a missing CSRF token at a fixed \
rate, while the load generator looks at the database a hundred times a second for the oldest event \
without a place. `audit verify` reads the whole log on both cores, with nothing else running, and holds \
every entry, column, sealed part, tile, checkpoint and count against the others.\n\n\
**Files**: some 60,000 files of this machine, about 1.5 GB, half of them from `/usr/share` and half from \
`/usr/lib` (none above 64 MiB), and in it one folder of 17,600 small ones; everything is in the page cache. \
Every program has both cores, and two threads that read. The bare loop has the names of the files in a list, \
reads each and hashes it with the same library, and nothing else: it finds no files, and looks at neither \
owners, rights, attributes nor links. A full check does all of that, reads every file and holds it against a \
baseline. One that reads nothing finds every file as it was when it was read, and keeps that for the next. AIDE \
is Debian's package, with SHA-256 and two workers (`aide --check`, one round). A million small files are of some \
twenty bytes each, in a thousand folders.\n\n\
**Breached passwords**: twenty million made-up hashes, as even as real ones. An index is built from the text \
file, which is in the page cache, on one core. A million hashes are looked up one by one on one core, every \
other of which is there, after a million others; the time of each contains what it takes to look at the clock. \
Memory is what the process grew by from before the index was opened. SQLite is asked in the same way in its own \
process, by a statement that is prepared once: a table of hashes and counts with an index of the hashes, and its usual cache.\n\n\
**While people sign in**: hashing a password keeps a core busy for about 20 ms. On two cores the \
server has both, sign-ins follow one another without a pause, so that one core is always hashing, \
and the load generator takes its small share of either. On one core four people sign in at once and \
the server has nothing else.

**Peers** answer whose session a cookie belongs to, from SQLite, on the same core and under the \
same load: Better Auth 1.7 by `GET /api/auth/get-session` on Node.js, and Django 5.2 by a view that \
returns the user's address, with the middleware that `startproject` sets up, under one gunicorn \
worker of four threads. Django opens its database anew for every request unless it is told to keep it \
(`CONN_MAX_AGE`); the second form is told to.";
