// Messages in and out: one JSON text a line.

/** A JSON-RPC error. */
export class Refusal extends Error {
  constructor(code, message, data) {
    super(message);
    Object.assign(this, { code, data });
  }
}

export const write = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
export const notify = (method, params) => write({ method, params });

let asked = 0;
const open = new Map();

/** Asks the client, and waits for its answer. */
export function ask({ method, params }) {
  const id = `fixture-${(asked += 1)}`;
  write({ id, method, params });
  return new Promise((resolve, reject) => open.set(id, { resolve, reject }));
}

/** Takes the client's answer. */
export function settle({ id, result, error }) {
  const waiting = open.get(id);
  if (!waiting) return;
  open.delete(id);
  if (error) waiting.reject(new Refusal(error.code, error.message, error.data));
  else waiting.resolve(result);
}
