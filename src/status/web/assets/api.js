// Requests to the agent. The cookie says who asks; the proof, which other pages of this host cannot read, that this page does.

const PROOF = "mcpfleet-proof";

/** What the agent refused, or that it could not be reached. */
export class Refusal extends Error {
  constructor(status, code, message, retryAfter, rpc) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
    /** The error of JSON-RPC that it was, if it was one. */
    this.rpc = rpc;
  }

  /** Whether the agent was not reached at all. */
  get isLost() {
    return this.status === 0;
  }
}

export function keepProof(proof) {
  try {
    if (proof) localStorage.setItem(PROOF, proof);
    else localStorage.removeItem(PROOF);
  } catch {
    // Then this page may read, and nothing else.
  }
}

export function proof() {
  try {
    return localStorage.getItem(PROOF);
  } catch {
    return null;
  }
}

/** The answer to a request that was not refused. */
export async function request(method, path, { body, headers = {}, signal } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  const known = proof();
  if (known) sent["X-Mcpfleet-Proof"] = known;
  let response;
  try {
    const init = { method, headers: sent, signal, cache: "no-store", credentials: "same-origin", redirect: "error" };
    response = await fetch(path, { ...init, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "unreachable", "The agent does not answer. It may be restarting, or the network is down.");
  }
  if (response.ok) return response;
  throw await refusal(response);
}

export async function refusal(response) {
  let error = {};
  let rpc;
  try {
    const said = await response.json();
    error = (typeof said === "object" && said?.error) || {};
    if (said?.jsonrpc) rpc = error;
  } catch {
    // Something on the way has answered in its own words.
  }
  const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  const message = typeof error.message === "string" ? error.message : `The agent answered with HTTP ${response.status}.`;
  return new Refusal(response.status, String(error.code ?? ""), message, retryAfter, rpc);
}

export async function get(path, options) {
  const response = await request("GET", path, options);
  return response.json();
}

export async function post(path, body, options) {
  const response = await request("POST", path, { ...options, body });
  const text = await response.text();
  return text ? JSON.parse(text) : {};
}

/** `v1/apps/NAME` and what is below it. */
export const appPath = (name, below = "") => `v1/apps/${encodeURIComponent(name)}${below}`;

/** What to tell somebody of an error, and what to do about it. */
export function explain(error) {
  if (!(error instanceof Refusal)) return `This page has an error of its own: ${error.message}. Reload it.`;
  if (error.status === 401) return "Your session has ended. Log in again: what you see may be old.";
  if (error.code === "no-proof") return "This browser has lost what proves that it is you who presses the button. Log in again.";
  if (error.status === 429) return `Too many requests${error.retryAfter ? `: try again in ${error.retryAfter} s` : ""}.`;
  return error.message;
}
