// What frames every view: navigation, whether it is live, who asks, the theme, what the agent itself has to say.

import { explain, keepProof, post, proof, request } from "./api.js";
import { announce, fill, h, icon, refill, setAttribute, setText, time, toast } from "./dom.js";
import { action, badge, box, confirm, field } from "./parts.js";
import { AGENT_STATES } from "./states.js";
import { clip, count, fullTime, oneLine, sentence, timeOfDay } from "./text.js";

const $ = (id) => document.getElementById(id);

const THEMES = { system: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
const THEME_ICONS = { system: "system", light: "sun", dark: "moon" };

/** The button that goes through the themes. */
export function themes() {
  const button = $("theme");
  const show = () => {
    const theme = document.documentElement.dataset.theme ?? "system";
    refill(button, icon(THEME_ICONS[theme]));
    setAttribute(button, "aria-label", THEMES[theme]);
    setAttribute(button, "title", THEMES[theme]);
    return theme;
  };
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(show()) + 1) % names.length];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("mcpfleet-theme", next);
    } catch {
      // Then it holds for as long as the page is there.
    }
    show();
    announce(THEMES[next]);
  });
  show();
}

/** Which page is shown, for who looks and who listens. */
export function mark(page) {
  for (const link of document.querySelectorAll("nav [data-page]")) {
    setAttribute(link, "aria-current", link.dataset.page === page ? "page" : null);
  }
}

const LIVE = { live: "Live", polling: "Every 5 s", paused: "Paused", lost: "Not live", ended: "Ended" };

/** Says how up to date the page is; what it shows when it is not stays, and is called old. */
export function liveness(live, { state, since, next, error }) {
  const told = $("live");
  if (told.dataset.state === "lost" && state === "live") announce("Live again");
  if (told.dataset.state !== "lost" && state === "lost") announce("Not live any more");
  told.dataset.state = state;
  setText($("live-word"), LIVE[state] ?? "Connecting…");
  const titles = {
    live: "Changes are shown as they happen",
    polling: "There is no stream of changes: the agent is asked every 5 seconds",
  };
  setAttribute(told, "title", titles[state] ?? null);
  const notice = notices.live;
  notice.replaceChildren();
  if (state === "lost") {
    const old = since ? `Not live since ${timeOfDay(since)}: what you see is from then. ` : "The agent cannot be asked. ";
    const retry = h("button", { type: "button", class: "small", on: { click: () => live.now() } }, "Try now");
    const wait = h("span", {}, "Next attempt ", time(new Date(next).toISOString(), "until"), ".");
    fill(
      notice,
      h("div", { class: "box warn" }, icon("degraded"), h("p", { class: "grow" }, old, explain(error), " ", wait), retry),
    );
  }
  if (state === "ended") {
    const login = h("button", { type: "button", class: "strong", on: { click: () => location.reload() } }, "Log in");
    fill(notice, h("div", { class: "box bad" }, icon("failed"), h("p", { class: "grow" }, explain(error)), login));
  }
}

const notices = { live: h("div", { role: "status" }), agent: h("div", {}) };

/** The agent as a whole: shown on every page while it is not as it should be. */
export class Agent {
  constructor(store) {
    this.store = store;
    fill($("notices"), notices.live, notices.agent);
    $("logout").addEventListener("click", () => this.#logout());
    store.subscribe(() => this.show());
  }

  show() {
    const { agent } = this.store;
    if (!agent) return;
    const shown = JSON.stringify([agent, this.store.me?.may]);
    if (shown === this.shown) return;
    this.shown = shown;
    const parts = [];
    if (agent.suspended) parts.push(this.#suspended(agent));
    else if (agent.state === "Stalled") parts.push(box("bad", "failed", h("p", {}, h("strong", {}, "Stalled: "), agent.message)));
    for (const { name, problem, dropped } of agent.notifications ?? []) {
      if (!problem && !dropped) continue;
      const lost = dropped > 0 && ` ${count(dropped, "message")} will reach nobody.`;
      const why = problem && ["they do not get through ", time(problem.since, "for"), ": ", clip(problem.message, 1000), "."];
      parts.push(box("warn", "degraded", h("p", {}, h("strong", {}, `Notifications to ${oneLine(name, 80)}: `), why, lost)));
    }
    if (agent.tls?.problem) parts.push(box("warn", "degraded", h("p", {}, h("strong", {}, "Certificate: "), agent.tls.problem)));
    const ends = agent.tls?.expires && Date.parse(agent.tls.expires) - Date.now();
    if (ends < 7 * 86400000)
      parts.push(
        box(
          "warn",
          "degraded",
          h(
            "p",
            {},
            "The gateway's certificate ends ",
            fullTime(agent.tls.expires),
            ": renew ",
            h("code", {}, agent.tls.cert_file),
            ".",
          ),
        ),
      );
    if (agent.audit?.problem)
      parts.push(box("bad", "failed", h("p", {}, h("strong", {}, "The audit cannot be written: "), agent.audit.problem)));
    refill(notices.agent, ...parts);
    this.#foot(agent);
  }

  #suspended(agent) {
    const resume =
      this.store.may("resume") &&
      action("Resume", () => order("v1/resume", "The agent applies changes again"), { class: "strong" });
    const text = h(
      "p",
      {},
      h("strong", {}, "Suspended "),
      time(agent.suspended),
      ". Nothing new is applied; what runs goes on. ",
      sentence(agent.message),
      ".",
    );
    return h("div", { class: "box warn" }, icon("suspended"), h("div", { class: "grow" }, text), resume);
  }

  #foot(agent) {
    const parts = [
      h("span", {}, "mcpfleet ", agent.version),
      h(
        "span",
        {},
        "gateway ",
        h("code", {}, agent.gateway),
        agent.auth === "open" ? ", open to everybody who can reach it" : "",
      ),
    ];
    if (agent.started) parts.push(h("span", {}, "started ", time(agent.started)));
    if (agent.audit?.dropped) parts.push(h("span", {}, count(agent.audit.dropped, "audit record"), " missing"));
    refill($("foot"), ...parts);
  }

