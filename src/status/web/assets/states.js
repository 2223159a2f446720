// The states of apps, with their look; what is wrong with one, in a line. Pure.

import { count } from "./text.js";

/** In the order in which somebody should look at them. The tone is a colour, the icon a shape: neither stands alone. */
export const STATES = {
  Failed: { tone: "bad", icon: "failed", says: "cannot be started, or has given up" },
  Backoff: { tone: "bad", icon: "backoff", says: "has ended, and is started again after a pause" },
  Degraded: { tone: "warn", icon: "degraded", says: "serves, but not as it should" },
  Starting: { tone: "busy", icon: "starting", says: "started, has not answered yet" },
  Pending: { tone: "busy", icon: "pending", says: "waits for its turn to start" },
  Draining: { tone: "busy", icon: "draining", says: "on its way out: open calls may end" },
  Suspended: { tone: "off", icon: "suspended", says: "stopped by somebody, until it is resumed" },
  Stopped: { tone: "off", icon: "stopped", says: "has ended, and is not to be started again" },
  Ready: { tone: "good", icon: "ready", says: "answers" },
  "Not run": { tone: "off", icon: "idle", says: "a definition that this agent does not run" },
};

export const AGENT_STATES = {
  Ready: { tone: "good", icon: "ready" },
  Reconciling: { tone: "busy", icon: "starting" },
  Stalled: { tone: "bad", icon: "failed" },
};

export const VERDICTS = {
  accepted: { tone: "good", icon: "ready", word: "Accepted" },
  refused: { tone: "bad", icon: "failed", word: "Refused" },
  unjudged: { tone: "off", icon: "idle", word: "Not judged" },
  "shown-only": { tone: "warn", icon: "degraded", word: "Would be refused" },
};

/** Of a commit as a whole. */
export const STANDINGS = {
  accepted: VERDICTS.accepted,
  refused: VERDICTS.refused,
  "nothing-to-decide": { tone: "off", icon: "idle", word: "Nothing to decide" },
  waiting: { tone: "busy", icon: "pending", word: "Not judged yet" },
  root: { tone: "good", icon: "ready", word: "Root of trust" },
  unjudged: VERDICTS.unjudged,
};

export const CONDITIONS = {
  Invalid: "Its file is not valid; the last good content is in force",
  Held: "A change of it does not take effect",
  Expired: "Its time is over",
  NotSelected: "No selector of this agent chooses it",
  Shadowed: "Another definition of this name goes before it",
  ToolsChanged: "The server has other tools than were reviewed",
};

export const stateOf = (app) => app.state ?? "Not run";

export const look = (state) => STATES[state] ?? { tone: "off", icon: "idle", says: "" };

/** An app may be there twice: once as what runs, once as a definition that does not. */
export const keyOf = (app) => JSON.stringify([app.name, app.source, app.path, app.state == null]);

const TROUBLE = new Set(["Failed", "Backoff", "Degraded"]);

/** Whether somebody should look: its state is bad, or what it is meant to be is not in force. */
export function needsLook(app) {
  // One that is tried again is in trouble until it has answered.
  if (TROUBLE.has(app.state) || app.last_lines?.length) return true;
  if (app.state == null) return app.conditions.some(({ type }) => type === "Invalid" || type === "Held");
  return app.conditions.length > 0 || gaps(app).length > 0 || Object.keys(app.dynamic_label_problems ?? {}).length > 0;
}

const gaps = (app) => (app.confinement ?? []).filter((one) => one.gap || !one.by);

/** What is wrong, or why it is as it is: as `mcpfleet status` has it, but for when the next start is due. */
export function why(app) {
  const parts = [];
  if (app.reason) parts.push(app.reason);
  for (const { type, message } of app.conditions) parts.push(`${type}: ${message}`);
  for (const [key, problem] of Object.entries(app.dynamic_label_problems ?? {})) parts.push(`label ${key}: ${problem}`);
  for (const { what, gap } of gaps(app)) parts.push(`${what} is not in force${gap ? `: ${gap}` : ""}`);
  if (app.updating && parts.length === 0) parts.push("a new version is on its way");
  return parts.join("; ");
}

/** All labels: those of the definition and those that commands gave. */
export const labelsOf = (app) => ({ ...app.labels, ...app.dynamic_labels });

export const describeCount = (n) => count(n, "server");
