-- Who is signed in, found quickly among many.

-- A session lives at least until then, unless it, its user or all that hung on the user's epoch is
-- ended: never later than the true end, and moved on when it has come. NULL: it is over. So the
-- indexes hold the living and, for some seconds, those who have just died.
ALTER TABLE sessions ADD COLUMN live_until BIGINT;

UPDATE sessions SET live_until = (
    SELECT MAX(CASE WHEN c.idle_ms IS NULL OR c.last_active + c.idle_ms > c.expires_at
        THEN c.expires_at ELSE c.last_active + c.idle_ms END)
    FROM credentials c WHERE c.session_id = sessions.id AND c.ended_at IS NULL)
WHERE ended_at IS NULL AND user_epoch = (
    SELECT u.epoch FROM users u WHERE u.id = sessions.user_id AND u.status = 1);

-- What their condition names is in the indexes themselves, so that a walk along one needs no row.
CREATE INDEX sessions_live ON sessions (live_until, ended_at)
    WHERE ended_at IS NULL AND live_until IS NOT NULL;
CREATE INDEX sessions_live_newest ON sessions (created_at, id, live_until, ended_at)
    WHERE ended_at IS NULL AND live_until IS NOT NULL;
CREATE INDEX sessions_live_ip ON sessions (ip, created_at, live_until, ended_at)
    WHERE ended_at IS NULL AND live_until IS NOT NULL;
CREATE INDEX sessions_live_form ON sessions (form, created_at, live_until, ended_at)
    WHERE ended_at IS NULL AND live_until IS NOT NULL;
-- Few enough to be looked at row by row.
CREATE INDEX sessions_live_user ON sessions (user_id, created_at)
    WHERE ended_at IS NULL AND live_until IS NOT NULL;
