// The list of servers: how many there are of each state, a search, filters by state and label, a line for each.

import { announce, h, icon, order, refill, setAttribute, setText } from "./dom.js";
import { LOOK, chosen, counts, isEmpty, labelCounts, read, toggled, write } from "./filters.js";
import { empty } from "./parts.js";
import { setQuery } from "./route.js";
import { Row } from "./row.js";
import { Sources } from "./sources.js";
import { describeCount, look } from "./states.js";
import { oneLine } from "./text.js";
import { agentLine } from "./top.js";

/** So many lines fill the tallest screen; the rest follows once they are painted. */
const FIRST_LINES = 60;

const marked = new Set();

const COLUMNS = [
  ["c-name", "Server", "name"],
  ["c-state", "State", "state"],
  ["c-why", "What is wrong"],
  ["c-made", "Made by"],
  ["c-labels", "Labels"],
  ["c-num", "Sessions", "sessions"],
  ["c-num", "Restarts", "restarts"],
];

const EXAMPLE = `kind: app
version: v3
metadata:
  name: everything
  labels: {env: dev}
spec:
  mcp:
    command: npx
    args: ["-y", "@modelcontextprotocol/server-everything"]
`;

export class Servers {
  constructor(store, parts, query) {
    this.store = store;
    this.filter = read(query);
    this.rows = new Map();
    this.sources = new Sources();
    this.agent = agentLine(store);
    this.#build();
    this.unsubscribe = store.subscribe((change) => this.#changed(change));
    if (store.agent) this.#changed({ all: true, keys: new Set(), gone: [] });
  }

  go(parts, query) {
    this.filter = read(query);
    this.search.value = this.filter.text;
    this.#list();
    this.#summary();
  }

  end() {
    this.unsubscribe();
  }

  #build() {
    const input = () => this.#set({ text: this.search.value });
    const keydown = (event) => {
      if (event.key === "Escape" && this.search.value)
        (this.#set({ text: "" }), (this.search.value = ""), event.preventDefault());
      if (event.key === "ArrowDown") (this.body.querySelector("a")?.focus(), event.preventDefault());
    };
    this.search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Search",
      autocomplete: "off",
      spellcheck: "false",
      "aria-keyshortcuts": "/",
      value: this.filter.text,
      on: { input, keydown },
    });
    this.pick = h("select", {
      "aria-label": "Add a label to filter by",
      on: { change: () => this.pick.value && this.#set({ labels: toggled(this.filter.labels, this.pick.value) }) },
    });
    this.summary = h("div", { class: "summary", role: "group", "aria-label": "Filter by state" });
    this.active = h("div", { class: "active", role: "group", "aria-label": "Filters by label" });
    this.found = h("p", { class: "muted found", role: "status" });
    this.body = h("tbody", {
      role: "rowgroup",
      on: { click: (event) => this.#click(event), keydown: (event) => this.#walk(event) },
    });
    const head = h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        COLUMNS.map((column) => this.#column(column)),
      ),
    );
    this.table = h("table", { role: "table", class: "servers", "aria-label": "Servers" }, head, this.body);
    this.nothing = h("div", { hidden: true });
    const search = h(
      "div",
      { class: "search" },
      icon("search"),
      h("label", { for: "search", class: "unseen" }, "Search servers"),
      this.search,
      h("kbd", { "aria-hidden": "true" }, "/"),
    );
    this.tools = h("div", { class: "tools", hidden: true }, search, this.pick, this.active, this.found);
    this.element = h(
      "div",
      { class: "view" },
      h("div", { class: "headline" }, h("h1", {}, "Servers"), this.agent.element),
      this.sources.element,
      this.summary,
      this.tools,
      this.table,
      this.nothing,
    );
    this.table.hidden = true;
    refill(this.nothing, h("p", { class: "muted" }, "Asking the agent…"));
    this.nothing.hidden = this.store.agent !== null;
  }

