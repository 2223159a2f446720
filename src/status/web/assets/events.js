// What happens in the agent, as it happens, newest first.

import { request } from "./api.js";
import { h, refill, setAttribute, setText } from "./dom.js";
import { appLink, empty, failure } from "./parts.js";
import { setQuery } from "./route.js";
import { lines } from "./sse.js";
import { clip, count, fullTime, oneLine, timeOfDay } from "./text.js";

const TAIL = 300;
const MAX_ROWS = 1000;

export class Events {
  constructor(store, parts, query) {
    this.store = store;
    this.events = [];
    this.text = h("input", {
      type: "search",
      id: "event-text",
      placeholder: "Search",
      autocomplete: "off",
      value: query.get("q") ?? "",
      on: { input: () => this.#filter() },
    });
    this.level = h(
      "select",
      { id: "event-level", on: { change: () => this.#filter() } },
      h("option", { value: "" }, "All"),
      h("option", { value: "warning" }, "Warnings"),
    );
    this.level.value = query.get("level") === "warning" ? "warning" : "";
    this.pause = h("button", { type: "button", "aria-pressed": "false", on: { click: () => this.#pause() } }, "Pause");
    this.note = h("p", { class: "muted", role: "status" });
    this.body = h("tbody", { role: "rowgroup" });
    const head = h(
      "tr",
      { role: "row" },
      ["Time", "Event", "Server", "What happened"].map((word) => h("th", { scope: "col", role: "columnheader" }, word)),
    );
    this.table = h(
      "table",
      { class: "eventlist", role: "table", "aria-label": "Events, newest first" },
      h("thead", { role: "rowgroup" }, head),
      this.body,
    );
    this.nothing = h("div", {});
    this.element = h(
      "div",
      { class: "view" },
      h("h1", {}, "Events"),
      h(
        "div",
        { class: "inline" },
        h("div", { class: "field" }, h("label", { for: "event-text" }, "Search"), this.text),
        h("div", { class: "field" }, h("label", { for: "event-level" }, "Level"), this.level),
        this.pause,
        this.note,
      ),
      this.table,
      this.nothing,
    );
    this.unsubscribe = store.onEvent((event) => this.#add(event));
    // Where changes are asked for, events are as well.
    this.timer = setInterval(() => document.getElementById("live").dataset.state === "polling" && this.#load(), 5000);
    this.#load();
  }

  end() {
    this.unsubscribe();
    clearInterval(this.timer);
    this.loading?.abort();
  }

  go(parts, query) {
    this.text.value = query.get("q") ?? "";
    this.level.value = query.get("level") === "warning" ? "warning" : "";
    this.#show();
  }

  async #load() {
    this.loading = new AbortController();
    try {
      const response = await request("GET", `v1/events?tail=${TAIL}`, { signal: this.loading.signal });
      const known = new Set(this.events.map(({ sequence }) => sequence));
      for await (const line of lines(response.body)) {
        const event = line && JSON.parse(line);
        if (event && !known.has(event.sequence)) this.events.push(event);
      }
      this.events.sort((a, b) => a.sequence - b.sequence);
      this.events.splice(0, this.events.length - MAX_ROWS);
      this.loaded = true;
      if (!this.paused) this.#show();
    } catch (error) {
      if (error.name !== "AbortError")
        refill(
          this.nothing,
          failure(error, () => this.#load()),
        );
    }
  }

  #add(event) {
    if (event.sequence && this.events.at(-1)?.sequence >= event.sequence) return;
    this.events.push(event);
    if (this.events.length > MAX_ROWS) this.events.shift();
    this.missed = (this.missed ?? 0) + 1;
    if (this.paused) return setText(this.note, `Paused: ${count(this.missed, "new event")}`);
    // Several at once are one frame's work; only their own rows are made.
    this.fresh = [...(this.fresh ?? []), event];
    this.due ??= requestAnimationFrame(() => {
      this.due = null;
      const rows = this.fresh
        .splice(0)
        .filter((one) => this.#matches(one))
        .map((one) => this.#row(one))
        .reverse();
      this.body.prepend(...rows);
      while (this.body.childElementCount > MAX_ROWS) this.body.lastElementChild.remove();
      this.#nothing();
    });
    return undefined;
  }

  #pause() {
    this.paused = !this.paused;
    this.missed = 0;
    setAttribute(this.pause, "aria-pressed", String(this.paused));
    setText(this.pause, this.paused ? "Go on" : "Pause");
    setText(this.note, this.paused ? "Paused" : "");
    if (!this.paused) this.#show();
  }

  #filter() {
    const query = new URLSearchParams();
    if (this.text.value) query.set("q", this.text.value);
    if (this.level.value) query.set("level", this.level.value);
    setQuery(query);
    this.#show();
  }

  #matches({ level, kind, app, source, instance, message }) {
    if (this.level.value && level !== this.level.value) return false;
    const text = [kind, app, source, instance, message].join("\n").toLowerCase();
    return this.text.value
      .toLowerCase()
      .split(/\s+/)
      .every((word) => text.includes(word));
  }

  #show() {
    this.fresh = [];
    refill(
      this.body,
      this.events
        .filter((one) => this.#matches(one))
        .reverse()
        .map((one) => this.#row(one)),
    );
    this.#nothing();
  }

  #nothing() {
    const none = this.body.childElementCount === 0;
    this.table.hidden = none;
    if (!none || !this.loaded) return refill(this.nothing);
    return refill(
      this.nothing,
      this.events.length
        ? empty("No event is like that", h("p", {}, "None of those that are kept."))
        : empty("Nothing has happened yet", h("p", {}, "Starts, stops, updates and refused changes show up here.")),
    );
  }

  #row({ time, level, kind, app, source, instance, message }) {
    const where = app ? appLink(app) : source ? oneLine(`source ${source}`, 100) : "agent";
    const level_ = level === "warning" && h("span", { class: "unseen" }, " (warning)");
    return h(
      "tr",
      { role: "row", class: level === "warning" ? "warning" : null },
      h("td", { role: "cell" }, h("time", { datetime: time, title: fullTime(time) }, timeOfDay(time))),
      h("td", { role: "cell", class: "kind" }, oneLine(kind, 60), level_),
      h("td", { role: "cell", title: instance }, where),
      h("td", { role: "cell", class: "message" }, clip(message, 2000)),
    );
  }
}
