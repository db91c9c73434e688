-- People who can sign in. The folded columns are what identifiers are compared with.

CREATE TABLE users (
    id                BIGINT NOT NULL PRIMARY KEY,
    uuid              TEXT NOT NULL UNIQUE,
    email             TEXT NOT NULL,
    email_folded      TEXT NOT NULL UNIQUE,
    username          TEXT,
    username_folded   TEXT UNIQUE,
    first_name        TEXT NOT NULL,
    last_name         TEXT NOT NULL,
    phone             TEXT,
    branch_id         BIGINT NOT NULL,
    account_type      BIGINT NOT NULL,
    status            BIGINT NOT NULL,
    role_id           BIGINT NOT NULL REFERENCES roles (id),
    password_phc      TEXT,
    password_disabled BOOLEAN NOT NULL,
    -- Wrong passwords in a row, from anywhere.
    password_failures BIGINT NOT NULL,
    -- Raised to end everything that was signed in before.
    epoch             BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL
);

CREATE INDEX users_role ON users (role_id);