  #column([style, word, sort]) {
    if (!sort) return h("th", { role: "columnheader", scope: "col", class: style }, word);
    const click = () => this.#set({ sort, back: this.filter.sort === sort && !this.filter.back });
    return h(
      "th",
      { role: "columnheader", scope: "col", class: style, "data-sort": sort },
      h("button", { type: "button", class: "sort", on: { click } }, word),
    );
  }

  #set(change) {
    this.filter = { ...this.filter, ...change };
    setQuery(write(this.filter));
    this.#list();
    this.#summary();
  }

  #changed({ all, keys, gone }) {
    for (const key of gone) this.rows.delete(key);
    for (const key of keys) {
      const app = this.store.apps.get(key);
      if (app) this.rows.get(key)?.show(app);
    }
    this.agent.show();
    this.sources.show(this.store.sources);
    if (all || keys.size) {
      this.#list();
      this.#summary();
    }
  }

  /** The buttons of the states, of which each stays the same while there is one, and keeps the focus. */
  #summary() {
    const { states, look: looks } = counts(this.store.apps.values());
    const wanted = [[LOOK, looks], ...states].filter(([state, n]) => n > 0 || this.filter.states.includes(state));
    this.buttons ??= new Map();
    const elements = wanted.map(([state, n]) => {
      if (!this.buttons.has(state)) this.buttons.set(state, this.#stateButton(state));
      const button = this.buttons.get(state);
      setText(button.querySelector("strong"), n);
      setAttribute(button, "aria-pressed", String(this.filter.states.includes(state)));
      return button;
    });
    order(this.summary, elements);
    this.#labels();
  }

  #stateButton(state) {
    const {
      tone,
      icon: shape,
      says,
    } = state === LOOK ? { tone: "warn", icon: "look", says: "Something is wrong, or not in force" } : look(state);
    const click = () => this.#set({ states: toggled(this.filter.states, state) });
    return h(
      "button",
      { type: "button", class: `count ${tone}`, title: says, on: { click } },
      icon(shape),
      h("strong", {}),
      h("span", {}, state === LOOK ? "Need a look" : state),
    );
  }

  #labels() {
    const labels = labelCounts(this.store.apps.values()).filter(([label]) => !this.filter.labels.includes(label));
    const text = JSON.stringify(labels);
    // A list that is open must not change under the hand.
    if (text !== this.shownLabels && document.activeElement !== this.pick) {
      this.shownLabels = text;
      const options = labels.slice(0, 500).map(([label, n]) => h("option", { value: label }, `${oneLine(label, 60)} (${n})`));
      refill(this.pick, h("option", { value: "" }, "Label…"), options);
      this.pick.hidden = labels.length === 0;
    }
    this.pick.value = "";
    const active = this.filter.labels.join("\n");
    if (active === this.shownActive) return;
    this.shownActive = active;
    const remove = (label) => () => (this.#set({ labels: toggled(this.filter.labels, label) }), this.search.focus());
    refill(
      this.active,
      this.filter.labels.map((label) =>
        h(
          "button",
          {
            type: "button",
            class: "chip on",
            "aria-label": `Remove the filter ${oneLine(label, 100)}`,
            on: { click: remove(label) },
          },
          oneLine(label, 60),
          icon("close"),
        ),
      ),
    );
  }

  #list() {
    if (!this.store.agent) return;
    const apps = this.store.apps;
    const list = chosen(apps.values(), this.filter);
    const any = apps.size > 0;
    this.tools.hidden = !any;
    this.table.hidden = list.length === 0;
    this.nothing.hidden = list.length > 0;
    if (list.length === 0) this.#nothing(any);
    const all = describeCount(apps.size);
    setText(this.found, isEmpty(this.filter) ? all : `${list.length} of ${all}`);
    for (const cell of this.table.querySelectorAll("[data-sort]")) {
      const sorted = cell.dataset.sort === this.filter.sort;
      setAttribute(cell, "aria-sort", sorted ? (this.filter.back ? "descending" : "ascending") : null);
    }
    cancelAnimationFrame(this.later);
    const whole = list.length <= FIRST_LINES || this.painted;
    order(
      this.body,
      (whole ? list : list.slice(0, FIRST_LINES)).map((one) => this.#row(one)),
    );
    if (list.length) this.#marked(whole ? "all-rows" : "rows");
    if (whole) return;
    // After this frame is on the screen.
    this.later = requestAnimationFrame(() => setTimeout(() => ((this.painted = true), this.#list()), 0));
  }

  /** For whoever measures the page: when they were on the screen for the first time. */
  #marked(what) {
    if (marked.has(what)) return;
    marked.add(what);
    requestAnimationFrame(() => setTimeout(() => performance.mark(what), 0));
  }

  #row({ key, app }) {
    let row = this.rows.get(key);
    if (row) row.show(app);
    else this.rows.set(key, (row = new Row(app)));
    return row.element;
  }

  #nothing(any) {
    const key = any ? "filter" : JSON.stringify(this.store.sources.map(({ location }) => location));
    if (this.shownNothing === key) return;
    this.shownNothing = key;
    if (any) {
      const clear = () => (
        this.#set({ text: "", states: [], labels: [] }),
        (this.search.value = ""),
        this.search.focus(),
        announce("All filters are off")
      );
      refill(
        this.nothing,
        empty(
          "No server is like that",
          h("p", {}, "None has all that the search, the states and the labels ask for."),
          h("button", { type: "button", on: { click: clear } }, "Show all servers"),
        ),
      );
      return;
    }
    const { sources, agent } = this.store;
    const where = sources.map((source) => h("li", {}, h("code", {}, oneLine(source.location, 300))));
    const sees = agent.principal
      ? "Either there are none, or no role of yours lets you use or read one."
      : "A server is a file in a source of this agent, like this one:";
    refill(
      this.nothing,
      empty(
        "No servers yet",
        h("p", {}, sees),
        !agent.principal && [
          h("pre", { tabindex: "0" }, EXAMPLE),
          h(
            "p",
            {},
            "Put it as ",
            h("code", {}, "apps/everything.yaml"),
            where.length
              ? " into a source, or push it there, and it shows up here within seconds:"
              : " into a source of the agent's configuration.",
          ),
          h("ul", { class: "plain" }, where),
          h(
            "p",
            { class: "muted" },
            "Does one not show up? An agent runs only what its label selectors choose: ",
            h("code", {}, "app_service.resources"),
            " in its configuration.",
          ),
        ],
      ),
    );
  }

  #click(event) {
    const label = event.target.closest("[data-label]")?.dataset.label;
    if (label !== undefined) return this.#set({ labels: toggled(this.filter.labels, label) });
    // The whole line leads to the server, unless somebody marks text in it.
    if (event.target.closest("a, button") || String(getSelection())) return undefined;
    event.target.closest("tr")?.querySelector("a")?.click();
    return undefined;
  }

  /** Up and down the list. */
  #walk(event) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const line = step && event.target.closest("tr")?.[step];
    if (!line) return;
    event.preventDefault();
    line.querySelector("a").focus();
  }
}
