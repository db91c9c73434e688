// The address after # never leaves the browser: its code goes into the form, and out of sight.
const given = new URLSearchParams(location.hash.slice(1));
for (const [name, id] of [["t", "code"], ["e", "email"]]) {
  if (given.has(name)) document.getElementById(id).value = given.get(name);
}
if (location.hash) history.replaceState(null, "", location.pathname);
