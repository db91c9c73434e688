-- Mail to send, written in the transaction that caused it. A sent mail keeps no secret.

CREATE TABLE outbox (
    id         TEXT NOT NULL PRIMARY KEY,
    recipient  TEXT NOT NULL,
    subject    TEXT NOT NULL,
    body       TEXT NOT NULL,
    link       TEXT,
    code       TEXT,
    created_at BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    sent_at    BIGINT
);

CREATE INDEX outbox_due ON outbox (next_at) WHERE sent_at IS NULL;
CREATE INDEX outbox_created ON outbox (created_at);
