"use strict";
// The code is of use once: it goes out of the address before anything else.
const code = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
fetch("../v1/web/sessions", {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ code }),
}).then(async (answer) => {
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error.message);
  localStorage.setItem("mcpfleet-proof", said.proof);
  location.replace("../");
}).catch((error) => {
  document.getElementById("problem").textContent = error.message;
});
