// Five hundred servers: what goes over the wire, and that only what has changed is touched.

import { stage, write } from "./agent.mjs";
import { axe, check, clean, finish, fits, picture, same, start, visit } from "./browser.mjs";
import { definition, remote } from "./many.mjs";

/** In all, for somebody who has never been here. */
const MAX_WEIGHT = 150 * 1024;

const browser = await start();
const server = await remote();
for (let i = 0; i < 500; i += 1) write(`apps/${i}.yaml`, definition(i, server.port));

const visitor = await visit(browser, stage.base);
const { page, context } = visitor;
await page.goto(stage.base);
await page.locator("#live[data-state=live]").waitFor();
await page.locator(".found", { hasText: "500 servers" }).waitFor();
await page.getByRole("button", { name: "500 Ready" }).waitFor();

// Once more by somebody else, who counts.
const counter = await visit(browser, stage.base);
const network = await counter.context.newCDPSession(counter.page);
await network.send("Network.enable");
const sizes = new Map();
const names = new Map();
network.on("Network.requestWillBeSent", ({ requestId, request }) => names.set(requestId, new URL(request.url).pathname));
const add = (id, n) => sizes.set(id, (sizes.get(id) ?? 0) + n);
network.on("Network.dataReceived", ({ requestId, encodedDataLength }) => add(requestId, encodedDataLength));
network.on("Network.responseReceived", ({ requestId, response }) => add(requestId, response.encodedDataLength));
await counter.page.goto(stage.base);
await counter.page.locator("tbody tr").nth(499).waitFor({ state: "attached" });
const weight = [...sizes.values()].reduce((sum, n) => sum + n, 0);
console.log([...sizes].map(([id, n]) => `  ${n} ${names.get(id)}`).join("\n"));
check(`500 servers weigh ${weight} bytes, and no more than ${MAX_WEIGHT}`, weight <= MAX_WEIGHT, weight);
clean("the one who counts", counter);
await counter.context.close();

same("all are listed", await page.locator("tbody tr").count(), 500);
await axe(page, "500 servers");
await picture(page, "many");
await page.setViewportSize({ width: 320, height: 800 });
await fits(page, "500 servers");
await picture(page, "many-narrow");
await page.setViewportSize({ width: 1280, height: 860 });

// A change touches its own line and nothing else.
await page.evaluate(() => {
  globalThis.touched = new Set();
  new MutationObserver((records) => {
    for (const { target } of records) {
      const line = (target.closest ? target : target.parentElement)?.closest("tbody tr");
      // Ages go on in all of them.
      if (line && !(target.closest ? target : target.parentElement).closest("time"))
        globalThis.touched.add(line.querySelector("a").textContent);
    }
  }).observe(document.querySelector("tbody"), { subtree: true, childList: true, characterData: true, attributes: true });
});
await page.locator("tbody tr a").nth(3).focus();
write("apps/7.yaml", definition(7, server.port, "Described anew"));
await page.locator("tbody tr", { hasText: "Described anew" }).waitFor();
same("only the line of what has changed is touched", await page.evaluate(() => [...globalThis.touched]), ["server-007"]);
check(
  "the focus is where it was",
  await page.evaluate(() => document.activeElement.textContent === document.querySelectorAll("tbody tr a")[3].textContent),
);

// Search, order and filters work on all of them.
await page.keyboard.press("/");
await page.keyboard.type("server-49");
same("a search finds them all", await page.locator("tbody tr").count(), 10);
await page.keyboard.press("Escape");
await page.getByRole("button", { name: "Server", exact: true }).click();
check("the order can be turned round", (await page.locator("tbody tr a").first().innerText()) === "server-499");
same("and the column says so", await page.locator("[aria-sort]").getAttribute("aria-sort"), "descending");
await page.getByLabel("Add a label to filter by").selectOption("team=2");
same("a filter by a label from the list", await page.locator("tbody tr").count(), 125);
clean("500 servers", visitor);
await context.close();
server.close();
await finish(browser);
