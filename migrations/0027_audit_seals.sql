-- What waits for its place in the log is vouched for, and people in it are bound to the users whom they
-- stand for. See docs/decisions/0034-what-waits-is-vouched-for.md. What is there already is sealed by the
-- program, in the transaction of this migration.

-- An HMAC over the whole row under a key from the secret. NULL is no such.
ALTER TABLE audit_pending ADD COLUMN mac BYTEA;

-- Rows that waited and that nobody vouches for. They are evidence, not events.
CREATE TABLE audit_rejected (
    number      BIGINT NOT NULL PRIMARY KEY,
    rejected_at BIGINT NOT NULL,
    -- Why: `forged`, `malformed` or `repeated`.
    reason      TEXT NOT NULL,
    -- The row as it stood there, as a JSON object.
    content     TEXT NOT NULL
);
