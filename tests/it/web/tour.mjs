// A fleet of a plain folder, from nothing to every state, as its operator sees it.

import { fake, link, operator, remove, stage, write } from "./agent.mjs";
import { PATIENCE, axe, axeBoth, check, clean, finish, fits, picture, same, start, visit } from "./browser.mjs";
import { pure } from "./pure.mjs";

const browser = await start();

/** The line of a server, once it is there. */
const line = (page, name) => page.locator("tbody tr", { has: page.getByRole("link", { name, exact: true }) });
const inState = (page, name, state) => line(page, name).locator(".c-state", { hasText: state }).waitFor();
const button = (page, name) => page.getByRole("button", { name, exact: true });

// Somebody of whom nothing is known, at an open gateway.
{
  const visitor = await visit(browser, stage.base, { storage: undefined });
  const { page } = visitor;
  await page.goto(stage.base);
  await page.getByRole("heading", { name: "No servers yet" }).waitFor();
  await page.locator("#live[data-state=live]").waitFor();
  same("an open gateway has visitors who may look, and not act", await page.locator("main .buttons button").count(), 0);
  check("an empty fleet says what to do next", (await page.locator(".empty").innerText()).includes(stage.folder));
  await axeBoth(page, "empty fleet");
  await picture(page, "empty");
  await page.setViewportSize({ width: 320, height: 700 });
  await fits(page, "empty fleet");
  await pure(page);
  clean("empty fleet", visitor);
  await visitor.context.close();
}

// The operator, by a link that is good once.
const visitor = await visit(browser, stage.base);
const { page, context } = visitor;
const opening = await link();
await page.goto(opening);
await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();
check("the code of the link is not in the address", !page.url().includes("#") && !page.url().includes("open"), page.url());
await page.locator("#who", { hasText: "operator" }).waitFor();

// It shows up by itself, and whoever has the focus keeps it.
await page.locator("#live[data-state=live]").waitFor();
await page.keyboard.press("Tab");
check(
  "the first stop of the keyboard is the link past the navigation",
  await page.evaluate(() => document.activeElement.id === "skip"),
);
await page.keyboard.press("Enter");
check("which leads to the content", await page.evaluate(() => document.activeElement.id === "main"));
write("one.json.yaml", fake("one"));
await inState(page, "one", "Ready");
await page.getByRole("searchbox").focus();
write("two.yaml", fake("two", [], { labels: { env: "prod" }, description: "Another one" }));
await inState(page, "two", "Ready");
check("the focus stays where it is while lines come", await page.evaluate(() => document.activeElement.id === "search"));
await picture(page, "one");
clean("first servers", visitor);

// A link is spent.
{
  const late = await visit(browser, stage.base, { allowed: ["401"] });
  await late.page.goto(opening);
  await late.page.getByRole("heading", { name: "This link does not open the page" }).waitFor();
  await axe(late.page, "a link that is spent");
  clean("a link that is spent", late);
  await late.context.close();
}

// Every state.
write("backoff.yaml", fake("backoff", ["--exit", "1"]));
write("failed.yaml", fake("failed", [], { mcp: { command: "no-such-program" } }));
write("starting.yaml", fake("starting", ["--never-ready"], { mcp: { startup_timeout: "30m" } }));
write("stopped.yaml", fake("stopped", ["--exit", "0"], { mcp: { restart: { policy: "never" } } }));
write("degraded.yaml", fake("degraded"));
write("draining.yaml", fake("draining", [], { mcp: { stop: { grace_period: "30m" } } }));
write("changed.yaml", fake("changed"));
write(
  "expired.yaml",
  JSON.stringify({
    kind: "app",
    version: "v3",
    metadata: { name: "expired", expires: "2020-01-01T00:00:00Z" },
    spec: { mcp: { command: "true" } },
  }),
);
for (const name of ["degraded", "draining", "changed"]) await inState(page, name, "Ready");
write("degraded.yaml", fake("degraded", ["--exit", "2"]));
write("changed.yaml", "kind: app\nversion: v3\nmetadata: {name: changed}\nspec: {mcp: {comand: x}}\n");

