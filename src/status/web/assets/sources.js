// Where the definitions come from: how fresh that is, and what is wrong with it.

import { h, icon, refill, time } from "./dom.js";
import { badge, revision } from "./parts.js";
import { place } from "./route.js";
import { clip, count, oneLine, short } from "./text.js";

const MAX_FINDINGS = 50;

export class Sources {
  element = h("section", { class: "sources", "aria-labelledby": "sources-title", hidden: true });
  #shown = "";
  #open = new Set();

  show(sources) {
    const text = JSON.stringify(sources);
    if (text === this.#shown) return;
    this.#shown = text;
    this.element.hidden = sources.length === 0;
    for (const details of this.element.querySelectorAll("details"))
      this.#open[details.open ? "add" : "delete"](details.dataset.source);
    const focused = this.element.contains(document.activeElement)
      ? document.activeElement.closest("[data-source]")?.dataset.source
      : null;
    refill(
      this.element,
      h("h2", { id: "sources-title", class: "unseen" }, "Sources"),
      h(
        "ul",
        {},
        sources.map((source) => this.#source(source)),
      ),
    );
    if (focused)
      [...this.element.querySelectorAll("details")]
        .find((one) => one.dataset.source === focused)
        ?.querySelector("summary")
        .focus();
  }

  #source(source) {
    const { git, error } = source;
    const tone = error
      ? "bad"
      : source.diagnostics.some(({ severity }) => severity === "error") || git?.refused_total
        ? "warn"
        : "good";
    const said = [
      git ? [oneLine(git.follows, 80), " at ", revision(source.revision)] : source.revision && ["at ", revision(source.revision)],
      source.last_read ? ["read ", time(source.last_read)] : "never read yet",
      count(source.resources, "resource"),
      git &&
        (git.mode === "off"
          ? "authors are not checked"
          : git.mode === "audit"
            ? "audit only: what is refused is in force"
            : "authors are checked"),
    ];
    return h(
      "li",
      { class: `source ${tone}` },
      h(
        "div",
        { class: "line" },
        icon(git ? "git" : "folder"),
        h("strong", {}, oneLine(source.name, 80)),
        h("span", { class: "where", title: source.location }, clip(source.location, 300)),
        said.filter(Boolean).map((part) => h("span", { class: "part" }, part)),
      ),
      error &&
        h(
          "p",
          { class: "said bad" },
          icon("failed"),
          h(
            "span",
            {},
            h("strong", {}, "Cannot be read "),
            time(error.since, "for"),
            ": ",
            clip(error.message, 2000),
            error.next_attempt && [" Next attempt ", time(error.next_attempt, "until"), "."],
          ),
        ),
      source.watch_problem && h("p", { class: "said warn" }, icon("degraded"), h("span", {}, clip(source.watch_problem, 1000))),
      git?.seen &&
        git.seen !== git.accepted &&
        git.mode !== "off" &&
        h(
          "p",
          { class: "said warn" },
          icon("starting"),
          h(
            "span",
            {},
            "Commit ",
            revision(git.seen),
            " is there; accepted up to ",
            git.accepted ? short(git.accepted) : "nothing yet",
            ".",
          ),
        ),
      git?.warnings.map((warning) => h("p", { class: "said warn" }, icon("degraded"), h("span", {}, clip(warning, 1000)))),
      git?.refused_total > 0 &&
        h(
          "p",
          { class: "said warn" },
          icon("look"),
          h(
            "a",
            { href: place(["changes"], new URLSearchParams({ source: source.name })) },
            count(
              git.refused_total,
              git.mode === "audit" ? "change would be" : "change",
              git.mode === "audit" ? "changes would be" : "changes",
            ),
            " refused: see why",
          ),
        ),
      source.diagnostics.length > 0 && this.#findings(source),
    );
  }

  #findings(source) {
    const list = source.diagnostics.slice(0, MAX_FINDINGS);
    const more = source.diagnostics.length - list.length;
    return h(
      "details",
      { "data-source": source.name, open: this.#open.has(source.name) },
      h("summary", {}, count(source.diagnostics.length, "finding"), " in its files"),
      h(
        "ul",
        { class: "findings" },
        list.map(finding),
        more > 0 && h("li", {}, `and ${more} more: `, h("code", {}, "mcpfleet validate")),
      ),
    );
  }
}

/** A mistake in a file, where it is, and what to do about it. */
function finding({ severity, code, message, help, path, line, column, line_text: text }) {
  const where = [path, line, column].filter((part) => part !== undefined).join(":");
  return h(
    "li",
    {},
    badge(severity === "error" ? { tone: "bad", icon: "failed" } : { tone: "warn", icon: "degraded" }, severity),
    " ",
    h("code", {}, oneLine(where, 200)),
    " ",
    clip(message, 1000),
    " ",
    h("span", { class: "muted" }, `[${code}]`),
    text && h("pre", {}, clip(text, 500)),
    help && h("p", { class: "muted" }, clip(help, 1000)),
  );
}
