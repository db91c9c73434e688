SELECT found FROM hashes WHERE hash = ?1
