// What a server writes to its stderr, as it comes.

import { Refusal, appPath, explain, request } from "./api.js";
import { h, refill, setAttribute, setText } from "./dom.js";
import { seen } from "./live.js";
import { setQuery } from "./route.js";
import { lines } from "./sse.js";
import { clip, count, fullTime, timeOfDay } from "./text.js";

const TAIL = 500;
/** So many lines are kept on the page. */
const MAX_LINES = 3000;
/** A line is shown up to here; the agent keeps up to 16 KiB of it. */
const MAX_SHOWN = 4000;
const PREVIOUS = "\u0000previous";

export class Logs {
  constructor(server, query) {
    this.server = server;
    this.instance = query.get("instance") ?? "";
    this.waiting = [];
    this.total = 0;
    this.log = h("div", {
      class: "log",
      role: "log",
      "aria-live": "off",
      "aria-label": "Log of the server",
      tabindex: "0",
      on: { scroll: () => this.#scrolled() },
    });
    this.choice = h("select", { id: "log-instance", on: { change: () => this.#choose(this.choice.value) } });
    this.follow = h(
      "button",
      { type: "button", "aria-pressed": "false", on: { click: () => this.#pause(!this.paused) } },
      "Pause",
    );
    this.note = h("p", { class: "muted grow", role: "status" });
    this.element = h(
      "div",
      { class: "view" },
      h(
        "div",
        { class: "inline" },
        h("div", { class: "field" }, h("label", { for: "log-instance" }, "Process"), this.choice),
        this.follow,
        this.note,
      ),
      this.log,
    );
    this.#open();
    // A browser has few connections for one agent, over all its pages.
    this.unsee = seen(
      () => (this.away = this.current).abort(),
      () => this.away === this.current && this.#open(true),
    );
  }

  show() {
    const { app } = this.server;
    if (!app) return;
    const options = [
      ["", "All of this server"],
      ...app.instances.map(({ id, role }) => [id, `${id} (${role})`]),
      [PREVIOUS, "The last one that ended"],
    ];
    if (this.instance && !options.some(([id]) => id === this.instance)) options.push([this.instance, `${this.instance} (ended)`]);
    const text = JSON.stringify(options);
    if (text === this.options || document.activeElement === this.choice) return;
    this.options = text;
    refill(
      this.choice,
      options.map(([value, word]) => h("option", { value: value === PREVIOUS ? "previous:" : value }, word)),
    );
    this.choice.value = this.instance === PREVIOUS ? "previous:" : this.instance;
  }

  go(query) {
    const instance = query.get("instance") ?? "";
    if (instance === this.instance) return;
    this.instance = instance;
    this.options = undefined;
    this.show();
    this.#open();
  }

  end() {
    this.ended = true;
    this.unsee();
    this.current?.abort();
    cancelAnimationFrame(this.due);
  }

  #choose(value) {
    this.instance = value === "previous:" ? PREVIOUS : value;
    setQuery(new URLSearchParams(this.instance && this.instance !== PREVIOUS ? { instance: this.instance } : {}));
    this.#open();
  }

  #pause(paused) {
    this.paused = paused;
    setAttribute(this.follow, "aria-pressed", String(paused));
    setText(this.follow, paused ? "Go on" : "Pause");
    if (!paused) {
      this.pinned = true;
      this.#flush();
      this.log.scrollTop = this.log.scrollHeight;
    }
    this.#say();
  }

  #scrolled() {
    this.pinned = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
  }

  /** Follows the log, and does so again after the connection was lost, from where it was. */
  async #open(again = false) {
    this.current?.abort();
    const mine = (this.current = new AbortController());
    if (!again) {
      refill(this.log);
      this.waiting = [];
      this.total = 0;
      this.pinned = true;
      // What came last, which a new connection tells again.
      this.told = [];
    }
    let wait = 1000;
    const { told } = this;
    while (!mine.signal.aborted && !this.ended) {
      try {
        this.problem = "";
        const before = new Set(told);
        const query = new URLSearchParams({ tail: String(TAIL) });
        if (this.instance === PREVIOUS) query.set("previous", "true");
        else query.set("follow", "true");
        if (this.instance && this.instance !== PREVIOUS) query.set("instance", this.instance);
        const response = await request("GET", `${appPath(this.server.name, "/logs")}?${query}`, { signal: mine.signal });
        // Nothing may come for long.
        this.#say();
        for await (const text of lines(response.body)) {
          if (mine.signal.aborted) return;
          if (!text) continue;
          const line = JSON.parse(text);
          if (before.has(text)) continue;
          told.push(text);
          if (told.length > TAIL) told.shift();
          wait = 1000;
          this.#add(line);
        }
        if (this.instance === PREVIOUS) return this.#say();
        this.problem = "The log has ended. Asking again…";
      } catch (error) {
        if (error.name === "AbortError") return undefined;
        this.problem = explain(error);
        this.#say();
        // It will not get better by asking again.
        if (error instanceof Refusal && error.status >= 400 && error.status < 500 && error.status !== 429) return undefined;
      }
      this.#say();
      await new Promise((resolve) => {
        setTimeout(resolve, wait);
        mine.signal.addEventListener("abort", resolve, { once: true });
      });
      wait = Math.min(wait * 2, 15000);
    }
    return undefined;
  }

  #add(line) {
    this.waiting.push(line);
    if (this.waiting.length > MAX_LINES) this.waiting.shift();
    this.total += 1;
    this.due ??= requestAnimationFrame(() => {
      this.due = null;
      if (this.paused) this.#say();
      else this.#flush();
    });
  }

  #flush() {
    const shown = this.waiting
      .splice(0)
      .map(({ time, instance, text, missed }) =>
        h(
          "div",
          { class: missed ? "note" : null },
          h("time", { datetime: time, title: fullTime(time) }, timeOfDay(time)),
          h("span", { title: instance }, instance),
          h("p", {}, clip(text, MAX_SHOWN)),
        ),
      );
    if (shown.length) this.log.append(...shown);
    const over = this.log.childElementCount - MAX_LINES;
    for (let i = 0; i < over; i += 1) this.log.firstElementChild.remove();
    if (this.pinned) this.log.scrollTop = this.log.scrollHeight;
    this.#say();
  }

  #say() {
    const waiting =
      this.paused && this.waiting.length ? `Paused: ${count(this.waiting.length, "new line")}` : this.paused ? "Paused" : "";
    setText(this.note, this.problem || waiting || (this.total === 0 ? "It has written nothing so far." : ""));
  }
}
