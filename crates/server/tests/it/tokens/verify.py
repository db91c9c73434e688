"""Verifies the token of the command line by PyJWT, with the keys of a server: prints its claims."""

import json
import sys

import jwt

keys, issuer, token, typ = sys.argv[1:5]
key = jwt.PyJWKClient(keys).get_signing_key_from_jwt(token)
assert jwt.get_unverified_header(token)["typ"] == typ
claims = jwt.decode(
    token,
    key,
    algorithms=[key.algorithm_name],
    audience=sys.argv[5],
    issuer=issuer,
    options={"require": ["exp", "iat", "sub"]},
)
print(json.dumps(claims))