// A call that stays open, by the form.
await page.goto(`${stage.base}/#/apps/draining/tools?tool=hold`);
await page.getByLabel("path").fill("/no/such/file");
await button(page, "Call").click();
await button(page, "Cancel").waitFor();
remove("draining.yaml");
const other = await context.newPage();
await other.goto(`${stage.base}/#/`);
for (const [name, state] of Object.entries({
  backoff: "Backoff",
  failed: "Failed",
  starting: "Starting",
  degraded: "Degraded",
  draining: "Draining",
  expired: "Not run",
}))
  await inState(other, name, state);
await inState(other, "stopped", /Stopped|Failed/);
await other.close();
await page.goto(`${stage.base}/#/`);
await line(page, "changed").locator(".c-why", { hasText: "Invalid" }).waitFor();
const looked = page.getByRole("button", { name: /Need a look/ });
check("what is wrong is counted", Number(await looked.locator("strong").innerText()) >= 4);
await page
  .getByRole("status")
  .filter({ hasText: /servers/ })
  .waitFor();
await axeBoth(page, "every state");
await picture(page, "states");
await page.emulateMedia({ colorScheme: "dark" });
await picture(page, "states-dark");
await page.emulateMedia({ colorScheme: "light" });

// Filters are in the address.
await looked.click();
await line(page, "one").waitFor({ state: "detached" });
same("a filter by state", [await line(page, "one").count(), await line(page, "changed").count()], [0, 1]);
check("which is in the address", page.url().includes("state=look"), page.url());
await page.reload();
await line(page, "changed").waitFor();
same("and outlives a reload", await line(page, "one").count(), 0);
await looked.click();
await line(page, "two").getByRole("button", { name: "env=prod" }).click();
same("a filter by label", await page.locator("tbody tr").count(), 1);
await page.getByRole("button", { name: "Remove the filter env=prod" }).click();
await page.keyboard.press("Escape");
await page.locator("main").click({ position: { x: 2, y: 2 } });
await page.keyboard.press("/");
await page.keyboard.type("another prod");
same("a search by words, with the key for it", await page.locator("tbody tr").count(), 1);
await page.keyboard.press("ArrowDown");
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "two", level: 1 }).waitFor();
check("the heading of a new view has the focus", await page.evaluate(() => document.activeElement.tagName === "H1"));
await page.goto(`${stage.base}/#/?q=nothing-is-like-this`);
await button(page, "Show all servers").click();
await line(page, "one").waitFor();
for (const width of [320, 860]) {
  await page.setViewportSize({ width, height: 800 });
  await fits(page, "every state");
  if (width === 320) await axe(page, "every state, narrow");
  if (width === 320) await picture(page, "states-narrow");
}
await page.setViewportSize({ width: 1280, height: 860 });
clean("every state", visitor);

