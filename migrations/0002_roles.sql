-- Roles and what each one grants.

CREATE TABLE roles (
    id          BIGINT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE,
    level       BIGINT NOT NULL,
    built_in    BOOLEAN NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

CREATE TABLE role_grants (
    role_id   BIGINT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    grant_key TEXT NOT NULL,
    PRIMARY KEY (role_id, grant_key)
);
