-- Raised when places are taken back: no browser vouches for its owner any more.

ALTER TABLE users ADD COLUMN places_epoch BIGINT NOT NULL DEFAULT 0;
