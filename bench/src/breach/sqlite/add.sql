INSERT INTO hashes (hash, found) VALUES (?1, ?2)
