-- What single users were given beside their roles, and what finding users among many needs.

CREATE TABLE user_grants (
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    grant_key  TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, grant_key)
);

-- First and last name as they are searched. For users who are there already the database folds,
-- which may leave letters of other scripts as they are until their names are written again.
ALTER TABLE users ADD COLUMN name_folded TEXT NOT NULL DEFAULT '';

UPDATE users SET name_folded = lower(first_name || ' ' || last_name);

-- To count those who are there.
CREATE INDEX users_status ON users (status);

-- What one user did.
CREATE INDEX events_actor ON events (actor, at);
