// The requests of an MCP client of the stateless era (2026-07-28, "HTTP headers"): each says all there is to know, and is
// answered by JSON or by a stream of events.

import { Refusal, request } from "./api.js";
import { events } from "./sse.js";

const VERSION = "2026-07-28";
const META = "io.modelcontextprotocol/";
const MAX_PAGES = 200;

let lastId = 0;

/** What a server said no with. */
export class RpcError extends Error {
  constructor({ code, message, data }) {
    super(typeof message === "string" ? message : "The server gave no reason.");
    this.code = code;
    this.data = data;
  }
}

/** A text as the value of a header: as it is, or in base64 where it would not survive. */
export function header(text) {
  const fits = /^[\x20-\x7e]*$/.test(text) && text.trim() === text && !(text.startsWith("=?base64?") && text.endsWith("?="));
  if (fits) return text;
  return `=?base64?${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}?=`;
}

/** Sends a request and gives back its result. `told` gets what the server says before. */
export async function ask(app, method, params, { signal, told = () => {} } = {}) {
  lastId += 1;
  const id = lastId;
  const _meta = {
    ...params._meta,
    [`${META}protocolVersion`]: VERSION,
    [`${META}clientInfo`]: { name: "mcpfleet-web", version: "1" },
    [`${META}clientCapabilities`]: {},
  };
  const headers = { Accept: "application/json, text/event-stream", "MCP-Protocol-Version": VERSION, "Mcp-Method": method };
  if (params.name !== undefined) headers["Mcp-Name"] = header(params.name);
  const body = { jsonrpc: "2.0", id, method, params: { ...params, _meta } };
  const response = await send(`mcp/${encodeURIComponent(app)}`, { body, headers, signal });
  if (!(response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) return result(await response.json());
  for await (const { data } of events(response.body)) {
    const message = JSON.parse(data);
    if (message.id === id && !message.method) return result(message);
    told(message);
  }
  throw new Error("the server ended its answer without the result");
}

/** A refusal of the gateway's is JSON-RPC as well, with a status of HTTP. */
async function send(path, options) {
  try {
    return await request("POST", path, options);
  } catch (error) {
    if (error instanceof Refusal && error.rpc) throw new RpcError(error.rpc);
    throw error;
  }
}

function result(message) {
  if (message.error) throw new RpcError(message.error);
  return message.result ?? {};
}

/** All tools of a server that whoever asks may use. */
export async function tools(app, options) {
  const all = [];
  let cursor;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await ask(app, "tools/list", cursor === undefined ? {} : { cursor }, options);
    all.push(...(Array.isArray(answer.tools) ? answer.tools : []));
    cursor = answer.nextCursor;
    if (cursor === undefined || cursor === null) return all;
  }
  throw new Error("the server's list of tools does not end");
}

export const call = (app, name, args, options) =>
  ask(app, "tools/call", { name, arguments: args, _meta: { progressToken: lastId + 1 } }, options);
