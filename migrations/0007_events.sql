-- What happened, written in the transaction that made it happen. Ids are UUIDv7.

CREATE TABLE events (
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
    -- A JSON object.
    detail     TEXT NOT NULL
);

CREATE INDEX events_at ON events (at);
CREATE INDEX events_name ON events (name, at);
CREATE INDEX events_subject ON events (subject, at);
