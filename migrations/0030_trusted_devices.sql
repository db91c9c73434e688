-- Devices where a sign-in is not asked for the second factor. The secret that each proves itself by is
-- kept as its MAC; what a device tells of itself is for people to read, and decides nothing.

CREATE TABLE trusted_devices (
    id           TEXT NOT NULL PRIMARY KEY,
    user_id      BIGINT NOT NULL REFERENCES users (id),
    -- Under another epoch of the user it is not trusted any more.
    user_epoch   BIGINT NOT NULL,
    mac          BYTEA NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    device_type  TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    ip           TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    ended_at     BIGINT
);

CREATE INDEX trusted_devices_user ON trusted_devices (user_id);
CREATE INDEX trusted_devices_expiry ON trusted_devices (expires_at);
