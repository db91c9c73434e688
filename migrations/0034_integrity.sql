-- The files of applications: what they ought to be, who looked at them and when, and what differed.
-- Paths are bytes, as file systems have them. Times are milliseconds.

CREATE TABLE integrity_roots (
    name      TEXT NOT NULL PRIMARY KEY,
    -- The number of the baseline in force; none before the first.
    baseline  BIGINT,
    -- What of the configuration says how much is looked at, as it was at the last look.
    coverage  TEXT NOT NULL,
    -- When the last look that came to its end began.
    looked_at BIGINT
);

-- Lines of baselines, each part once, however many baselines have it.
CREATE TABLE integrity_parts (
    digest BYTEA NOT NULL PRIMARY KEY,
    lines  BYTEA NOT NULL
);

CREATE TABLE integrity_baselines (
    root         TEXT NOT NULL,
    number       BIGINT NOT NULL,
    -- 'declared' by whoever built what is there, or 'observed' there.
    origin       TEXT NOT NULL,
    -- 'proposed', 'active', 'superseded' or 'rejected'.
    state        TEXT NOT NULL,
    -- The head, as a signed note.
    note         TEXT NOT NULL,
    -- The digest of the text of the head.
    digest       BYTEA NOT NULL,
    entries      BIGINT NOT NULL,
    reason       TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    -- Nobody by name: the server itself, or somebody at its command line.
    created_by   BIGINT,
    activated_at BIGINT,
    PRIMARY KEY (root, number)
);

CREATE UNIQUE INDEX integrity_baselines_active ON integrity_baselines (root) WHERE state = 'active';

CREATE TABLE integrity_baseline_parts (
    root     TEXT NOT NULL,
    number   BIGINT NOT NULL,
    position BIGINT NOT NULL,
    digest   BYTEA NOT NULL REFERENCES integrity_parts (digest),
    PRIMARY KEY (root, number, position),
    FOREIGN KEY (root, number) REFERENCES integrity_baselines (root, number)
);

CREATE INDEX integrity_baseline_parts_digest ON integrity_baseline_parts (digest);

CREATE TABLE integrity_deployments (
    id         TEXT NOT NULL PRIMARY KEY,
    root       TEXT NOT NULL,
    -- The baseline that it leads to.
    number     BIGINT NOT NULL,
    -- 'open', 'complete', 'incomplete', 'expired' or 'cancelled'.
    state      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    opened_at  BIGINT NOT NULL,
    opened_by  BIGINT,
    ends_at    BIGINT NOT NULL,
    closed_at  BIGINT,
    closed_by  BIGINT,
    -- What the last look found: as declared, as before, and neither.
    reached    BIGINT NOT NULL,
    pending    BIGINT NOT NULL,
    unexpected BIGINT NOT NULL,
    FOREIGN KEY (root, number) REFERENCES integrity_baselines (root, number)
);

CREATE UNIQUE INDEX integrity_deployments_open ON integrity_deployments (root) WHERE state = 'open';
CREATE INDEX integrity_deployments_opened ON integrity_deployments (opened_at);

CREATE TABLE integrity_checks (
    id           TEXT NOT NULL PRIMARY KEY,
    -- 'running', 'complete', 'failed', 'cancelled', 'interrupted' or 'superseded'.
    state        TEXT NOT NULL,
    -- Why there is one: 'request', 'command', 'schedule', 'start' or 'deployment'.
    cause        TEXT NOT NULL,
    phase        TEXT NOT NULL,
    root         TEXT NOT NULL,
    asked_by     BIGINT,
    started_at   BIGINT NOT NULL,
    -- Whoever runs it says so again and again.
    beat_at      BIGINT NOT NULL,
    finished_at  BIGINT,
    expected     BIGINT NOT NULL,
    scanned      BIGINT NOT NULL,
    bytes        BIGINT NOT NULL,
    violations   BIGINT NOT NULL,
    alerts       BIGINT NOT NULL,
    unverifiable BIGINT NOT NULL,
    fault        TEXT NOT NULL
);

-- One at a time.
CREATE UNIQUE INDEX integrity_checks_running ON integrity_checks (state) WHERE state = 'running';
CREATE INDEX integrity_checks_started ON integrity_checks (started_at);

-- What was found at one moment, together.
CREATE TABLE integrity_sightings (
    id            TEXT NOT NULL PRIMARY KEY,
    root          TEXT NOT NULL,
    check_id      TEXT,
    deployment_id TEXT,
    -- When it was last as it ought to be, as far as is known, and when it was found not to be.
    since         BIGINT,
    at            BIGINT NOT NULL
);

-- Who was signed in meanwhile, with what power.
CREATE TABLE integrity_witnesses (
    sighting_id    TEXT NOT NULL REFERENCES integrity_sightings (id) ON DELETE CASCADE,
    user_id        BIGINT NOT NULL,
    session        TEXT NOT NULL,
    role           TEXT NOT NULL,
    level          BIGINT NOT NULL,
    -- What the role and the user's own grants allowed, with spaces.
    grants         TEXT NOT NULL,
    signed_in_at   BIGINT NOT NULL,
    ended_at       BIGINT,
    ip             TEXT NOT NULL,
    PRIMARY KEY (sighting_id, session)
);

CREATE TABLE integrity_alerts (
    id            BIGINT NOT NULL PRIMARY KEY,
    -- Of root, path, kind and what differs from what: the same difference is the same alert.
    fingerprint   BYTEA NOT NULL UNIQUE,
    root          TEXT NOT NULL,
    path          BYTEA NOT NULL,
    -- The absolute path, for people.
    file_path     TEXT NOT NULL,
    kind          TEXT NOT NULL,
    severity      TEXT NOT NULL,
    -- The severity as a number, the worst first.
    rank          BIGINT NOT NULL,
    rule          TEXT NOT NULL,
    details       TEXT NOT NULL,
    -- The line of the baseline, and what is there now; empty where there is none.
    was           TEXT NOT NULL,
    found         TEXT NOT NULL,
    moved         BYTEA,
    -- 0 new, 1 resolved, 2 ignored.
    status        BIGINT NOT NULL,
    resolution    TEXT,
    note          TEXT NOT NULL,
    judged_by     BIGINT,
    judged_at     BIGINT,
    ignored_until BIGINT,
    occurrences   BIGINT NOT NULL,
    reopened      BIGINT NOT NULL,
    -- The alert that the same path had before it changed again.
    supersedes    BIGINT,
    sighting_id   TEXT NOT NULL REFERENCES integrity_sightings (id),
    created_at    BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL
);

CREATE INDEX integrity_alerts_created ON integrity_alerts (created_at, id);
CREATE INDEX integrity_alerts_status ON integrity_alerts (status, created_at, id);
CREATE INDEX integrity_alerts_rank ON integrity_alerts (rank, created_at, id);
CREATE INDEX integrity_alerts_path ON integrity_alerts (root, path);
CREATE INDEX integrity_alerts_sighting ON integrity_alerts (sighting_id);

-- The difference as it was when the alert was made, sealed; or why there is none.
CREATE TABLE integrity_diffs (
    alert_id BIGINT NOT NULL PRIMARY KEY REFERENCES integrity_alerts (id) ON DELETE CASCADE,
    sealed   BYTEA,
    bytes    BIGINT NOT NULL,
    added    BIGINT NOT NULL,
    removed  BIGINT NOT NULL,
    -- Empty where there is one.
    reason   TEXT NOT NULL,
    taken_at BIGINT NOT NULL
);
