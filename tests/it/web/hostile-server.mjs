// An MCP server, of the stateless era over stdin and stdout, that says what a page must not take for its own.

import { createInterface } from "node:readline";

const MARKUP = `<img src=x onerror="globalThis.hacked=1"><script>globalThis.hacked=1</script>`;
const HIDDEN = "safe\u202egnp.exe\u2066\u200b\u001b[31mred";
const TOOLS = [
  {
    name: "speak",
    description: `${MARKUP} ${HIDDEN}\nsecond line`,
    title: MARKUP,
    annotations: { readOnlyHint: true },
    inputSchema: {
      type: "object",
      properties: {
        [MARKUP]: { type: "string", description: MARKUP, default: MARKUP },
        kind: { enum: [MARKUP, "two"] },
        __proto__x: { type: "object", properties: { deep: { $ref: "#/properties/kind" } } },
        loop: { $ref: "#/properties/loop" },
      },
      required: [],
    },
  },
  { name: "long", description: "One line of a megabyte", inputSchema: { type: "object" } },
  { name: "picture", description: "Pictures of several kinds", inputSchema: { type: "object" } },
  { name: "odd", description: "What no server should answer", inputSchema: 7 },
];
const DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const SVG = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" onload="globalThis.hacked=1"/>`).toString("base64");
const RESULTS = {
  speak: (args) => ({
    content: [
      { type: "text", text: `${MARKUP} ${HIDDEN}` },
      { type: "resource_link", uri: "javascript:globalThis.hacked=1", name: MARKUP },
    ],
    structuredContent: { said: args, markup: MARKUP },
  }),
  long: () => ({ content: [{ type: "text", text: "x".repeat(1 << 20) }] }),
  picture: () => ({
    content: [
      { type: "image", mimeType: "image/png", data: DOT },
      { type: "image", mimeType: "image/svg+xml", data: SVG },
      { type: "image", mimeType: "text/html;base64,PHNjcmlwdD4=", data: DOT },
      { type: "audio", mimeType: "audio/wav", data: DOT },
    ],
  }),
  odd: () => ({ content: [null, 7, { type: MARKUP }, { type: "text", text: { a: 1 } }], isError: true }),
};

process.stderr.write(`${MARKUP} ${HIDDEN}\n${"y".repeat(1 << 20)}\nthe last line\n`);

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {} } = JSON.parse(line);
  if (id === undefined) continue;
  const results = {
    "server/discover": () => ({
      supportedVersions: ["2026-07-28"],
      capabilities: { tools: {} },
      serverInfo: { name: MARKUP, version: HIDDEN },
    }),
    "tools/list": () => ({ tools: TOOLS }),
    "tools/call": () => RESULTS[params.name]?.(params.arguments),
  };
  const result = results[method]?.();
  const answer = result ? { result } : { error: { code: -32601, message: `${MARKUP} ${method}` } };
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...answer })}\n`);
}