  /** Who asks. */
  who(me) {
    const name = me.principal.replace(/^user\//, "");
    setText($("who"), oneLine(name, 40));
    const nobody =
      "The gateway is open, and you are nobody in particular: you may look. `mcpfleet web`, on the agent's machine, opens the page with its operator's rights.";
    setAttribute($("who"), "title", me.by === "open" ? nobody : me.expires ? `Until ${fullTime(me.expires)}` : null);
    $("who").hidden = !me.principal;
    $("logout").hidden = me.by !== "session";
    if (me.by === "session" && !proof()) {
      const again = h("button", { type: "button", class: "strong", on: { click: () => this.#again() } }, "Log in again");
      fill(
        $("notices"),
        h(
          "div",
          {},
          h(
            "div",
            { class: "box warn" },
            icon("look"),
            h("p", { class: "grow" }, "You may look, but change nothing: this browser has lost what proves that it is you."),
            again,
          ),
        ),
      );
    }
    this.show();
  }

  /** A session whose proof is gone, with the site's data perhaps, is of no use to anybody: another one takes its place. */
  async #again() {
    const says = h("p", {}, "With a token here; or without one by ", h("code", {}, "mcpfleet web"), " on the agent's machine.");
    const token = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true });
    const answer = await confirm({ title: "Log in again", says, form: field("Token", token), confirm: "Log in" });
    if (!answer) return;
    try {
      keepProof((await post("v1/web/sessions", { token: answer.get("token") })).proof);
      location.reload();
    } catch (error) {
      toast(explain(error), "bad");
    }
  }

  async #logout() {
    try {
      await request("DELETE", "v1/web/sessions");
    } catch (error) {
      // One that is gone already has ended; one that could not be ended goes on.
      if (error.status !== 401) return toast(explain(error), "bad");
    }
    keepProof(null);
    location.assign("./");
    return undefined;
  }
}

/** The agent's state, and what can be asked of it as a whole. */
export function agentLine(store) {
  const state = h("span", {});
  const message = h("span", { class: "muted" });
  const buttons = h("div", { class: "buttons" });
  const show = () => {
    const { agent } = store;
    if (!agent) return;
    if (state.textContent !== agent.state) refill(state, badge(AGENT_STATES[agent.state] ?? AGENT_STATES.Stalled, agent.state));
    // What is in the notices above the page is not said twice.
    setText(message, agent.state === "Stalled" || agent.suspended ? "" : agent.message);
    const held = [...store.apps.values()].filter((app) => app.conditions.some(({ code }) => code === "prune-guard"));
    const wanted = [
      store.may("reconcile") && "look",
      store.may("prune") && held.length > 0 && `let${held.length}`,
      store.may("suspend") && !agent.suspended && "suspend",
    ];
    if (buttons.dataset.for === String(wanted)) return;
    buttons.dataset.for = String(wanted);
    refill(
      buttons,
      wanted[1] && action(`Let ${count(held.length, "removal")} pass`, () => prune(held), { class: "danger" }),
      wanted[0] && action("Read sources now", () => order("v1/reconcile", "The agent reads its sources", { prune: false })),
      wanted[2] && action("Suspend agent", suspend),
    );
  };
  return { element: h("div", { class: "agent" }, h("p", { class: "grow" }, state, " ", message), buttons), show };
}

/** Has the agent do something, and says what came of it. */
export async function order(path, done, body = {}) {
  try {
    await post(path, body);
    toast(done);
    announce(done);
    return true;
  } catch (error) {
    toast(explain(error), "bad");
    return false;
  }
}

async function suspend() {
  const says = h(
    "p",
    {},
    "The agent applies nothing new: changes in its sources wait. What runs goes on, and is kept running. It stays so until somebody resumes it, also when the agent is started again.",
  );
  if (await confirm({ title: "Suspend the agent?", says, confirm: "Suspend" }))
    await order("v1/suspend", "The agent is suspended");
}

async function prune(held) {
  const names = held.slice(0, 20).map((app) => h("li", {}, oneLine(app.name, 128)));
  const more = held.length > 20 && h("li", {}, `and ${count(held.length - 20, "more", "more")}`);
  const says = [
    h(
      "p",
      {},
      "They are gone from their source, and the prune guard holds them because they are so many at once. They are stopped now; open calls get the grace period.",
    ),
    h("ul", {}, names, more),
  ];
  const heading = `Let ${count(held.length, "removal")} pass?`;
  if (await confirm({ title: heading, says, confirm: "Stop them", tone: "danger" }))
    await order("v1/reconcile", "The removals pass", { prune: true });
}
