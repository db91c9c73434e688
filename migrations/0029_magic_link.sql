-- What a link that signs in remembers of its being asked for.

-- The keyed MAC of the mark of the browser that asked. NULL: a program asked, or it is another link.
ALTER TABLE one_time_links ADD COLUMN browser BYTEA;
-- What goes on with the sign-in, as its flow writes it.
ALTER TABLE one_time_links ADD COLUMN detail TEXT NOT NULL DEFAULT '';