// One server, by keyboard alone.
await page.goto(`${stage.base}/#/apps/failed`);
await page.locator(".box.bad", { hasText: "no-such-program" }).waitFor();
await axeBoth(page, "a server that failed");
await page.goto(`${stage.base}/#/apps/one`);
await page.getByRole("heading", { name: "Instances" }).waitFor();
await axeBoth(page, "a server");
await picture(page, "server");
await page.getByRole("link", { name: "Tools", exact: true }).focus();
await page.keyboard.press("Enter");
await button(page, "Call").waitFor();
await page.getByRole("searchbox", { name: "Search tools" }).focus();
await page.keyboard.type("echo");
await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
await page.getByLabel("text").focus();
await page.keyboard.type("hello, ünïcode");
await page.keyboard.press("Control+Enter");
await page.locator(".result pre", { hasText: "hello, ünïcode" }).first().waitFor();
await axeBoth(page, "the answer of a tool");
await picture(page, "tool");
await page.goto(`${stage.base}/#/apps/one/tools?tool=sleep`);
await page.getByLabel("ms").fill("much");
await button(page, "Call").click();
await page.getByText("This is no number.").waitFor();
check(
  "what is wrong in a form is where the focus is",
  await page.evaluate(() => document.activeElement.getAttribute("aria-invalid") === "true"),
);
await axe(page, "a form with a mistake");
await page.getByLabel("ms").fill("10");
await button(page, "As JSON").click();
check("a form becomes JSON with what it has", (await page.getByLabel("Arguments as JSON").inputValue()).includes('"ms": 10'));
await button(page, "Call").click();
await page.getByText("Answered", { exact: true }).waitFor();
await page.goto(`${stage.base}/#/apps/one/tools?tool=fail`);
await button(page, "Call").click();
await page.getByText("The tool says it failed").first().waitFor();
await page.goto(`${stage.base}/#/apps/one/tools?tool=refuse`);
await button(page, "Call").click();
await page.locator(".box.bad", { hasText: "Refused, as asked" }).waitFor();
await page.goto(`${stage.base}/#/apps/one/tools?tool=stderr`);
await page.getByLabel("text").fill("words for the log");
await page.getByLabel("lines").fill("3");
await button(page, "Call").click();
await page.getByText("Answered", { exact: true }).waitFor();
await page.goto(`${stage.base}/#/apps/one/logs`);
await page.locator(".log p", { hasText: "words for the log" }).nth(2).waitFor();
await button(page, "Pause").click();
check("the log can be held", (await button(page, "Go on").getAttribute("aria-pressed")) === "true");
await axeBoth(page, "a log");
await page.goto(`${stage.base}/#/apps/one/connect`);
await page.getByText(`${stage.base}/mcp/one`).first().waitFor();
await axeBoth(page, "what clients need");
await page.goto(`${stage.base}/#/apps/one/history`);
await page.locator(".empty").waitFor();
await axe(page, "no history");
for (const width of [320]) {
  await page.setViewportSize({ width, height: 800 });
  for (const tab of ["", "/logs", "/tools", "/connect", "/history"]) {
    await page.goto(`${stage.base}/#/apps/one${tab}`);
    await page.locator("nav.tabs [aria-current]").waitFor();
    await fits(page, `a server ${tab}`);
  }
  for (const place of ["changes", "plan", "events"]) {
    await page.goto(`${stage.base}/#/${place}`);
    await page.locator("main h1").waitFor();
    await fits(page, place);
  }
}
await page.setViewportSize({ width: 1280, height: 860 });
visitor.wrong = visitor.wrong.filter((one) => !one.includes("404"));
clean("one server", { wrong: visitor.wrong });

// Restart and suspend.
await page.goto(`${stage.base}/#/apps/two`);
const pid = () => page.locator("table.grid tbody tr", { hasText: "primary" }).locator("td").nth(1).innerText();
await page.getByRole("heading", { name: "Instances" }).waitFor();
const before = await pid();
await button(page, "Restart").click();
await page.getByRole("dialog").waitFor();
await axeBoth(page, "a question");
await page.keyboard.press("Escape");
await page.getByRole("dialog").waitFor({ state: "detached" });
check(
  "what was not confirmed does not happen, and the focus is back",
  (await page.evaluate(() => document.activeElement.textContent)) === "Restart",
);
await button(page, "Restart").click();
await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();
await page.locator(".toast", { hasText: "two is being restarted" }).waitFor();
await page.waitForFunction(
  (old) =>
    [...document.querySelectorAll("table.grid tbody tr")].some(
      (row) => row.textContent.includes("primary") && !row.textContent.includes(old),
    ),
  before,
  { timeout: PATIENCE },
);
check("a restart gives another process", (await pid()) !== before);
await button(page, "Suspend").click();
await page.getByRole("dialog").getByRole("button", { name: "Suspend" }).click();
await page.locator(".titleline .badge", { hasText: "Suspended" }).waitFor();
same("the agent has done it", (await operator("GET", "/v1/status")).agent.suspended_apps, ["two"]);
await button(page, "Resume").click();
await page.locator(".titleline .badge", { hasText: "Ready" }).waitFor();
await page.goto(`${stage.base}/#/`);
await button(page, "Suspend agent").click();
await page.getByRole("dialog").getByRole("button", { name: "Suspend" }).click();
await page.locator("#notices .box", { hasText: "Suspended" }).waitFor();
await axeBoth(page, "an agent that is suspended");
await picture(page, "suspended");
await page.locator("#notices").getByRole("button", { name: "Resume" }).click();
await page.locator("#notices .box", { hasText: "Suspended" }).waitFor({ state: "detached" });
await button(page, "Read sources now").click();
await page.locator(".toast", { hasText: "The agent reads its sources" }).waitFor();
clean("actions", visitor);

