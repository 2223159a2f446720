// Who has a token comes in with it.

import { explain, get, keepProof, post } from "./api.js";
import { setText } from "./dom.js";
import { sentence } from "./text.js";

const form = document.getElementById("sign-in");
const token = document.getElementById("token");
const problem = document.getElementById("problem");
const submit = document.getElementById("submit");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (submit.getAttribute("aria-disabled") === "true") return;
  submit.setAttribute("aria-disabled", "true");
  setText(problem, "");
  try {
    const { proof } = await post("v1/web/sessions", { token: token.value });
    keepProof(proof);
    location.reload();
  } catch (error) {
    setText(
      problem,
      error.status === 401
        ? `${sentence(error.message)}. Look whether it is all of the token, and not an old one.`
        : explain(error),
    );
    token.setAttribute("aria-invalid", "true");
    token.focus();
    token.select();
    submit.removeAttribute("aria-disabled");
  }
});

try {
  // Whoever has followed a link from another site has a session all the same: the browser only did not say so at first.
  await get("v1/me");
  location.reload();
} catch {
  token.focus();
}
