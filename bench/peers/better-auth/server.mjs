// Better Auth as its guide sets it up, on SQLite: one person with an account and one session.
// Prints where it listens, and the cookie of the session, as one line of JSON. Not an example of
// how to use it, and nothing of it is shipped.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import Database from "better-sqlite3";

const [file, email] = process.argv.slice(2);
const database = new Database(file);
database.pragma("journal_mode = WAL");

const server = createServer((request, response) => handle(request, response));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = `127.0.0.1:${server.address().port}`;

const auth = betterAuth({
  baseURL: `http://${address}`,
  secret: "of a database that lives as long as the benchmark",
  database,
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
});
const handle = toNodeHandler(auth);

const { runMigrations } = await getMigrations(auth.options);
await runMigrations();
const { headers } = await auth.api.signUpEmail({
  body: { email, password: "a long password for the benchmark", name: "Bench" },
  returnHeaders: true,
});
const [cookie] = headers.getSetCookie()[0].split(";");
console.log(JSON.stringify({ listening: address, cookie }));
