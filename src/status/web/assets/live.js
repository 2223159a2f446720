// Keeps what is shown up to date: by a stream of changes; where there is none, by asking again and again; and says when it
// does neither.

import { Refusal, get, request } from "./api.js";
import { events } from "./sse.js";

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30000;
/** The agent says something every 15 seconds; after so long without, the connection is taken for dead. */
const SILENCE = 40000;
/** A page that nobody looks at lets go of its connection, of which a browser has few for one agent. */
const UNSEEN = 60000;
const POLL = 5000;
const STREAM = { Accept: "text/event-stream" };

const pause = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

const unheard = () => new Refusal(0, "unreachable", "The agent has stopped answering.");

/** Calls `letGo` when nobody has looked at the page for a while, `again` when somebody does. Gives back what ends that. */
export function seen(letGo, again) {
  let unseen;
  const look = () => {
    clearTimeout(unseen);
    if (document.hidden) unseen = setTimeout(letGo, UNSEEN);
    else again();
  };
  document.addEventListener("visibilitychange", look);
  // It may have been opened in the background.
  if (document.hidden) look();
  return () => (clearTimeout(unseen), document.removeEventListener("visibilitychange", look));
}

export class Live {
  /** `told({ state, since, next, error })` whenever it stands otherwise: `live`, `polling`, `lost`, `paused`, `ended`. */
  constructor(store, told) {
    this.store = store;
    this.told = told;
    this.heardAt = null;
    this.failures = 0;
    /** Ends the connection or the pause that there is. */
    this.current = new AbortController();
  }

  async run() {
    addEventListener("online", () => this.now());
    seen(
      () => this.current.abort(),
      () => this.now(),
    );
    while (!(await this.#once()));
  }

  /** Tries again at once, if it is not live. */
  now() {
    if (this.state !== "live") this.current.abort();
  }

  #say(state, more = {}) {
    this.state = state;
    this.told({ state, since: this.heardAt, ...more });
  }

  async #once() {
    this.current = new AbortController();
    if (document.hidden && this.heardAt) {
      this.#say("paused");
      await new Promise((resolve) => {
        this.current.signal.addEventListener("abort", resolve, { once: true });
        if (!document.hidden) resolve();
      });
      return false;
    }
    let error;
    try {
      await this.#watch();
      error = new Refusal(0, "ended", "The agent has closed the connection.");
    } catch (failure) {
      error = failure;
    }
    if (error.status === 401 || error.status === 403) {
      this.#say("ended", { error });
      return true;
    }
    // Nobody looks, or somebody wants it to be tried again now.
    if (error.name === "AbortError" && !error.silent) return false;
    this.failures += 1;
    if (this.failures === 1 && error.code === "ended") {
      // It ends by itself when one may see other things than before: nobody needs to know.
      await pause(300, this.current.signal);
      return false;
    }
    const noWatch = error.status === 404 || error.silent;
    if (noWatch || this.failures > 2) {
      try {
        await this.#poll(noWatch ? 12 : 1);
        return false;
      } catch (failure) {
        if (failure.name === "AbortError") return false;
        error = failure.name === "TimeoutError" ? unheard() : failure;
      }
    }
    const longest = Math.min(FIRST_PAUSE * 2 ** (this.failures - 1), LONGEST_PAUSE);
    const wait = Math.max((error.retryAfter ?? 0) * 1000, longest * (0.75 + Math.random() / 4));
    this.current = new AbortController();
    this.#say("lost", { error, next: Date.now() + wait });
    await pause(wait, this.current.signal);
    return false;
  }

  async #watch() {
    const { signal } = this.current;
    let last = Date.now();
    let silent = false;
    let dead = false;
    const watchdog = setInterval(() => {
      if (Date.now() - last < SILENCE) return;
      dead = this.state === "live";
      silent = !dead;
      this.current.abort();
    }, 5000);
    try {
      const response = (await this.#early(signal)) ?? (await request("GET", "v1/watch", { headers: STREAM, signal }));
      for await (const { event, data } of events(response.body, () => (last = Date.now()))) {
        this.heardAt = Date.now();
        if (event === "status") {
          this.store.whole(JSON.parse(data));
          this.failures = 0;
          this.#say("live");
        } else if (event === "change") this.store.change(JSON.parse(data));
        else if (event === "event") this.store.event(JSON.parse(data));
      }
    } catch (error) {
      if (dead) throw unheard();
      // Something on the way keeps the stream to itself.
      if (silent) error.silent = true;
      throw error;
    } finally {
      clearInterval(watchdog);
    }
  }

  /** What the page has asked for before this was here: once, and only if it was answered. */
  async #early(signal) {
    const early = globalThis.mcpfleetEarly;
    globalThis.mcpfleetEarly = null;
    if (!early) return null;
    signal.addEventListener("abort", () => early.stop.abort(), { once: true });
    const response = await early.response.catch(() => null);
    return response?.ok ? response : null;
  }

  /** Asks so many times, then a stream is tried again. */
  async #poll(times) {
    this.current = new AbortController();
    const { signal } = this.current;
    for (let i = 0; i < times && !signal.aborted; i += 1) {
      this.store.whole(await get("v1/status", { signal: AbortSignal.any([signal, AbortSignal.timeout(SILENCE)]) }));
      this.heardAt = Date.now();
      this.#say("polling");
      await pause(POLL, signal);
    }
  }
}
