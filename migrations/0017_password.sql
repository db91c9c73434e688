-- Which addresses were proved by their owner, and where a link was mailed to.

-- NULL: the address was given by somebody else than the operator, and never proved.
ALTER TABLE users ADD COLUMN email_verified_at BIGINT;

-- Until now only operators made accounts.
UPDATE users SET email_verified_at = created_at;

-- The address that a link was mailed to, which its use proves. NULL: it was not mailed.
ALTER TABLE one_time_links ADD COLUMN email TEXT;
