-- Since when somebody knows that his role asks for a second factor: his time to set one up runs from then.
ALTER TABLE users ADD COLUMN factor_told_at BIGINT;

-- Whether the password is shorter than one that stands alone must be.
ALTER TABLE users ADD COLUMN password_needs_factor BOOLEAN NOT NULL DEFAULT FALSE;

-- Whether the session began with a second factor, or set one up. Of those that began before this was
-- written down it is not known.
ALTER TABLE sessions ADD COLUMN second_factor BOOLEAN NOT NULL DEFAULT FALSE;

-- Who began to set a factor up, and alone may see its key and complete it: a session, or a sign-in that waits.
ALTER TABLE factors ADD COLUMN begun_by TEXT NOT NULL DEFAULT '';
