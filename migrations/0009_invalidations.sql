-- What every node must read anew: one row for each committed change of who may pass. The numbers
-- have no gaps and are in the order of the commits, because one counter row gives them out and is
-- locked until the commit.

CREATE TABLE invalidations (
    number  BIGINT NOT NULL PRIMARY KEY,
    -- NULL: everybody.
    user_id BIGINT
);