// The other pages.
await page.goto(`${stage.base}/#/events`);
await page.locator(".eventlist tbody tr", { hasText: "restart-asked" }).first().waitFor();
const newest = page.locator(".eventlist tbody tr").first();
write("late.yaml", fake("late"));
await newest.filter({ hasText: "late" }).waitFor();
await axeBoth(page, "events");
await picture(page, "events");
await page.goto(`${stage.base}/#/changes`);
await page.getByRole("heading", { name: "No commits in a folder" }).waitFor();
await axe(page, "changes without git");
await page.goto(`${stage.base}/#/nowhere`);
await page.getByRole("heading", { name: "There is nothing at this address" }).waitFor();
clean("other pages", visitor);

// The theme is kept.
await page.locator("#theme").click();
await page.locator("#theme").click();
await page.reload();
same("a theme that was chosen is kept", await page.evaluate(() => document.documentElement.dataset.theme), "dark");
await page.locator("#theme").click();

// What strangers say.
write(
  "hostile.yaml",
  JSON.stringify({
    kind: "app",
    version: "v3",
    metadata: {
      name: "hostile",
      description: `<img src=x onerror="globalThis.hacked=1"> \u202egnp.exe`,
      labels: { note: `"><script>globalThis.hacked=1</script>` },
    },
    spec: { mcp: { command: "node", args: [stage.hostile] } },
  }).replaceAll("\u202e", "\\u202e"),
);
await page.goto(`${stage.base}/#/`);
await inState(page, "hostile", "Ready");
await page.goto(`${stage.base}/#/apps/hostile`);
await page.locator(".lede", { hasText: "<img src=x" }).waitFor();
check("what cannot be seen is written out", (await page.locator(".lede").innerText()).includes("\\u{202e}"));
await page.goto(`${stage.base}/#/apps/hostile/logs`);
await page.locator(".log p", { hasText: "the last line" }).waitFor();
check("a log is text", (await page.locator(".log").innerText()).includes("<script>globalThis.hacked=1</script>"));
for (const [tool, text] of [
  ["speak", "javascript:globalThis.hacked=1"],
  ["long", "more)"],
  ["picture", "not shown here"],
  ["odd", "The tool says it failed"],
]) {
  await page.goto(`${stage.base}/#/apps/hostile/tools?tool=${tool}`);
  await page.getByRole("heading", { name: tool, exact: true, level: 2 }).waitFor();
  await button(page, "Call").click();
  await page.locator(".result", { hasText: text }).first().waitFor();
  if (tool === "picture") same("only pictures of the usual kinds are pictures", await page.locator(".result img").count(), 1);
  await page.locator("details").last().locator("summary").click();
  await axe(page, `the tool ${tool} of a hostile server`);
}
await picture(page, "hostile");
same(
  "nothing of it has run",
  await page.evaluate(() => [globalThis.hacked ?? null, document.querySelectorAll("main script, main img[src=x]").length]),
  [null, 0],
);
clean("a hostile server", visitor);

// Out, and the session is gone with it.
await button(page, "Log out").click();
await page.locator("#who", { hasText: "anonymous" }).waitFor();
same("what is left is what anybody may", await page.evaluate(async () => (await (await fetch("v1/me")).json()).by), "open");
clean("logged out", visitor);
await finish(browser);
