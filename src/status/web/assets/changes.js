// What was pushed, and what became of it: a verdict for every change, and what to do about what is held.

import { get } from "./api.js";
import { h, refill, time } from "./dom.js";
import { action, appLink, author, badge, empty, failure, loaded, revision } from "./parts.js";
import { place, setQuery } from "./route.js";
import { STANDINGS, VERDICTS } from "./states.js";
import { clip, count, oneLine, sentence, short } from "./text.js";

const PAGE = 50;
const MODES = {
  enforce: "Refused changes take no effect.",
  audit: "Audit only: what would be refused is in force all the same.",
  off: "Authors are not checked: every valid change takes effect.",
};

export class Changes {
  constructor(store, parts, query) {
    this.store = store;
    this.source = query.get("source") ?? "";
    this.choice = h("select", { id: "changes-source", on: { change: () => this.#choose(this.choice.value) } });
    this.picker = h(
      "div",
      { class: "inline", hidden: true },
      h("div", { class: "field" }, h("label", { for: "changes-source" }, "Source"), this.choice),
    );
    this.fresh = h("div", { role: "status" });
    this.body = h("div", { class: "view" });
    this.element = h("div", { class: "view" }, h("h1", {}, "Changes"), this.picker, this.fresh, this.body);
    this.unsubscribe = store.subscribe(() => this.#show());
    this.#show();
  }

  end() {
    this.unsubscribe();
  }

  go(parts, query) {
    this.#choose(query.get("source") ?? "");
  }

  #choose(source) {
    this.source = source;
    setQuery(new URLSearchParams(source ? { source } : {}));
    this.loadedFor = undefined;
    this.#show();
  }

  #show() {
    if (!this.store.agent) return;
    // What is held is told of folders as well; only commits there are none.
    const followed = [...this.store.sources].sort((a, b) => Boolean(b.git) - Boolean(a.git));
    this.picker.hidden = followed.length < 2;
    const names = JSON.stringify(followed.map(({ name }) => name));
    if (names !== this.names) {
      this.names = names;
      refill(
        this.choice,
        followed.map(({ name }) => h("option", { value: name }, name)),
      );
    }
    const source = followed.find(({ name }) => name === this.source) ?? followed[0];
    if (source && this.choice.value !== source.name) this.choice.value = source.name;
    if (!source) return this.#none();
    const { git } = source;
    const at = JSON.stringify([
      source.name,
      source.revision,
      source.diagnostics.length,
      git?.seen,
      git?.accepted,
      git?.refused_total,
    ]);
    if (this.loadedFor === undefined) {
      this.loadedFor = at;
      this.#load(source.name);
    } else if (this.loadedFor !== at && this.newer !== at) {
      // Whoever reads is not moved; whoever is at the top sees it at once.
      this.newer = at;
      const again = () => {
        this.loadedFor = at;
        refill(this.fresh);
        this.#load(source.name);
      };
      if (scrollY < 40) again();
      else
        refill(
          this.fresh,
          h("button", { type: "button", on: { click: () => (scrollTo(0, 0), again()) } }, "There is something new: show it"),
        );
    }
    return undefined;
  }

  #none() {
    if (this.loadedFor === null) return;
    this.loadedFor = null;
    refill(
      this.body,
      this.store.agent.principal
        ? empty(
            "Not for you to see",
            h(
              "p",
              {},
              "Changes are part of what the agent does: a role with the resource ",
              h("code", {}, "agent"),
              " and the verb ",
              h("code", {}, "read"),
              " shows them.",
            ),
          )
        : empty("No sources", h("p", {}, "This agent runs what its own configuration has, and nothing else.")),
    );
  }

  #path(source, before) {
    const query = new URLSearchParams({ source, limit: String(PAGE) });
    if (before) query.set("before", before);
    return `v1/changes?${query}`;
  }

  #load(source) {
    loaded(
      this.body,
      () => get(this.#path(source)),
      (page) => this.#page(source, page),
    );
  }

