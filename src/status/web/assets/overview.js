// How a server does, what it is made of, and whose work that is.

import { copyButton, h, refill, time } from "./dom.js";
import { author, box, code, facts, revision } from "./parts.js";
import { place } from "./route.js";
import { CONDITIONS, labelsOf } from "./states.js";
import { clip, count, oneLine, sentence } from "./text.js";

export class Overview {
  constructor(server) {
    this.server = server;
    this.element = h("div", { class: "cards" });
  }

  show() {
    const { app, detail } = this.server;
    if (!app) return;
    const text = JSON.stringify([app, detail?.definition]);
    if (text === this.shown) return;
    this.shown = text;
    const scrolled = this.element.querySelector(".definition")?.scrollTop;
    const copied = this.element.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    refill(
      this.element,
      this.#trouble(app),
      this.#state(app),
      this.#made(app),
      this.#instances(app),
      this.#confinement(app),
      this.#definition(app, detail),
    );
    if (scrolled) this.element.querySelector(".definition").scrollTop = scrolled;
    if (copied)
      [...this.element.querySelectorAll("[aria-label]")].find((one) => one.getAttribute("aria-label") === copied)?.focus();
  }

  #trouble(app) {
    const bad = ["Failed", "Backoff"].includes(app.state);
    const boxes = [];
    if (app.reason && app.state !== "Ready") {
      const next = app.next_attempt && h("p", {}, "Next start ", time(app.next_attempt, "until"), ".");
      const lines =
        app.last_lines?.length &&
        h(
          "pre",
          { class: "wrap", tabindex: "0", role: "region", "aria-label": "What the server wrote last" },
          app.last_lines.map((line) => `${clip(line, 2000)}\n`),
        );
      const logs =
        (bad || app.state === "Degraded") && h("p", {}, h("a", { href: place(["apps", app.name, "logs"]) }, "All of its logs"));
      boxes.push(
        box(
          bad ? "bad" : app.state === "Degraded" ? "warn" : "off",
          bad ? "failed" : app.state === "Degraded" ? "degraded" : "look",
          h("p", {}, h("strong", {}, sentence(clip(app.reason, 2000)))),
          next,
          lines,
          logs,
        ),
      );
    }
    for (const { type, code: reason, message } of app.conditions) {
      const what = h(
        "p",
        {},
        h("strong", {}, CONDITIONS[type] ?? type, ". "),
        clip(message, 2000),
        reason && h("span", { class: "muted" }, ` [${oneLine(reason, 60)}]`),
      );
      boxes.push(
        box(
          type === "NotSelected" || type === "Expired" || type === "Shadowed" ? "off" : "warn",
          "look",
          what,
          h("p", { class: "muted" }, help(type, reason)),
        ),
      );
    }
    for (const [key, problem] of Object.entries(app.dynamic_label_problems ?? {}))
      boxes.push(box("warn", "degraded", h("p", {}, h("strong", {}, "Label ", key, ": "), clip(problem, 1000))));
    return boxes.length > 0 && h("div", { class: "view card-row" }, boxes);
  }

  #state(app) {
    const url = h("code", {}, app.url);
    return h(
      "section",
      { class: "card" },
      h("h2", {}, "State"),
      facts([
        ["In this state", app.since && time(app.since, "for")],
        ["URL", app.state != null && [url, copyButton(() => app.url, "the URL")]],
        ["Sessions", app.state != null && String(app.sessions)],
        ["Restarts", app.state != null && String(app.restarts)],
        ["Last exit", app.last_exit && [clip(app.last_exit, 500), app.last_exit_at && time(app.last_exit_at)]],
        ["Server", app.server && oneLine(app.server, 200)],
        ["Era", app.era && (app.era === "modern" ? "modern (stateless)" : "legacy (sessions)")],
        [
          "Tools",
          app.tools && [
            h("a", { href: place(["apps", app.name, "tools"]) }, count(app.tools.count, "tool")),
            h(
              "code",
              { class: "muted", title: "First digits of the digest of names, descriptions and schemas" },
              app.tools.digest,
            ),
          ],
        ],
        ["Update", app.updating && "a newer definition is not in force yet"],
      ]),
    );
  }

  #made(app) {
    const labels = Object.entries(labelsOf(app)).map(([key, value]) => `${key}=${value}`);
    return h(
      "section",
      { class: "card" },
      h("h2", {}, "Definition"),
      facts([
        ["Revision", app.revision && [revision(app.revision), copyButton(() => app.revision, "the revision")]],
        ["Author", app.author && author(app.author, app.signer)],
        ["Source", app.source && [oneLine(app.source, 100), h("code", {}, clip(app.path, 500))]],
        ["Selected by", app.selected_by && h("code", {}, clip(app.selected_by, 300))],
        [
          "Labels",
          labels.length > 0 &&
            h(
              "span",
              { class: "chips" },
              labels.map((label) =>
                h("a", { class: "chip", href: place([], new URLSearchParams({ label })) }, oneLine(label, 80)),
              ),
            ),
        ],
        ["Kind", app.type],
        ["Command", app.command.length > 0 && h("code", {}, clip(app.command.map(quoted).join(" "), 2000))],
        ["Remote", app.remote && h("code", {}, clip(app.remote, 500))],
      ]),
    );
  }

  #instances(app) {
    if (app.state == null) return null;
    if (!app.instances.length)
      return h(
        "section",
        { class: `card${app.confinement?.length ? "" : " wide"}` },
        h("h2", {}, "Instances"),
        h("p", { class: "muted" }, "No process runs at the moment."),
      );
    const rows = app.instances.map((one) =>
      h(
        "tr",
        {},
        h(
          "th",
          { scope: "row" },
          h(
            "a",
            { href: place(["apps", app.name, "logs"], new URLSearchParams({ instance: one.id })), title: "Its logs" },
            one.id,
          ),
        ),
        h("td", {}, one.role, one.draining ? ", draining" : ""),
        h("td", {}, one.pid ?? "–"),
        h("td", {}, time(one.since, "for")),
        h("td", {}, h("code", {}, one.spec)),
      ),
    );
    const head = h(
      "tr",
      {},
      ["Instance", "For", "Process", "Up", "Spec"].map((word) => h("th", { scope: "col" }, word)),
    );
    return h(
      "section",
      { class: `card scroll${app.confinement?.length ? "" : " wide"}` },
      h("h2", {}, "Instances"),
      h("table", { class: "grid" }, h("thead", {}, head), h("tbody", {}, rows)),
    );
  }

  #confinement(app) {
    if (!app.confinement?.length) return null;
    const one = ({ what, by, gap }) =>
      h(
        "div",
        {},
        h("dt", {}, h("code", {}, what)),
        h("dd", {}, by ? `by ${by}` : "not in force", gap && h("span", { class: "problem" }, gap)),
      );
    return h(
      "section",
      { class: "card" },
      h("h2", {}, "Limits and sandbox"),
      h("dl", { class: "facts" }, app.confinement.map(one)),
    );
  }

  #definition(app, detail) {
    if (!detail?.definition) return null;
    const text = code(detail.definition, "The definition in force");
    text.classList.add("definition");
    return h(
      "section",
      { class: "card wide" },
      h(
        "div",
        { class: "cardhead" },
        h("h2", {}, "As it is in force"),
        copyButton(() => detail.definition, "the definition"),
      ),
      text,
    );
  }
}

const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function help(type, code) {
  if (type === "ToolsChanged") return "Look at the tools; if they are as they should be, restart the server and accept them.";
  if (type === "Invalid") return "Correct the file in its source: the next good content takes effect by itself.";
  if (type === "Held" && code === "prune-guard")
    return "Its file is gone with many others. Let the removals pass on the page of all servers, or bring the files back.";
  if (type === "Held") return "Changes say which commit it was, and what to do.";
  if (type === "NotSelected")
    return "Give it labels that a selector of this agent has, or add a selector to app_service.resources.";
  if (type === "Shadowed") return "Give one of the two another name.";
  return "";
}
