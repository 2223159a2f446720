// The tools of a server: what each says of itself, and a form to try it.

import { announce, h, refill, setAttribute, setText } from "./dom.js";
import { SchemaForm, Wrong, showWrong } from "./form.js";
import { RpcError, call, tools } from "./mcp.js";
import { code, empty, failure, loaded } from "./parts.js";
import { shown } from "./result.js";
import { setQuery } from "./route.js";
import { asText, clip, count, oneLine, pretty } from "./text.js";
import { Refusal, explain } from "./api.js";

/** A list that is longer is searched, not scrolled. */
const MAX_TOOLS = 1000;
const HINTS = {
  readOnlyHint: "only reads",
  destructiveHint: "may destroy",
  idempotentHint: "may be repeated",
  openWorldHint: "reaches outside",
};

export class Tools {
  constructor(server, query) {
    this.server = server;
    this.wanted = query.get("tool") ?? "";
    this.element = h("div", { class: "view" });
    this.#load();
  }

  /** Other tools, another state: asked for again. */
  show() {
    const { app, detail } = this.server;
    if (!app || (!detail && !this.server.loadError)) return;
    const key = JSON.stringify([app.state === "Ready" || app.state === "Degraded", app.tools?.digest, this.server.may("use")]);
    if (key === this.shownFor) return;
    const first = this.shownFor === undefined;
    this.shownFor = key;
    if (!first && !this.busy) this.#load();
  }

  go(query) {
    this.wanted = query.get("tool") ?? "";
    const tool = this.tools?.find(({ name }) => name === this.wanted);
    if (tool && tool !== this.tool) this.#choose(tool, true);
  }

  end() {
    this.calling?.abort();
  }

