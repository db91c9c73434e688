-- Taking people out of it, and letting personal data go with its age. See
-- docs/decisions/0033-erasing-and-retention.md.

-- NULL: nobody erased him. What is still on its way into the log then says nothing more of him.
ALTER TABLE users ADD COLUMN erased_at BIGINT;

-- To whose address a mail goes, so that it is found when the address is not known any more.
ALTER TABLE outbox ADD COLUMN user_id BIGINT;

UPDATE outbox SET user_id = (SELECT u.id FROM users u WHERE u.email = outbox.recipient);

CREATE INDEX outbox_user ON outbox (user_id) WHERE user_id IS NOT NULL;

-- Of entries below, the personal data has gone with its age.
ALTER TABLE audit_tree ADD COLUMN personal_floor BIGINT NOT NULL DEFAULT 0;
