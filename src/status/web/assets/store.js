// What the agent told last, and who wants to know when that changes.

import { keyOf } from "./states.js";

export class Store {
  agent = null;
  sources = [];
  /** By key. */
  apps = new Map();
  /** Who asks, and what they may: `v1/me`. */
  me = null;
  #listeners = new Set();
  #eventListeners = new Set();
  #due = null;

  /** Calls `listener` with `{ all, keys, gone }` after changes, once a frame. Gives back what ends that. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The same with every event of the agent's life. */
  onEvent(listener) {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** All there is. What is as it was is kept, so that nobody shows it again. */
  whole({ agent, sources, apps }) {
    const keys = new Set();
    const before = this.apps;
    this.apps = new Map();
    for (const app of apps) {
      const key = keyOf(app);
      const old = before.get(key);
      const same = old && JSON.stringify(old) === JSON.stringify(app);
      this.apps.set(key, same ? old : app);
      if (!same) keys.add(key);
    }
    const gone = [...before.keys()].filter((key) => !this.apps.has(key));
    this.#take(agent, sources);
    this.#changed({ all: true, keys, gone });
  }

  /** What has changed. `gone` has keys as `NAME/SOURCE/PATH`, or names. */
  change({ agent, sources, apps = [], gone = [] }) {
    const keys = new Set();
    const left = new Set(gone);
    const lost = [];
    if (left.size) {
      for (const [key, app] of this.apps) {
        if (!left.has(app.name) && !left.has(`${app.name}/${app.source}/${app.path}`)) continue;
        this.apps.delete(key);
        lost.push(key);
      }
    }
    let fresh = false;
    for (const app of apps) {
      const key = keyOf(app);
      // What ran and now does not, or the reverse: one to the agent, and told as gone by nobody.
      const other = keyOf({ ...app, state: app.state == null ? "" : null });
      if (this.apps.delete(other)) lost.push(other);
      fresh ||= !this.apps.has(key);
      this.apps.set(key, app);
      keys.add(key);
    }
    // Like the agent's own list: by name, and of two of a name what runs first.
    if (fresh) {
      const inOrder = ([, a], [, b]) => (a.name < b.name ? -1 : a.name > b.name ? 1 : (a.state == null) - (b.state == null));
      this.apps = new Map([...this.apps].sort(inOrder));
    }
    this.#take(agent, sources);
    this.#changed({ all: fresh || lost.length > 0, keys, gone: lost });
  }

  event(event) {
    for (const listener of this.#eventListeners) listener(event);
  }

  /** What runs under a name, else what there is of that name. */
  app(name) {
    let found;
    for (const app of this.apps.values()) {
      if (app.name === name && (!found || (found.state == null && app.state != null))) found = app;
    }
    return found;
  }

  /** Has everything shown anew: what one may do has become known. */
  touched() {
    this.#changed({ all: true, keys: new Set(), gone: [] });
  }

  may(what) {
    return this.me?.may?.[what] === true;
  }

  #take(agent, sources) {
    if (agent) this.agent = agent;
    if (sources) this.sources = sources;
  }

  #changed(change) {
    if (this.#due) {
      this.#due.all ||= change.all;
      for (const key of change.keys) this.#due.keys.add(key);
      this.#due.gone.push(...change.gone);
      return;
    }
    this.#due = change;
    // A page in the background has no frames; what it missed it shows with the next one.
    requestAnimationFrame(() => {
      const due = this.#due;
      this.#due = null;
      for (const listener of this.#listeners) listener(due);
    });
  }
}