  #load() {
    loaded(
      this.element,
      () => tools(this.server.name),
      (list) => this.#list(list),
      "Asking the server for its tools…",
    ).then(() => {
      // A server that is starting has them in a moment.
      const refused = this.element.querySelector("[role=alert]");
      if (refused && this.server.app?.state !== "Ready")
        refused.append(h("p", { class: "muted" }, "The server does not answer now: its state says why."));
    });
  }

  #list(list) {
    this.tools = list.filter((tool) => typeof tool?.name === "string").slice(0, MAX_TOOLS);
    if (this.tools.length === 0)
      return empty("No tools", h("p", {}, "Either the server offers none, or no role of yours lets you use one."));
    this.buttons = this.tools.map((tool) =>
      h(
        "button",
        { type: "button", "aria-pressed": "false", on: { click: () => this.#choose(tool) } },
        oneLine(tool.name, 128),
        h("span", { class: "sub" }, oneLine(tool.title ?? tool.description ?? "", 120)),
      ),
    );
    this.search = h("input", {
      type: "search",
      "aria-label": "Search tools",
      placeholder: "Search",
      autocomplete: "off",
      on: { input: () => this.#search() },
    });
    this.found = h("p", { class: "muted", role: "status" }, count(this.tools.length, "tool"));
    this.panel = h("section", { class: "card", "aria-label": "Tool" });
    const list_ = h(
      "div",
      { class: "card" },
      this.tools.length > 7 && this.search,
      this.found,
      h("div", { class: "toollist", role: "group", "aria-label": "Tools" }, this.buttons),
    );
    this.#choose(this.tools.find(({ name }) => name === this.wanted) ?? this.tools[0], true);
    return h("div", { class: "tools-view" }, list_, this.panel);
  }

  #search() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    this.tools.forEach(({ name, description }, index) => {
      const text = `${name}\n${asText(description)}`.toLowerCase();
      const found = words.every((word) => text.includes(word));
      this.buttons[index].hidden = !found;
      n += found;
    });
    setText(this.found, words.length ? `${n} of ${count(this.tools.length, "tool")}` : count(n, "tool"));
  }

  #choose(tool, quiet = false) {
    this.calling?.abort();
    this.tool = tool;
    this.tools.forEach((one, index) => setAttribute(this.buttons[index], "aria-pressed", String(one === tool)));
    if (!quiet) setQuery(new URLSearchParams({ tool: tool.name }));
    const form = new SchemaForm(tool.inputSchema);
    const output = h("div", { class: "result", "aria-live": "off" });
    const run = h("button", { class: "strong" }, "Call");
    const stop = h("button", { type: "button", hidden: true, on: { click: () => this.calling?.abort() } }, "Cancel");
    const note = h("span", { class: "muted", role: "status" });
    const submit = (event) => (event.preventDefault(), this.#call(tool, form, { output, run, stop, note }));
    // In a field of several lines the key alone makes another line.
    const keydown = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.currentTarget.requestSubmit();
    const hints = Object.entries(tool.annotations ?? {})
      .filter(([key, value]) => value === true && HINTS[key])
      .map(([key]) => HINTS[key]);
    const schema = h("details", {}, h("summary", {}, "Schema of its arguments"));
    schema.addEventListener(
      "toggle",
      () => schema.append(code(pretty(tool.inputSchema ?? {}), "Schema of the arguments", 100000)),
      { once: true },
    );
    const ready = this.server.may("use") || !this.server.detail;
    refill(
      this.panel,
      h("h2", {}, oneLine(tool.name, 128)),
      typeof tool.title === "string" && h("p", {}, h("strong", {}, oneLine(tool.title, 200))),
      h("p", { class: "prose" }, clip(tool.description ?? "It says nothing of itself.", 8000)),
      hints.length > 0 && h("p", { class: "muted" }, "It says that it ", hints.join(", "), "."),
      h(
        "form",
        { class: "form", "aria-label": `Call ${oneLine(tool.name, 128)}`, novalidate: true, on: { submit, keydown } },
        form.element,
        h(
          "div",
          { class: "buttons" },
          ready ? run : h("p", { class: "muted" }, "No role of yours lets you use this server."),
          stop,
          note,
        ),
      ),
      output,
      schema,
    );
  }

  async #call(tool, form, { output, run, stop, note }) {
    if (this.busy) return;
    let args;
    try {
      args = form.read();
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      showWrong(error);
      return;
    }
    this.busy = true;
    this.calling = new AbortController();
    run.setAttribute("aria-disabled", "true");
    stop.hidden = false;
    setText(note, "Calling…");
    const began = performance.now();
    try {
      const told = (message) => message.method === "notifications/progress" && setText(note, progress(message.params ?? {}));
      const result = await call(this.server.name, tool.name, args, { signal: this.calling.signal, told });
      refill(output, shown(result, `after ${Math.round(performance.now() - began)} ms`));
      setText(note, "");
      announce(result.isError ? "The tool says it failed" : "The tool has answered");
    } catch (error) {
      setText(note, error.name === "AbortError" ? "Cancelled." : "");
      if (error.name !== "AbortError") refill(output, this.#refused(error));
    } finally {
      this.busy = false;
      run.removeAttribute("aria-disabled");
      if (document.activeElement === stop) run.focus();
      stop.hidden = true;
    }
  }

  #refused(error) {
    if (error instanceof Refusal) return failure(error);
    if (!(error instanceof RpcError)) return h("div", { class: "box bad", role: "alert" }, h("p", {}, explain(error)));
    const data = error.data !== undefined && code(pretty(error.data), "What the server added", 20000);
    return h(
      "div",
      { class: "box bad", role: "alert" },
      h(
        "div",
        { class: "grow" },
        h("p", {}, h("strong", {}, "Refused. "), clip(error.message, 4000), ` (JSON-RPC error ${error.code})`),
        data,
      ),
    );
  }
}

function progress({ progress: done, total, message }) {
  const share = typeof total === "number" && typeof done === "number" ? ` ${done} of ${total}` : "";
  return `Calling…${share}${typeof message === "string" ? ` ${oneLine(message, 200)}` : ""}`;
}
