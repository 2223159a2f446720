"use strict";
const problem = document.getElementById("problem");
// A link from another site comes without the cookie; this request has it.
fetch("v1/me").then((answer) => { if (answer.ok) location.reload(); });
document.getElementById("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = document.getElementById("token");
  const answer = await fetch("v1/web/sessions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: field.value }),
  });
  const said = await answer.json();
  if (!answer.ok) {
    problem.textContent = said.error.message;
    return;
  }
  localStorage.setItem("mcpfleet-proof", said.proof);
  location.reload();
});
