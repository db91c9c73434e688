// The address after # never leaves the browser: its token goes into the form, and out of sight.
const token = new URLSearchParams(location.hash.slice(1)).get("t");
if (token) {
  document.getElementById("code").value = token;
  document.getElementById("paste").hidden = true;
  document.getElementById("press").hidden = false;
}
if (location.hash) history.replaceState(null, "", location.pathname);
