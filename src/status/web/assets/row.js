// One line of the list of servers. Made once; afterwards only the cells are touched of which something has changed.

import { h, refill, setAttribute, setText, time } from "./dom.js";
import { changeBadge, stateBadge } from "./parts.js";
import { place } from "./route.js";
import { labelsOf, needsLook, stateOf, why } from "./states.js";
import { authorName, clip, oneLine, short } from "./text.js";

const MAX_LABELS = 4;

export const chip = (label) =>
  h(
    "button",
    { type: "button", class: "chip", tabindex: "-1", "data-label": label, title: `Only servers with ${oneLine(label, 200)}` },
    oneLine(label, 48),
  );

export class Row {
  constructor(app) {
    this.name = h("a", { href: place(["apps", app.name]) }, oneLine(app.name, 128));
    this.description = h("p", { class: "sub" });
    this.badge = stateBadge(stateOf(app));
    this.since = h("span", { class: "sub" });
    this.why = h("span", {});
    this.next = h("span", { class: "sub" });
    this.whyCell = h("td", { role: "cell", class: "c-why" }, this.next, this.why);
    this.commit = h("code", { class: "commit" });
    this.author = h("span", { class: "sub" });
    this.labels = h("td", { role: "cell", class: "c-labels" });
    this.sessions = h("td", { role: "cell", class: "c-num" });
    this.restarts = h("td", { role: "cell", class: "c-num" });
    this.element = h(
      "tr",
      { role: "row" },
      h("th", { role: "rowheader", scope: "row", class: "c-name" }, this.name, this.description),
      h("td", { role: "cell", class: "c-state" }, this.badge, " ", this.since),
      this.whyCell,
      h("td", { role: "cell", class: "c-made" }, this.commit, " ", this.author),
      this.labels,
      this.sessions,
      this.restarts,
    );
    this.show(app);
  }

  show(app) {
    const before = this.app;
    if (before === app) return;
    this.app = app;
    setText(this.description, oneLine(app.description ?? "", 200));
    const state = stateOf(app);
    if (!before || stateOf(before) !== state) changeBadge(this.badge, state);
    if (before?.since !== app.since) refill(this.since, app.since ? time(app.since, "for") : "");
    const reason = why(app);
    setText(this.why, oneLine(reason, 160));
    setAttribute(this.whyCell, "title", reason.length > 60 ? clip(reason, 2000) : null);
    if (before?.next_attempt !== app.next_attempt)
      refill(this.next, app.next_attempt && ["next start ", time(app.next_attempt, "until"), ": "]);
    setAttribute(this.element, "class", needsLook(app) ? "look" : null);
    if (before?.revision !== app.revision) {
      setText(this.commit, app.revision ? short(app.revision) : "");
      setAttribute(this.commit, "title", app.revision);
    }
    setText(this.author, app.author ? oneLine(authorName(app.author), 60) : "");
    setAttribute(this.author, "class", app.signer ? "sub is-signed" : "sub");
    setAttribute(
      this.author,
      "title",
      app.signer ? `${oneLine(app.author, 200)}, signed by ${app.signer}` : app.author && oneLine(app.author, 200),
    );
    this.#labels(before, app);
    this.#number(this.sessions, app.sessions, "sessions");
    this.#number(this.restarts, app.restarts, "restarts");
  }

  #labels(before, app) {
    const labels = Object.entries(labelsOf(app)).map(([key, value]) => `${key}=${value}`);
    if (before && this.shownLabels === labels.join("\n")) return;
    this.shownLabels = labels.join("\n");
    const more =
      labels.length > MAX_LABELS &&
      h("span", { class: "sub", title: clip(labels.slice(MAX_LABELS).join(", "), 1000) }, `+${labels.length - MAX_LABELS}`);
    refill(this.labels, labels.slice(0, MAX_LABELS).map(chip), more);
  }

  #number(cell, n, what) {
    setText(cell, n);
    setAttribute(cell, "data-what", n === 1 ? what.slice(0, -1) : what);
    setAttribute(cell, "data-zero", n === 0);
  }
}
