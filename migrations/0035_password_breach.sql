-- What is known of each password, which nobody can ask of a hash: it is found out where it is typed, when it is
-- set and when somebody signs in with it.

-- 'unchecked', 'clear', 'breached', or 'deferred': whoever was asked was silent.
ALTER TABLE users ADD COLUMN breach_state TEXT NOT NULL DEFAULT 'unchecked';

-- How often it was found, at least.
ALTER TABLE users ADD COLUMN breach_count BIGINT NOT NULL DEFAULT 0;

-- When it was last looked up. NULL: never.
ALTER TABLE users ADD COLUMN breach_checked_at BIGINT;

-- Who was asked then, and of what date: where others are asked now, it is looked up once more.
ALTER TABLE users ADD COLUMN breach_corpus TEXT NOT NULL DEFAULT '';

-- To list those that are breached without looking at everybody, and to count each state by the index alone.
CREATE INDEX users_breach ON users (breach_state, id, status) WHERE password_phc IS NOT NULL;
