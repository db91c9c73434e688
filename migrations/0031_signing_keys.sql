-- The keys that sign access tokens and assertions. What a key does at a moment follows from its times,
-- so every server agrees without asking.

CREATE TABLE signing_keys (
    -- One more than that of the key before it. Of two servers that make one at once, one wins.
    generation   BIGINT NOT NULL PRIMARY KEY,
    kid          TEXT NOT NULL UNIQUE,
    algorithm    TEXT NOT NULL,
    -- As others verify with it (RFC 7517).
    public_jwk   TEXT NOT NULL,
    -- Sealed under the server's secret.
    private_key  BYTEA NOT NULL,
    published_at BIGINT NOT NULL,
    signs_from   BIGINT NOT NULL,
    retired_at   BIGINT,
    gone_at      BIGINT
);

CREATE INDEX signing_keys_gone ON signing_keys (gone_at) WHERE gone_at IS NOT NULL;

-- A token is kept under its own name from now on, so those of before are over.
UPDATE sessions SET live_until = 0
    WHERE ended_at IS NULL AND live_until IS NOT NULL
        AND id IN (SELECT session_id FROM credentials WHERE kind = 'access' AND ended_at IS NULL);
DELETE FROM credentials WHERE kind = 'access';
