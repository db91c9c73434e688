-- API keys. What a client holds is kept as its MAC, in a table of its own, because a key that is made
-- anew has two values for a while. Times are milliseconds.

CREATE TABLE api_keys (
    id             TEXT NOT NULL PRIMARY KEY,
    user_id        BIGINT NOT NULL REFERENCES users (id),
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    -- Words with commas.
    scopes         TEXT NOT NULL,
    -- Networks with commas; none: from anywhere.
    allowed_ips    TEXT NOT NULL,
    limit_count    BIGINT NOT NULL,
    limit_ms       BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    expires_at     BIGINT,
    revoked_at     BIGINT,
    -- It came back with a backup, and nobody has said since that it is still wanted.
    suspended_at   BIGINT,
    -- When it was last used, or else made: what nobody uses is found by it.
    active_at      BIGINT NOT NULL,
    last_used_at   BIGINT,
    usage_count    BIGINT NOT NULL,
    -- The days before its end that its owner was last told of.
    told_days      BIGINT
);

CREATE INDEX api_keys_user ON api_keys (user_id, created_at);
CREATE INDEX api_keys_expiry ON api_keys (expires_at) WHERE revoked_at IS NULL;
CREATE INDEX api_keys_unused ON api_keys (active_at) WHERE revoked_at IS NULL;

CREATE TABLE api_key_values (
    mac        BYTEA NOT NULL PRIMARY KEY,
    key_id     TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    -- Its first characters, which tell people which it is and open nothing.
    prefix     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- When it stops because another has taken its place; none for the one in force.
    ends_at    BIGINT
);

CREATE UNIQUE INDEX api_key_values_in_force ON api_key_values (key_id) WHERE ends_at IS NULL;
CREATE INDEX api_key_values_key ON api_key_values (key_id);
CREATE INDEX api_key_values_ends ON api_key_values (ends_at) WHERE ends_at IS NOT NULL;

-- How often each key asked for what, by the hour.
CREATE TABLE api_key_hours (
    key_id   TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    hour     BIGINT NOT NULL,
    endpoint TEXT NOT NULL,
    requests BIGINT NOT NULL,
    took_ms  BIGINT NOT NULL,
    PRIMARY KEY (key_id, hour, endpoint)
);

CREATE INDEX api_key_hours_hour ON api_key_hours (hour);

-- Requests one by one, as many as are kept.
CREATE TABLE api_key_uses (
    id       TEXT NOT NULL PRIMARY KEY,
    key_id   TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    at       BIGINT NOT NULL,
    endpoint TEXT NOT NULL,
    method   TEXT NOT NULL,
    status   BIGINT NOT NULL,
    took_ms  BIGINT NOT NULL
);

CREATE INDEX api_key_uses_key ON api_key_uses (key_id, id);
CREATE INDEX api_key_uses_at ON api_key_uses (at);
