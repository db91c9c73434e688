-- What administrators changed while the server ran. Every node reads all of it every few seconds.

CREATE TABLE settings (
    name       TEXT NOT NULL PRIMARY KEY,
    value      TEXT NOT NULL,
    -- NULL: the operator at the command line.
    changed_by BIGINT,
    changed_at BIGINT NOT NULL
);

-- The few accounts that take no password, among very many.
CREATE INDEX users_password_disabled ON users (id) WHERE password_disabled = TRUE;

-- An https address, shown as text and never fetched by us.
ALTER TABLE users ADD COLUMN avatar_url TEXT;
