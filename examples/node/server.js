// A Node application behind Portcullis: a page, a form, a JSON API, server-sent events, a WebSocket
// and a download. It has no sign-in: it reads who is calling from the headers that the gate sets.
//
// They can be believed because nobody reaches it but through the gate, which takes away whatever a
// client sends under such names. So it listens on the loopback address.

const http = require("node:http");
const { Readable } = require("node:stream");
const { pipeline } = require("node:stream/promises");
const cookieSession = require("cookie-session");
const express = require("express");
const { WebSocketServer } = require("ws");

const port = process.env.PORT ?? 3000;
const notes = [];

// Who is calling. The gate percent-encodes what is not ASCII.
function caller(request) {
  const header = (name) => decodeURIComponent(request.headers[`x-auth-${name}`] ?? "");
  return { user: header("user"), email: header("email"), name: header("name") };
}

const app = express();
// The gate is the one proxy in front: this makes request.ip, request.protocol and request.host the
// browser's.
app.set("trust proxy", "loopback");
app.disable("x-powered-by");
// A session of the application's own. Its cookies are "session" and "session.sig"; names of the
// gate's cookies would be taken out.
app.use(cookieSession({ secret: process.env.SECRET_KEY, sameSite: "lax" }));

app.get("/", (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.send(page(request));
});

// A plain form. The gate has found the token in its field csrf_token before it passed it on.
app.post("/notes", express.urlencoded({ extended: false }), (request, response) => {
  add(request, request.body.text);
  response.redirect(303, "/");
});

app.get("/api/me", (request, response) => {
  const { ip, protocol, host } = request;
  response.json({ ...caller(request), ip, protocol, host });
});

app.get("/api/notes", (request, response) => response.json(notes));

// The script sends the token in X-CSRF-Token; the gate has looked at it.
app.post("/api/notes", express.json(), (request, response) => {
  response.status(201).json(add(request, request.body.text));
});

// Server-sent events: a tick every 200 ms, and every note when it comes.
const listeners = new Set();
app.get("/events", (request, response) => {
  response.set({ "content-type": "text/event-stream", "cache-control": "no-store" });
  const send = (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const listener = (note) => send("note", note);
  let count = 0;
  const ticking = setInterval(() => send("tick", { count: ++count, sent: Date.now() }), 200);
  listeners.add(listener);
  send("hello", caller(request));
  request.on("close", () => {
    clearInterval(ticking);
    listeners.delete(listener);
  });
});
app.get("/api/listeners", (request, response) => response.json(listeners.size));

// A download of any size, made as fast as the browser takes it: the number of each kilobyte.
app.get("/download/:kilobytes", async (request, response) => {
  function* kilobytes() {
    for (let number = 1; number <= Number(request.params.kilobytes); number++) {
      yield `${number}\n`.padStart(1024, ".");
    }
  }
  response.attachment("numbers.txt");
  // A browser that goes away half-way is no fault of ours.
  await pipeline(Readable.from(kilobytes()), response).catch(() => {});
});

function add(request, text) {
  const note = { text: String(text ?? "").slice(0, 200), author: caller(request).email };
  notes.push(note);
  for (const listener of listeners) listener(note);
  return note;
}

const escape = (text) => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

function page(request) {
  const { name, email } = caller(request);
  const token = escape(request.headers["x-auth-csrf-token"] ?? "");
  return `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="csrf-token" content="${token}">
<title>Notes</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }</style>
<h1>Notes</h1>
<p>${escape(name)} (${escape(email)}), here ${request.session.visits} times. <a href="/logout">Sign out</a></p>
<form method="post" action="/notes">
  <input type="hidden" name="csrf_token" value="${token}">
  <input name="text" maxlength="200"> <button>Add by form</button>
</form>
<button id="json">Add by script</button> <button id="echo">Ask the WebSocket</button>
<ul id="notes">${notes.map((note) => `<li>${escape(note.text)}</li>`).join("")}</ul>
<pre id="log"></pre>
<script>
const token = document.querySelector("meta[name=csrf-token]").content;
const log = (text) => document.getElementById("log").textContent = text;
document.getElementById("json").onclick = () => fetch("/api/notes", {
  method: "POST",
  headers: { "content-type": "application/json", "x-csrf-token": token },
  body: JSON.stringify({ text: "From a script" }),
});
new EventSource("/events").addEventListener("note", (event) => {
  const item = document.createElement("li");
  item.textContent = JSON.parse(event.data).text;
  document.getElementById("notes").append(item);
});
const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/socket");
socket.onmessage = (event) => log(event.data);
document.getElementById("echo").onclick = () => socket.send("Hello");
</script>
`;
}

// The WebSocket: it says who opened it, and echoes.
const server = http.createServer(app);
const sockets = new WebSocketServer({ server, path: "/socket" });
sockets.on("connection", (socket, request) => {
  const { user, email } = caller(request);
  socket.send(JSON.stringify({ user, email }));
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on("error", () => socket.terminate());
});

server.listen(port, "127.0.0.1", () => {
  console.log(`Listening at: http://127.0.0.1:${server.address().port}`);
});
