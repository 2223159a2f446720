// Which servers are listed, and in which order: what the part of the address after `?` says. Pure.

import { STATES, keyOf, labelsOf, needsLook, stateOf, why } from "./states.js";

/** Not a state, but those of any state that somebody should look at. */
export const LOOK = "look";

const STATE_ORDER = new Map(Object.keys(STATES).map((state, index) => [state, index]));

const SORTS = {
  name: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  state: (a, b) => (STATE_ORDER.get(stateOf(a)) ?? 0) - (STATE_ORDER.get(stateOf(b)) ?? 0),
  changed: (a, b) => String(b.since ?? "").localeCompare(String(a.since ?? "")),
  sessions: (a, b) => b.sessions - a.sessions,
  restarts: (a, b) => b.restarts - a.restarts,
};

/** `{ text, states, labels, sort, back }` of an address. */
export function read(query) {
  const sort = query.get("sort") ?? "name";
  const name = sort.replace(/^-/, "");
  return {
    text: query.get("q") ?? "",
    states: (query.get("state") ?? "").split(",").filter(Boolean),
    labels: query.getAll("label"),
    sort: name in SORTS ? name : "name",
    back: sort.startsWith("-"),
  };
}

/** And back; what is as it always is, is left out. */
export function write({ text, states, labels, sort, back }) {
  const query = new URLSearchParams();
  if (text) query.set("q", text);
  if (states.length) query.set("state", states.join(","));
  for (const label of labels) query.append("label", label);
  if (sort !== "name" || back) query.set("sort", `${back ? "-" : ""}${sort}`);
  return query;
}

export const isEmpty = ({ text, states, labels }) => !text.trim() && states.length === 0 && labels.length === 0;

export const toggled = (list, item) => (list.includes(item) ? list.filter((other) => other !== item) : [...list, item]);

const haystacks = new WeakMap();

/** All of an app that a search looks at. */
function haystack(app) {
  let text = haystacks.get(app);
  if (text === undefined) {
    const labels = Object.entries(labelsOf(app)).map(([key, value]) => `${key}=${value}`);
    const parts = [
      app.name,
      app.description,
      app.author,
      app.signer,
      app.revision,
      app.path,
      stateOf(app),
      why(app),
      app.server,
      app.command?.join(" "),
      ...labels,
    ];
    text = parts.filter(Boolean).join("\n").toLowerCase();
    haystacks.set(app, text);
  }
  return text;
}

/** Whether an app has all words of the text, one of the states, and all labels. */
export function matches(app, { text, states, labels }) {
  if (states.length && !states.some((state) => (state === LOOK ? needsLook(app) : state === stateOf(app)))) return false;
  if (labels.length) {
    const own = labelsOf(app);
    for (const label of labels) {
      const at = label.indexOf("=");
      if (own[label.slice(0, at)] !== label.slice(at + 1)) return false;
    }
  }
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => haystack(app).includes(word));
}

/** The apps to list, in their order, with their keys. */
export function chosen(apps, filter) {
  const found = [];
  for (const app of apps) if (matches(app, filter)) found.push(app);
  const compare = SORTS[filter.sort];
  if (filter.sort !== "name") found.sort((a, b) => compare(a, b) || SORTS.name(a, b));
  if (filter.back) found.reverse();
  return found.map((app) => ({ key: keyOf(app), app }));
}

/** How many there are of each state, in the states' order, and to be looked at. */
export function counts(apps) {
  const states = new Map();
  let look = 0;
  for (const app of apps) {
    const state = stateOf(app);
    states.set(state, (states.get(state) ?? 0) + 1);
    if (needsLook(app)) look += 1;
  }
  const inOrder = [...states].sort(([a], [b]) => (STATE_ORDER.get(a) ?? 99) - (STATE_ORDER.get(b) ?? 99));
  return { states: inOrder, look };
}

/** All labels that there are, with how many have each. */
export function labelCounts(apps) {
  const labels = new Map();
  for (const app of apps) {
    for (const [key, value] of Object.entries(labelsOf(app))) {
      const label = `${key}=${value}`;
      labels.set(label, (labels.get(label) ?? 0) + 1);
    }
  }
  return [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
}
