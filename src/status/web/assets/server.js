// One server: what it is and how it does, and a tab each for its logs, tools, clients and history.

import { Refusal, appPath, get } from "./api.js";
import { h, icon, refill, setText } from "./dom.js";
import { Overview } from "./overview.js";
import { action, changeBadge, confirm, empty, failure, stateBadge } from "./parts.js";
import { place } from "./route.js";
import { stateOf } from "./states.js";
import { clip, oneLine } from "./text.js";
import { order } from "./top.js";

const TABS = {
  "": ["Overview", async () => Overview],
  logs: ["Logs", async () => (await import("./logs.js")).Logs],
  tools: ["Tools", async () => (await import("./tools.js")).Tools],
  connect: ["Connect", async () => (await import("./connect.js")).Connect],
  history: ["History", async () => (await import("./history.js")).History],
};

export class Server {
  constructor(store, parts, query) {
    this.store = store;
    this.name = parts[1] ?? "";
    this.detail = null;
    this.badge = stateBadge("Pending");
    this.lede = h("p", { class: "lede" });
    this.buttons = h("div", { class: "buttons" });
    this.problem = h("div", {});
    this.body = h("div", { class: "view" });
    this.tabs = h("nav", { class: "tabs", "aria-label": "Of this server" });
    this.element = h(
      "div",
      { class: "view" },
      h("a", { class: "back", href: place([]) }, icon("arrow"), "All servers"),
      h("div", { class: "titleline" }, h("h1", {}, oneLine(this.name, 128)), this.badge, this.buttons),
      this.lede,
      this.problem,
      this.tabs,
      this.body,
    );
    this.badge.hidden = true;
    this.unsubscribe = store.subscribe((change) => this.#changed(change));
    this.go(parts, query);
    this.#show();
    this.#load();
  }

  end() {
    this.unsubscribe();
    this.tab?.end?.();
  }

  go(parts, query) {
    const name = parts[2] ?? "";
    if (this.tabName === name && this.tab) return this.tab.go?.(query);
    this.tabName = name;
    refill(
      this.tabs,
      Object.entries(TABS).map(([key, [word]]) =>
        h("a", { href: place(["apps", this.name, ...(key ? [key] : [])]), "aria-current": key === name ? "page" : null }, word),
      ),
    );
    return this.#open(name, query);
  }

  async #open(name, query) {
    this.tab?.end?.();
    this.tab = null;
    const load = TABS[name]?.[1];
    try {
      const Tab = load ? await load() : null;
      if (this.tabName !== name) return;
      if (!Tab) {
        refill(this.body, empty("No such page", h("p", {}, "This server has none of this name.")));
        return;
      }
      this.tab = new Tab(this, query);
      refill(this.body, this.tab.element);
      this.tab.show?.();
    } catch (error) {
      refill(
        this.body,
        failure(error, () => this.#open(name, query)),
      );
    }
  }

  /** The definition, what one may, and what clients need: asked for again when the definition is another one. */
  async #load() {
    const { app } = this;
    this.loadedFor = app && `${app.revision} ${app.url}`;
    try {
      this.detail = await get(appPath(this.name));
      this.loadError = null;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.loadError = error;
    }
    this.#show();
  }

  get app() {
    return this.store.app(this.name) ?? this.detail?.app;
  }

  may(what) {
    return this.detail?.may?.[what] === true;
  }

  #changed({ keys, gone }) {
    const { app } = this;
    if (app && this.loadedFor !== `${app.revision} ${app.url}`) this.#load();
    if (keys.size || gone.length || app !== this.shown) this.#show();
  }

  #show() {
    const app = this.store.app(this.name);
    this.badge.hidden = !app;
    const missing = this.store.agent && !app;
    this.tabs.hidden = this.body.hidden = Boolean(missing);
    if (missing) {
      refill(this.buttons);
      refill(
        this.problem,
        empty(
          "There is no such server here",
          h("p", {}, "It may have been removed, or you may not see it. ", h("a", { href: place([]) }, "All servers")),
        ),
      );
      setText(this.lede, "");
      this.shownMissing = true;
      return;
    }
    if (this.shownMissing) refill(this.problem);
    this.shownMissing = false;
    if (!app) return;
    const keepFocus = this.shown === app;
    this.shown = app;
    changeBadge(this.badge, stateOf(app));
    setText(this.lede, clip(app.description ?? "", 1000));
    this.lede.hidden = !app.description;
    if (!keepFocus || this.detail !== this.buttonsFor) this.#actions(app);
    this.tab?.show?.();
  }

  #actions(app) {
    const suspended = app.state === "Suspended";
    const wanted = [
      this.may("restart") && app.state !== null && !suspended,
      this.may("suspend") && app.state !== null && (suspended ? "resume" : "suspend"),
    ].join();
    this.buttonsFor = this.detail;
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    const [restart, suspend] = wanted.split(",");
    refill(
      this.buttons,
      restart === "true" && action("Restart", () => this.#restart()),
      suspend === "suspend" && action("Suspend", () => this.#suspend()),
      suspend === "resume" &&
        action("Resume", () => order("v1/resume", `${this.name} is started again`, { app: this.name }), { class: "strong" }),
    );
  }

  async #restart() {
    const changed = this.app.conditions.some(({ type }) => type === "ToolsChanged");
    const says = [
      h(
        "p",
        {},
        "A new process is started first and takes over once it has answered. Calls that are open at the old one have the server's grace period to end; sessions of its own end with it. If the new one does not start, the old one goes on.",
      ),
    ];
    const form =
      changed &&
      h(
        "label",
        { class: "check" },
        h("input", { type: "checkbox", name: "accept" }),
        "Accept the tools that it has then, though they are not those that were reviewed",
      );
    const answer = await confirm({ title: `Restart ${this.name}?`, says, form, confirm: "Restart" });
    if (answer)
      await order(appPath(this.name, "/restart"), `${this.name} is being restarted`, {
        accept_tools: answer.get("accept") === "on",
      });
  }

  async #suspend() {
    const { sessions } = this.app;
    const says = h(
      "p",
      {},
      "Its processes are stopped, and clients get an error that says so",
      sessions ? `; ${sessions === 1 ? "1 session ends" : `${sessions} sessions end`}` : "",
      ". It stays stopped whatever its source says, also when the agent is started again, until somebody resumes it.",
    );
    if (await confirm({ title: `Suspend ${this.name}?`, says, confirm: "Suspend", tone: "danger" }))
      await order("v1/suspend", `${this.name} is suspended`, { app: this.name });
  }
}
