-- Short codes that people type, each bound to a ticket. Of ticket and code only keyed MACs are kept.

CREATE TABLE one_time_codes (
    ticket     BYTEA NOT NULL PRIMARY KEY,
    purpose    TEXT NOT NULL,
    user_id    BIGINT NOT NULL REFERENCES users (id),
    -- Under another epoch of its user a code is dead.
    user_epoch BIGINT NOT NULL,
    code       BYTEA NOT NULL,
    -- Counted before the code is compared.
    attempts   BIGINT NOT NULL,
    -- What the code lets go on, as the purpose writes it.
    detail     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- When it was used, or when a newer one took its place.
    used_at    BIGINT
);

-- One code in force for each user and purpose.
CREATE UNIQUE INDEX one_time_codes_unused ON one_time_codes (user_id, purpose)
    WHERE used_at IS NULL;
CREATE INDEX one_time_codes_expiry ON one_time_codes (expires_at);
