-- When the last backup was made and whether the last attempt failed, in one row; and whose turn the
-- next one of the schedule is.

CREATE TABLE backup_state (
    id           BIGINT NOT NULL PRIMARY KEY,
    -- The moment that the last good backup holds, and what it is called. NULL: there is none.
    good_at      BIGINT,
    good_file    TEXT,
    good_bytes   BIGINT,
    -- When the last attempt failed, and why. NULL: none did since the last good one.
    failed_at    BIGINT,
    failure      TEXT,
    -- When the last good one of the schedule was begun.
    scheduled_at BIGINT NOT NULL,
    -- Nobody begins one before: somebody is at work, or it has just failed.
    not_before   BIGINT NOT NULL
);

INSERT INTO backup_state (id, scheduled_at, not_before) VALUES (1, 0, 0);
