-- One-time CSRF tokens that were used. The key is the proof that each is used once.

CREATE TABLE csrf_spent (
    session_id TEXT NOT NULL,
    nonce      BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, nonce)
);

CREATE INDEX csrf_spent_expiry ON csrf_spent (expires_at);
