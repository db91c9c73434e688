-- Attempts counted in fixed windows, and the lock-outs that wrong passwords earn.

CREATE TABLE throttle (
    key        TEXT NOT NULL PRIMARY KEY,
    started    BIGINT NOT NULL,
    count      BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX throttle_expiry ON throttle (expires_at);

CREATE TABLE lockouts (
    key        TEXT NOT NULL PRIMARY KEY,
    failures   BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX lockouts_expiry ON lockouts (expires_at);
