-- How far each receiver of webhooks is with the log: one row a name of the configuration. A row
-- stays when its receiver is taken out of the configuration, so that nothing is lost if it comes back.
-- See docs/decisions/0030-webhooks-follow-the-log.md.

CREATE TABLE audit_sinks (
    name          TEXT NOT NULL PRIMARY KEY,
    -- Entries below have arrived, or were not wanted.
    next_idx      BIGINT NOT NULL,
    -- Where the message that is on its way ends; the same when it is sent again.
    batch_end     BIGINT,
    -- Which node sends, and until when nobody else does.
    holder        TEXT,
    held_until    BIGINT NOT NULL,
    -- Attempts in a row that failed, since when, why, and when the next one is due.
    failures      BIGINT NOT NULL,
    failing_since BIGINT,
    failure       TEXT,
    retry_at      BIGINT NOT NULL,
    delivered_at  BIGINT
);
