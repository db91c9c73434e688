// Comfort alone: without this the codes can be marked and the page printed.
const codes = document.getElementById("codes");
for (const button of document.querySelectorAll("button[hidden]")) {
  button.hidden = button.value === "copy" && !navigator.clipboard;
  button.addEventListener("click", async () => {
    if (button.value === "print") return window.print();
    await navigator.clipboard.writeText(codes.innerText.trim());
    button.textContent = "Copied";
  });
}
