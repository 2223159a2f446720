// How long the page takes to show 500 servers, and what it weighs: a script for a person, not a test.
//
// usage: MCPFLEET_TEST_BROWSER=FOLDER node tests/it/web/paint.mjs MCPFLEET [RUNS]
//
// MCPFLEET is the program, best of a release build. Each run is a browser of its own, which has never been here ("first"), and
// then goes there once more ("again"): `paint` is the first contentful paint, `rows` when servers were on the screen, `all` when all
// of them were in the list, `bytes` what came over the wire. Times are from the start of the navigation.

import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { start } from "./browser.mjs";
import { definition, remote } from "./many.mjs";

const APPS = 500;
const [program, runs = "20"] = process.argv.slice(2);
const home = mkdtempSync(join(tmpdir(), "paint-"));
chmodSync(home, 0o755);
mkdirSync(join(home, "fleet"));
const server = await remote();
for (let i = 0; i < APPS; i += 1) writeFileSync(join(home, "fleet", `${i}.yaml`), definition(i, server.port));

const settings = { "gateway.listen": "127.0.0.1:0", state_dir: join(home, "state"), control_socket: join(home, "control.sock") };
const set = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
const agent = spawn(resolve(program), ["run", join(home, "fleet"), ...set], {
  stdio: "ignore",
  env: { PATH: process.env.PATH, HOME: home },
});

const status = () =>
  new Promise((done) => {
    const request = http.request(
      { socketPath: settings.control_socket, path: "/v1/status", headers: { Host: "localhost" } },
      (response) => {
        let text = "";
        response.on("data", (piece) => (text += piece));
        response.on("end", () => done(JSON.parse(text)));
      },
    );
    request.on("error", () => done(null));
    request.end();
  });

let told;
do {
  await new Promise((done) => setTimeout(done, 500));
  told = await status();
} while (!(told?.apps.length === APPS && told.apps.every(({ state }) => state === "Ready")));

/** One visit: when there was something to see, when servers, and how many bytes came. */
async function visit(context) {
  const page = await context.newPage();
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  let bytes = 0;
  network.on("Network.dataReceived", ({ encodedDataLength }) => (bytes += encodedDataLength));
  network.on("Network.responseReceived", ({ response }) => (bytes += response.encodedDataLength));
  await page.goto(told.agent.gateway);
  await page
    .locator("tbody tr")
    .nth(APPS - 1)
    .waitFor({ state: "attached" });
  const times = await page.evaluate(
    () =>
      new Promise((done) => {
        requestAnimationFrame(() =>
          setTimeout(() => {
            const first = performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
            done({
              paint: first,
              rows: performance.getEntriesByName("rows")[0]?.startTime,
              all: performance.getEntriesByName("all-rows")[0]?.startTime,
            });
          }, 0),
        );
      }),
  );
  await page.close();
  return { ...times, bytes };
}

const kinds = { first: [], again: [] };
for (let i = 0; i < Number(runs); i += 1) {
  const browser = await start();
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  // A browser that is still starting itself is not what is measured.
  const blank = await context.newPage();
  await blank.waitForTimeout(1500);
  kinds.first.push(await visit(context));
  kinds.again.push(await visit(context));
  await browser.close();
}

const at = (values, share) => Math.round(values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)]);
console.log(`${APPS} servers, ${runs} runs, ${cpus().length} x ${cpus()[0].model}, ${told.agent.version}`);
for (const [kind, all] of Object.entries(kinds)) {
  for (const what of ["paint", "rows", "all", "bytes"]) {
    const values = all.map((one) => one[what]);
    console.log(`${kind} ${what}: median ${at(values, 0.5)}, 90 % ${at(values, 0.9)}, most ${at(values, 1)}`);
  }
}
agent.kill("SIGTERM");
server.close();
await new Promise((done) => agent.once("exit", done));
rmSync(home, { recursive: true, force: true });
