-- Who is kept out, whatever he knows: one row a user. The history is in the events.

CREATE TABLE blacklist (
    user_id    BIGINT NOT NULL PRIMARY KEY REFERENCES users (id),
    -- As it was written, for people to read. Null: none was given.
    reason     TEXT,
    -- Null: somebody at the command line of the server.
    added_by   BIGINT REFERENCES users (id),
    created_at BIGINT NOT NULL
);

CREATE INDEX blacklist_created ON blacklist (created_at, user_id);

-- The servers that are running. Who ends something on one waits until the others know.
CREATE TABLE nodes (
    -- Chosen anew at every start.
    id      TEXT NOT NULL PRIMARY KEY,
    -- When it last said that it lives.
    seen_at BIGINT NOT NULL
);
