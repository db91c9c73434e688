-- Since when somebody knows that his role asks for a second factor: his time to set one up runs from then.

ALTER TABLE users ADD COLUMN factor_told_at BIGINT;
