-- Browsers that stay signed in. One series is one sign-in that asked for it: a row of secrets, each
-- used once. The secrets themselves are computed, so nothing here brings anybody back.

CREATE TABLE remember_series (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    BIGINT NOT NULL REFERENCES users (id),
    user_epoch BIGINT NOT NULL,
    -- When the user proved who he is. Every session of the series keeps it.
    auth_time  BIGINT NOT NULL,
    -- The secrets that were used before the current one.
    counter    BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    -- What the last used secret brought. Null before the first use.
    session_id TEXT,
    ip         TEXT NOT NULL,
    peer       TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at   BIGINT,
    end_reason TEXT
);

CREATE INDEX remember_series_user ON remember_series (user_id);
CREATE INDEX remember_series_expiry ON remember_series (expires_at);
CREATE INDEX remember_series_ended ON remember_series (ended_at) WHERE ended_at IS NOT NULL;

-- The series that a session belongs to: that of its own sign-in, or the one that brought it.
ALTER TABLE sessions ADD COLUMN remember_series TEXT
    REFERENCES remember_series (id) ON DELETE SET NULL;

CREATE INDEX sessions_remember_series ON sessions (remember_series)
    WHERE remember_series IS NOT NULL;