  #page(source, page) {
    const list = h("ol", { class: "commits", "aria-label": "Commits" });
    const after = h("div", {});
    const add = ({ commits, more }) => {
      list.append(...commits.map((commit) => this.#commit(commit)));
      const last = commits.at(-1)?.commit;
      refill(after, more && last && action("Older commits", () => this.#more(source, last, add, after)));
    };
    add(page);
    const nothing = page.commits.length === 0 && this.#nothing(page);
    const note = page.note && page.commits.length > 0 && h("p", { class: "muted" }, clip(page.note, 1000));
    return [
      MODES[page.mode] && h("p", { class: "muted" }, MODES[page.mode]),
      this.#held(page.held ?? []),
      nothing,
      list,
      after,
      note,
    ];
  }

  async #more(source, before, add, after) {
    try {
      add(await get(this.#path(source, before)));
    } catch (error) {
      refill(
        after,
        failure(error, () => this.#more(source, before, add, after)),
      );
    }
  }

  #nothing({ mode, note }) {
    if (mode !== "directory")
      return empty("No commits", h("p", {}, clip(note ?? "Nothing was pushed to this source since it is trusted.", 1000)));
    return empty(
      "No commits in a folder",
      h(
        "p",
        {},
        "Whoever can write this folder is trusted: there are no authors, no verdicts and no history. A git source has all three.",
      ),
      h("p", {}, h("code", {}, "mcpfleet init DIR"), " makes a repository to begin with."),
    );
  }

  /** What is not in force, and what somebody can do about each. */
  #held(held) {
    if (!held.length) return null;
    const one = ({ path, app, commit, code, message, help }) =>
      h(
        "li",
        {},
        h(
          "p",
          {},
          h("strong", {}, app ? appLink(app) : oneLine(path ?? "", 300)),
          app && path && [" ", h("code", {}, clip(path, 300))],
          " ",
          h("span", { class: "muted" }, `[${oneLine(code ?? "", 60)}]`),
        ),
        h("p", {}, sentence(clip(message, 2000)), commit && !message.includes(short(commit)) && [" ", revision(commit)]),
        help && h("p", {}, h("strong", {}, "What to do: "), clip(help, 1000), "."),
      );
    return h(
      "section",
      { class: "card", "aria-labelledby": "held-title" },
      h(
        "div",
        { class: "cardhead" },
        h("h2", { id: "held-title" }, "Not in force"),
        badge({ tone: "warn", icon: "look" }, count(held.length, "file or app", "files or apps")),
      ),
      h("ul", { class: "steps" }, held.slice(0, 200).map(one)),
      held.length > 200 && h("p", { class: "muted" }, `and ${held.length - 200} more: mcpfleet status -o json`),
    );
  }

  #commit({ commit, time: when, author: name, signer, subject, standing, message, changes, left_out: left }) {
    const look = STANDINGS[standing] ?? STANDINGS.unjudged;
    const partly = standing === "refused" && changes.some(({ verdict }) => verdict === "accepted");
    const shown = changes.slice(0, 100).map((one) => this.#change(one));
    const more = changes.length - shown.length + (left ?? 0);
    return h(
      "li",
      { class: "commit-card" },
      h(
        "div",
        { class: "commit-head" },
        h("h3", {}, oneLine(subject, 200) || "(no message)"),
        badge(look, partly ? "Partly refused" : look.word),
        revision(commit),
      ),
      h("div", { class: "meta" }, author(name, signer), when && time(when)),
      message && h("p", { class: "muted" }, clip(message, 1000)),
      (shown.length > 0 || more > 0) &&
        h("ul", { class: "changelist" }, shown, more > 0 && h("li", { class: "muted" }, `and ${count(more, "change")} more`)),
    );
  }

  #change({ path, kind, name, verb, verdict, code, rule, message }) {
    const look = VERDICTS[verdict] ?? VERDICTS.unjudged;
    const what =
      kind && name
        ? [
            verb,
            " ",
            kind === "app"
              ? h("a", { href: place(["apps", name]) }, `app/${oneLine(name, 128)}`)
              : `${kind}/${oneLine(name, 128)}`,
          ]
        : (verb ?? "changed");
    const accepted = verdict === "accepted";
    return h(
      "li",
      {},
      h(
        "div",
        { class: "what" },
        badge(look, look.word),
        h("span", {}, what),
        h("code", { class: "muted" }, clip(path, 300)),
        accepted && message && h("span", { class: "sub" }, clip(message, 1000)),
      ),
      !accepted && message && h("p", {}, sentence(clip(message, 2000)), code && h("span", { class: "muted" }, ` [${code}]`)),
      !accepted && rule && h("p", { class: "muted" }, "Rule: ", h("code", {}, clip(rule, 500))),
    );
  }
}
