-- The audit log. Every event waits in audit_pending, where the transaction of its act wrote it, until
-- it gets its place in audit_log, which never changes. See docs/decisions/0028-one-log-with-a-tree.md.

CREATE TABLE audit_pending (
    -- A UUIDv7.
    id         TEXT NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    name       TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    severity   TEXT NOT NULL,
    actor      BIGINT,
    subject    BIGINT,
    session    TEXT,
    ip         TEXT,
    peer       TEXT,
    user_agent TEXT,
    request_id TEXT,
    -- JSON objects: words of our own, and what came from outside.
    detail     TEXT NOT NULL,
    texts      TEXT
);

INSERT INTO audit_pending (
    id, at, name, outcome, severity, actor, subject, session, ip, peer, user_agent, request_id,
    detail, texts)
SELECT id, at, name, outcome, severity, actor, subject, session, ip, peer, user_agent, request_id,
    '{}', detail
FROM events;

DROP TABLE events;

-- One row. Whoever changes it gives places meanwhile, and nobody else.
CREATE TABLE audit_tree (
    id        BIGINT NOT NULL PRIMARY KEY,
    origin    TEXT NOT NULL,
    size      BIGINT NOT NULL,
    -- When the newest entry got its place; never goes back.
    logged_at BIGINT NOT NULL,
    -- Entries below are gone. A multiple of 256.
    pruned    BIGINT NOT NULL
);

CREATE TABLE audit_log (
    idx     BIGINT NOT NULL PRIMARY KEY,
    id      TEXT NOT NULL,
    at      BIGINT NOT NULL,
    name    TEXT NOT NULL,
    -- Numbers of audit_people.
    actor   BIGINT,
    subject BIGINT,
    -- The exact bytes that are hashed.
    leaf    BYTEA NOT NULL
);

CREATE INDEX audit_log_at ON audit_log (at, idx);
CREATE INDEX audit_log_name ON audit_log (name, at, idx);
CREATE INDEX audit_log_actor ON audit_log (actor, at, idx) WHERE actor IS NOT NULL;
CREATE INDEX audit_log_subject ON audit_log (subject, at, idx) WHERE subject IS NOT NULL;

-- The tree over the log: up to 256 hashes of 32 bytes each a tile, as C2SP's tlog-tiles has them.
CREATE TABLE audit_tiles (
    level  BIGINT NOT NULL,
    n      BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (level, n)
);

-- What was signed, as notes of C2SP's tlog-checkpoint.
CREATE TABLE audit_checkpoints (
    size BIGINT NOT NULL,
    at   BIGINT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (size, at)
);

-- Random numbers that stand for people in the log, and the keys of their data. Of somebody who was
-- erased the number is left.
CREATE TABLE audit_people (
    person     BIGINT NOT NULL PRIMARY KEY,
    user_id    BIGINT UNIQUE,
    sealed_key BYTEA,
    erased_at  BIGINT
);

-- Personal data, to whose salted hash the entry commits. `part` is `from` or `texts`.
CREATE TABLE audit_personal (
    idx     BIGINT NOT NULL,
    part    TEXT NOT NULL,
    -- Whose key it is under; NULL: nobody is known.
    person  BIGINT,
    sealed  BYTEA NOT NULL,
    -- A MAC, by which the entries of an address are found.
    address BYTEA,
    PRIMARY KEY (idx, part)
);

CREATE INDEX audit_personal_person ON audit_personal (person) WHERE person IS NOT NULL;
CREATE INDEX audit_personal_address ON audit_personal (address, idx) WHERE address IS NOT NULL;

-- How often what happened, by the hour: counted in the transaction that writes the entries.
CREATE TABLE audit_counts (
    -- Milliseconds of its beginning.
    hour    BIGINT NOT NULL,
    name    TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason  TEXT NOT NULL,
    events  BIGINT NOT NULL,
    amount  BIGINT NOT NULL,
    PRIMARY KEY (hour, name, outcome, reason)
);
