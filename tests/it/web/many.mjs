// Many servers for little: all are one MCP server elsewhere, of the stateless era.

import http from "node:http";

const RESULTS = {
  "server/discover": {
    supportedVersions: ["2026-07-28"],
    capabilities: { tools: {} },
    serverInfo: { name: "many", version: "1" },
  },
  "tools/list": { tools: [{ name: "echo", description: "Gives back what it gets", inputSchema: { type: "object" } }] },
};

/** The server, on a port of its own. */
export function remote() {
  const server = http.createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    const { id, method } = body ? JSON.parse(body) : {};
    if (id === undefined) return response.writeHead(202).end();
    const answer = RESULTS[method] ? { result: RESULTS[method] } : { error: { code: -32601, message: "no such method" } };
    response.writeHead(200, { "Content-Type": "application/json" });
    return response.end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
  });
  server.keepAliveTimeout = 60000;
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () =>
      resolve({ port: server.address().port, close: () => (server.close(), server.closeAllConnections()) }),
    );
  });
}

/** The definition of the `i`th. */
export function definition(i, port, description = "Looks things up in one of the many places that a company keeps them in") {
  const labels = { env: ["prod", "staging", "dev"][i % 3], team: String(i % 4), owner: `group-${i % 10}` };
  const name = `server-${String(i).padStart(3, "0")}`;
  return JSON.stringify({
    kind: "app",
    version: "v3",
    metadata: { name, description, labels },
    spec: { uri: `mcp+http://127.0.0.1:${port}/mcp/${i}` },
  });
}
