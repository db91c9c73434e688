-- What the list of how things stand counts without looking at everybody.

-- Since when the password is in use here. NULL: there is none.
ALTER TABLE users ADD COLUMN password_set_at BIGINT;

-- Nobody wrote it down until now. Setting one changes the account, so it is at least as old as this.
UPDATE users SET password_set_at = updated_at WHERE password_phc IS NOT NULL;

-- The status comes first, or a database that has not looked at its numbers yet takes the index of the
-- status alone, by which nearly everybody is found. The account type is that of staff.
CREATE INDEX users_staff_password ON users (status, password_set_at) WHERE account_type = 1;
CREATE INDEX users_without_password ON users (status) WHERE password_phc IS NULL;
CREATE INDEX users_unproved ON users (status) WHERE email_verified_at IS NULL;
CREATE INDEX user_grants_everything ON user_grants (user_id) WHERE grant_key = '*';
CREATE INDEX credentials_api ON credentials (created_at) WHERE kind = 'api' AND ended_at IS NULL;
CREATE INDEX outbox_given_up ON outbox (given_up_at) WHERE given_up_at IS NOT NULL;
