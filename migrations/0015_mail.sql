-- Mail that goes through a mail server: the second form of its text, until when it is worth sending,
-- and why it never went out. Mail that was given up keeps no secret either.

ALTER TABLE outbox ADD COLUMN html TEXT;
ALTER TABLE outbox ADD COLUMN worth_until BIGINT;
ALTER TABLE outbox ADD COLUMN given_up_at BIGINT;
ALTER TABLE outbox ADD COLUMN undelivered TEXT;

DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (next_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX outbox_worth ON outbox (worth_until) WHERE sent_at IS NULL AND given_up_at IS NULL;
