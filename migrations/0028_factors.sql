-- What people prove beside a password: the secret of an authenticator app, sealed under a key from the
-- server's secret.

CREATE TABLE factors (
    id           TEXT NOT NULL PRIMARY KEY,
    user_id      BIGINT NOT NULL REFERENCES users (id),
    -- pending until its first code, then active.
    state        TEXT NOT NULL,
    secret       BYTEA NOT NULL,
    -- The last 30 seconds whose code was used. No earlier one is good again.
    last_step    BIGINT NOT NULL,
    -- Wrong codes in a row, each counted before it is looked at.
    failures     BIGINT NOT NULL,
    -- When they became too many: then codes of the app are not taken any more.
    exhausted_at BIGINT,
    created_at   BIGINT NOT NULL,
    -- Until when a pending one can be completed.
    expires_at   BIGINT NOT NULL,
    enabled_at   BIGINT
);

-- At most one that is asked for, and one that is being set up.
CREATE UNIQUE INDEX factors_of_user ON factors (user_id, state);
CREATE INDEX factors_pending ON factors (expires_at) WHERE state = 'pending';

-- Codes for a lost phone: keyed MACs, each good once.
CREATE TABLE backup_codes (
    factor_id TEXT NOT NULL REFERENCES factors (id) ON DELETE CASCADE,
    number    BIGINT NOT NULL,
    mac       BYTEA NOT NULL,
    used_at   BIGINT,
    PRIMARY KEY (factor_id, number)
);

-- Sign-ins that wait for a second factor. Somebody may begin several at once.
CREATE TABLE sign_in_tickets (
    mac        BYTEA NOT NULL PRIMARY KEY,
    user_id    BIGINT NOT NULL REFERENCES users (id),
    -- Under another epoch of its user a ticket is dead.
    user_epoch BIGINT NOT NULL,
    -- What was proved so far, and what is wanted.
    detail     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);

CREATE INDEX sign_in_tickets_user ON sign_in_tickets (user_id);
CREATE INDEX sign_in_tickets_expiry ON sign_in_tickets (expires_at);
