// The page: finds out who asks, keeps what the agent tells, and shows the view that the fragment names.

import { get } from "./api.js";
import { h, keepTimes, refill, setAttribute } from "./dom.js";
import { Live } from "./live.js";
import { empty, failure } from "./parts.js";
import { parse, place } from "./route.js";
import { Servers } from "./servers.js";
import { Store } from "./store.js";
import { Agent, liveness, mark, themes } from "./top.js";

// What is not needed for the first look comes when it is.
const VIEWS = {
  "": async () => Servers,
  apps: async () => (await import("./server.js")).Server,
  changes: async () => (await import("./changes.js")).Changes,
  plan: async () => (await import("./plan.js")).Plan,
  events: async () => (await import("./events.js")).Events,
};

const store = new Store();
const main = document.getElementById("main");
let view = null;
let turn = 0;

/** Shows the view of the fragment. Where only its filter is another one, the view itself sees to that. */
async function show(first) {
  const { parts, query } = parse(location.hash);
  const [page = ""] = parts;
  const identity = JSON.stringify(parts.slice(0, 2));
  turn += 1;
  const mine = turn;
  if (view?.identity === identity && view.go) {
    view.go(parts, query);
    return;
  }
  const load = VIEWS[page];
  try {
    const View = load ? await load() : null;
    if (mine !== turn) return;
    view?.end?.();
    view = View ? new View(store, parts, query) : { element: lost() };
    view.identity = identity;
    refill(main, view.element);
  } catch (error) {
    view = { identity };
    refill(
      main,
      h("h1", {}, "mcpfleet"),
      failure(error, () => location.reload()),
    );
  }
  mark(page === "apps" ? "" : page);
  setAttribute(main, "aria-busy", null);
  title();
  if (first) return;
  scrollTo(0, 0);
  const heading = main.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
}

function title() {
  const heading = main.querySelector("h1")?.textContent;
  document.title = heading ? `${heading.slice(0, 80)} · mcpfleet` : "mcpfleet";
}

const lost = () =>
  h(
    "div",
    {},
    h("h1", {}, "No such page"),
    empty("There is nothing at this address", h("p", {}, h("a", { href: place([]) }, "All servers"))),
  );

document.getElementById("skip").addEventListener("click", (event) => {
  // The fragment is the route.
  event.preventDefault();
  main.focus();
});

addEventListener("hashchange", () => show(false));

addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, dialog, [contenteditable]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
  const search = main.querySelector("input[type=search]");
  if (!search) return;
  event.preventDefault();
  search.focus();
  search.select();
});

themes();
const agent = new Agent(store);
const live = new Live(store, (state) => liveness(live, state));
live.run();
keepTimes();
show(true);

try {
  store.me = await get("v1/me");
} catch (error) {
  // An agent from before there was a page: it tells nothing of what one may, so nothing is offered.
  store.me = { principal: "", by: "", may: { read: true } };
}
agent.who(store.me);
store.touched();
