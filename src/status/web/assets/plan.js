// What would happen: of what waits now, or if another branch or commit were accepted.

import { get } from "./api.js";
import { h, refill } from "./dom.js";
import { badge, box, empty, loaded, revision } from "./parts.js";
import { place, setQuery } from "./route.js";
import { clip, count, oneLine, sentence } from "./text.js";

const VERBS = {
  start: { tone: "good", icon: "ready", word: "Start" },
  replace: { tone: "busy", icon: "starting", word: "Replace" },
  update: { tone: "busy", icon: "starting", word: "Update" },
  stop: { tone: "bad", icon: "stopped", word: "Stop" },
};
const HELD = {
  refused: "refused",
  invalid: "not valid",
  "prune-guard": "held by the prune guard",
  expired: "expired",
  shadowed: "shadowed",
};

export class Plan {
  constructor(store, parts, query) {
    this.store = store;
    this.query = query;
    this.source = h("select", { id: "plan-source" });
    this.ref = h("input", {
      type: "text",
      id: "plan-ref",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "What waits now",
      value: query.get("ref") ?? "",
      "aria-describedby": "plan-hint",
    });
    this.picker = h("div", { class: "field", hidden: true }, h("label", { for: "plan-source" }, "Source"), this.source);
    const submit = (event) => (event.preventDefault(), this.#run());
    this.form = h(
      "form",
      { class: "card", on: { submit } },
      h(
        "div",
        { class: "inline" },
        this.picker,
        h("div", { class: "field" }, h("label", { for: "plan-ref" }, "Branch or commit"), this.ref),
        h("button", { class: "strong" }, "Show"),
      ),
      h(
        "p",
        { class: "hint", id: "plan-hint" },
        "Shows what this agent would do if that were accepted, judged by the rules that are in force. Left empty: what waits now, because the agent is suspended or something holds it. Nothing is changed by looking.",
      ),
    );
    this.body = h("div", { class: "view" });
    this.element = h("div", { class: "view" }, h("h1", {}, "Plan"), this.form, this.body);
    this.unsubscribe = store.subscribe(() => this.#sources());
    this.#sources();
    this.#run(true);
  }

  end() {
    this.unsubscribe();
  }

  go(parts, query) {
    this.query = query;
    this.ref.value = query.get("ref") ?? "";
    this.#run(true);
  }

  #sources() {
    const followed = this.store.sources.filter(({ git }) => git);
    const names = JSON.stringify(followed.map(({ name }) => name));
    if (names === this.names) return;
    this.names = names;
    this.picker.hidden = followed.length < 2;
    refill(
      this.source,
      followed.map(({ name }) => h("option", { value: name }, name)),
    );
    const wanted = this.query.get("source");
    if (followed.some(({ name }) => name === wanted)) this.source.value = wanted;
  }

  #run(kept = false) {
    const query = new URLSearchParams();
    const source = kept ? this.query.get("source") : !this.picker.hidden && this.source.value;
    const ref = this.ref.value.trim();
    if (source) query.set("source", source);
    if (ref) query.set("ref", ref);
    if (!kept) setQuery(query);
    loaded(
      this.body,
      () => get(`v1/preview?${query}`),
      (plan) => this.#plan(plan, ref),
      "Working it out…",
    );
  }

  #plan({ base, head, error, agents = [] }, ref) {
    const between =
      base &&
      head &&
      base !== head &&
      h("p", { class: "muted" }, "From ", revision(base), " (in force) to ", revision(head), ".");
    if (error)
      return [
        between,
        box("bad", "failed", h("p", {}, h("strong", {}, "Nothing moves. "), clip(error.message, 2000), ` [${error.code}]`)),
      ];
    return [between, agents.map((agent) => this.#agent(agent, ref, agents.length > 1))];
  }

  #agent({ agent, actions, held, unchanged }, ref, many) {
    const title = many && h("h2", {}, oneLine(agent, 200));
    const same = `${count(unchanged, "server")} ${unchanged === 1 ? "runs" : "run"} on as ${unchanged === 1 ? "it is" : "they are"}.`;
    if (!actions.length && !held.length) {
      return [
        title,
        empty(
          ref ? "Nothing would change" : "Nothing waits",
          h("p", {}, ref ? "What runs here is what that revision wants. " : "What the sources want is what runs. ", same),
        ),
      ];
    }
    const counts = Object.entries(VERBS)
      .map(([verb, look]) => [look, actions.filter((one) => one.verb === verb).length])
      .filter(([, n]) => n);
    return [
      title,
      h(
        "div",
        { class: "chips" },
        counts.map(([look, n]) => badge(look, `${n} ${look.word.toLowerCase()}`)),
        held.length > 0 && badge({ tone: "warn", icon: "look" }, `${held.length} held`),
        h("span", { class: "muted" }, same),
      ),
      actions.length > 0 &&
        h(
          "section",
          { class: "card" },
          h("h2", {}, ref ? "What would happen" : "What waits"),
          h(
            "ul",
            { class: "steps" },
            actions.map((one) => this.#step(one)),
          ),
        ),
      held.length > 0 &&
        h(
          "section",
          { class: "card" },
          h("h2", {}, ref ? "What would not" : "What is held"),
          h(
            "ul",
            { class: "steps" },
            held.map((one) => this.#held(one)),
          ),
        ),
    ];
  }

  #step({ app, verb, reason, changes = [] }) {
    const look = VERBS[verb] ?? { tone: "off", icon: "idle", word: verb };
    const value = (text) =>
      text === undefined ? h("span", { class: "muted" }, "not shown, or not there") : h("code", {}, clip(text, 300));
    const fields =
      changes.length > 0 &&
      h(
        "table",
        { class: "grid" },
        h("caption", { class: "unseen" }, "What differs"),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Field", "Now", "Then"].map((word) => h("th", { scope: "col" }, word)),
          ),
        ),
        h(
          "tbody",
          {},
          changes
            .slice(0, 100)
            .map(({ field, before, after }) =>
              h(
                "tr",
                {},
                h("th", { scope: "row" }, h("code", {}, oneLine(field, 200))),
                h("td", {}, value(before)),
                h("td", {}, value(after)),
              ),
            ),
        ),
      );
    return h(
      "li",
      {},
      h(
        "div",
        { class: "chips" },
        badge(look, look.word),
        h("strong", {}, this.store.app(app) ? h("a", { href: place(["apps", app]) }, oneLine(app, 128)) : oneLine(app, 128)),
        h("span", { class: "muted" }, clip(reason, 1000)),
      ),
      fields,
    );
  }

  #held({ app, verb, by, path, reason }) {
    return h(
      "li",
      {},
      h(
        "div",
        { class: "chips" },
        badge({ tone: "warn", icon: "look" }, HELD[by] ?? by),
        h("strong", {}, oneLine(app, 200)),
        h("span", { class: "muted" }, `${(VERBS[verb]?.word ?? verb).toLowerCase()} asked for`),
        path && path !== app && h("code", { class: "muted" }, clip(path, 300)),
      ),
      h("p", {}, sentence(clip(reason, 2000))),
    );
  }
}
