// A link that is good once has its code behind the `#`, which no log, proxy or preview sees. Here it becomes a session.

import { explain, keepProof, post } from "./api.js";
import { setText } from "./dom.js";

const code = location.hash.slice(1);
// Out of the address before anything else.
history.replaceState(null, "", location.pathname);

try {
  if (!code) throw new Error("The link is not whole: its part after the # is missing");
  const { proof } = await post("../v1/web/sessions", { code });
  keepProof(proof);
  location.replace("../");
} catch (error) {
  setText(document.getElementById("title"), "This link does not open the page");
  setText(document.getElementById("problem"), code ? explain(error) : error.message);
  document.getElementById("help").hidden = false;
}
