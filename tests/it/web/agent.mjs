// What a test does to the agent beside the page: files in its folder, links to come in with.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { dirname, join } from "node:path";

/** What the test has set up: see `stage.rs`. */
export const stage = JSON.parse(process.env.MCPFLEET_TEST_STAGE);

export function write(name, text) {
  const path = join(stage.folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

export const remove = (name) => rmSync(join(stage.folder, name));

/** The file of an app that runs the fake server of `examples/`. */
export function fake(name, flags = [], { labels = { env: "dev", team: "a" }, description = "A playground", mcp = {} } = {}) {
  const app = {
    kind: "app",
    version: "v3",
    metadata: { name, description, labels },
    spec: { mcp: { command: "fake-mcp-server", args: flags, ...mcp } },
  };
  // JSON is YAML.
  return JSON.stringify(app);
}

/** A request of the agent's operator, on its control socket. */
export function operator(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { Host: "localhost", "Content-Type": "application/json" };
    const request = http.request({ socketPath: stage.socket, method, path, headers }, (response) => {
      let text = "";
      response.on("data", (piece) => (text += piece));
      response.on("end", () =>
        response.statusCode < 300 ? resolve(text ? JSON.parse(text) : {}) : reject(new Error(`${response.statusCode} ${text}`)),
      );
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The URL of a link that opens the page once. */
export const link = async () => (await operator("POST", "/v1/web/links", {})).url;

/** Has the test beside this do something, such as push a commit that it signs. */
export const ask = (what) => console.log(`do: ${what}`);

/** Stands between a page and the agent. `cut` ends all connections and takes no more, `mend` takes some again. */
export async function proxy(to) {
  const { hostname, port } = new URL(to);
  const open = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(Number(port), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      open.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => (open.delete(one), other.destroy()));
    }
  });
  const listen = (at) => new Promise((resolve) => server.listen(at, "127.0.0.1", resolve));
  await listen(0);
  const own = server.address().port;
  const cut = () => {
    server.close();
    for (const one of open) one.destroy();
  };
  return { base: `http://127.0.0.1:${own}`, cut, mend: () => listen(own) };
}
