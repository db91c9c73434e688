-- Links that can be used once. Of the secret that a link carries only a keyed MAC is kept.

CREATE TABLE one_time_links (
    mac        BYTEA NOT NULL PRIMARY KEY,
    purpose    TEXT NOT NULL,
    user_id    BIGINT NOT NULL REFERENCES users (id),
    -- Under another epoch of its user a link is dead.
    user_epoch BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- When it was used, or when a newer one took its place.
    used_at    BIGINT
);

-- One link in force for each user and purpose.
CREATE UNIQUE INDEX one_time_links_unused ON one_time_links (user_id, purpose)
    WHERE used_at IS NULL;
CREATE INDEX one_time_links_expiry ON one_time_links (expires_at);
