-- Facts about the database itself, and the counters that ids come from.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

-- The last number given out. A number is never given twice, even when its row is deleted.
CREATE TABLE counters (
    name  TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
