// The versions of a server's definition: who made each, whether it was accepted, and what it changed.

import { appPath, get } from "./api.js";
import { h, refill, time } from "./dom.js";
import { diff } from "./diff.js";
import { action, author, badge, empty, failure, loaded, revision } from "./parts.js";
import { VERDICTS } from "./states.js";
import { clip, oneLine, sentence, short } from "./text.js";

const PAGE = 20;
const VERBS = { create: "created", update: "updated", delete: "removed" };

export class History {
  constructor(server) {
    this.server = server;
    this.element = h("div", { class: "view" });
    this.#load();
  }

  /** A new version is the only thing here that changes. */
  show() {
    const revisionNow = this.server.app?.revision;
    if (this.revision && revisionNow && revisionNow !== this.revision) this.#load();
    this.revision = revisionNow;
  }

  #load() {
    const path = `${appPath(this.server.name, "/history")}?limit=${PAGE}`;
    const load = async () => {
      try {
        return await get(path);
      } catch (error) {
        if (error.code !== "no-history" && error.status !== 404) throw error;
        return { none: error.code === "no-history" ? error.message : "This agent keeps no history of it." };
      }
    };
    loaded(this.element, load, (page) => this.#page(page));
  }

  #page({ versions, more, note, none }) {
    if (none || versions.length === 0)
      return empty("No history", h("p", {}, clip(none ?? note ?? "No commit that this agent knows has changed it.", 1000)));
    const list = h("ol", { class: "commits" });
    const after = h("div", {});
    const add = (page) => {
      list.append(...page.versions.map((one, index) => this.#version(one, list.childElementCount + index === 0)));
      const last = page.versions.at(-1)?.commit;
      refill(after, page.more && last && action("Older versions", () => this.#more(last, add, after)));
    };
    add({ versions, more });
    return [list, after, note && h("p", { class: "muted" }, clip(note, 1000))];
  }

  async #more(before, add, after) {
    try {
      add(await get(`${appPath(this.server.name, "/history")}?limit=${PAGE}&before=${encodeURIComponent(before)}`));
    } catch (error) {
      refill(
        after,
        failure(error, () => this.#more(before, add, after)),
      );
    }
  }

  #version(version, first) {
    const { commit, subject, verdict, code, rule, message } = version;
    const look = VERDICTS[verdict] ?? VERDICTS.unjudged;
    const why =
      message &&
      h(
        "p",
        { class: verdict === "refused" ? "problem" : "muted" },
        sentence(clip(message, 2000)),
        code && ` [${code}]`,
        rule && !message.includes(rule) && ` (${clip(rule, 300)})`,
      );
    const change = version.diff
      ? diff(version.diff, `What ${short(commit)} changed`)
      : h("p", { class: "muted" }, clip(version.diff_note ?? "Nothing to compare.", 500));
    return h(
      "li",
      { class: "commit-card" },
      h(
        "div",
        { class: "commit-head" },
        h("h3", {}, oneLine(subject, 200) || "(no message)"),
        version.in_force && badge({ tone: "good", icon: "ready" }, "In force"),
        badge(look, look.word),
        revision(commit),
      ),
      h(
        "div",
        { class: "meta" },
        author(version.author, version.signer),
        h("span", {}, VERBS[version.verb] ?? version.verb, version.time && [" ", time(version.time)]),
        h("code", {}, version.from ? `${clip(version.from, 300)} → ` : "", clip(version.path, 300)),
      ),
      why,
      h(
        "details",
        { open: first || version.in_force },
        h("summary", {}, "What changed"),
        change,
        version.truncated &&
          h("p", { class: "muted" }, "The rest is left out: ", h("code", {}, `git show ${short(commit)}`), " has it all."),
      ),
    );
  }
}
