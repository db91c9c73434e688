// Verifies the token of the command line by jose, with the keys of a server: prints its claims.
const { createRemoteJWKSet, jwtVerify } = require("jose");

const [keys, issuer, token, typ, audience] = process.argv.slice(2);
jwtVerify(token, createRemoteJWKSet(new URL(keys)), { issuer, audience, typ })
  .then(({ payload }) => console.log(JSON.stringify(payload)))
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
