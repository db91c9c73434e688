-- One sign-in is one session; what it handed out are its credentials, each with a life of its own.

CREATE TABLE sessions (
    id              TEXT NOT NULL PRIMARY KEY,
    -- The public name of the session. It authenticates nobody.
    handle          TEXT NOT NULL UNIQUE,
    user_id         BIGINT NOT NULL REFERENCES users (id),
    user_epoch      BIGINT NOT NULL,
    form            TEXT NOT NULL,
    csrf_epoch      BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    auth_time       BIGINT NOT NULL,
    ip              TEXT NOT NULL,
    peer            TEXT NOT NULL,
    user_agent      TEXT NOT NULL,
    platform        TEXT,
    device_type     TEXT,
    app_version     TEXT,
    fetched_csrf_at BIGINT,
    ended_at        BIGINT,
    end_reason      TEXT
);

CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_created ON sessions (created_at);

CREATE TABLE credentials (
    -- A keyed MAC of the secret: neither a backup nor a write to this table makes a credential.
    mac         BYTEA NOT NULL PRIMARY KEY,
    session_id  TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL,
    parent_mac  BYTEA,
    -- Empty when unknown, because NULLs would not meet in the unique index below.
    platform    TEXT NOT NULL,
    device_type TEXT NOT NULL,
    app_version TEXT,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    idle_ms     BIGINT,
    renew_until BIGINT,
    last_active BIGINT NOT NULL,
    ended_at    BIGINT
);

CREATE INDEX credentials_session ON credentials (session_id);
CREATE INDEX credentials_expiry ON credentials (expires_at);
CREATE INDEX credentials_ended ON credentials (ended_at) WHERE ended_at IS NOT NULL;

-- One living child for each device of a parent.
CREATE UNIQUE INDEX credentials_child ON credentials (parent_mac, platform, device_type)
    WHERE kind = 'child' AND ended_at IS NULL;
