-- Places that people sign in from. A place that was removed keeps its row, so that the next sign-in
-- from anywhere is not taken for the account's first.

CREATE TABLE places (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    BIGINT NOT NULL REFERENCES users (id),
    -- In CIDR notation.
    network    TEXT NOT NULL,
    -- verified, told or removed.
    state      TEXT NOT NULL,
    -- What the last who signed in there said of the program.
    user_agent TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL
);

CREATE UNIQUE INDEX places_of_user ON places (user_id, network);
