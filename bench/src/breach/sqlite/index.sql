CREATE UNIQUE INDEX hashes_hash ON hashes (hash)
