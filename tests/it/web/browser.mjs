// A real browser, driven without a window, and what must hold of every page that it shows: nothing runs but the page's own files,
// no other host is asked, nothing is said in the console, and axe finds nothing serious.

import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const installed = createRequire(join(process.env.MCPFLEET_TEST_BROWSER, "x.js"));
const { chromium } = installed("playwright-core");
const AXE = readFileSync(installed.resolve("axe-core/axe.min.js"), "utf8");

const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** On this machine everything is slow at times; nothing is waited for longer. */
export const PATIENCE = 60000;

const failures = [];

/** Notes whether something holds, and goes on. */
export function check(what, holds, seen) {
  if (holds) return console.log(`ok: ${what}`);
  failures.push(what);
  return console.log(`FAILED: ${what}${seen === undefined ? "" : `: ${JSON.stringify(seen)?.slice(0, 2000)}`}`);
}

/** The same of two values that should be equal. */
export const same = (what, seen, expected) => check(what, JSON.stringify(seen) === JSON.stringify(expected), { seen, expected });

export async function start() {
  return chromium.launch({
    executablePath: process.env.MCPFLEET_TEST_CHROMIUM ?? "/usr/bin/chromium",
    args: ARGUMENTS,
    timeout: PATIENCE,
  });
}

/** A page of a visitor of its own. `allowed`: texts of console messages that belong to what is tested. */
export async function visit(browser, base, { theme = "light", width = 1280, height = 860, allowed = [], storage } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: "reduce",
    locale: "en-GB",
    storageState: storage,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const { host } = new URL(base);
  const wrong = [];
  page.on("console", (message) => {
    const text = message.text();
    if (["error", "warning"].includes(message.type()) && !allowed.some((one) => text.includes(one)))
      wrong.push(`console: ${text} ${message.location().url}`);
  });
  page.on("pageerror", (error) => wrong.push(`error: ${error.stack}`));
  page.on("dialog", (dialog) => (wrong.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.host !== host) wrong.push(`request: ${request.url()}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  return { context, page, wrong };
}

/** Nothing has gone wrong so far. */
export const clean = (what, { wrong }) => same(`${what}: nothing in the console, no other host asked`, wrong.splice(0), []);

/** What axe finds serious in the view as it is, by WCAG 2.2 A and AA and its own best practices. */
export async function axe(page, what) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(
        ({ id, nodes }) =>
          `${id}: ${nodes
            .slice(0, 3)
            .map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`)
            .join(" | ")}`,
      );
  });
  same(`${what}: axe`, found, []);
}

/** The same in the other theme. */
export async function axeBoth(page, what) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await axe(page, `${what}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
}

/** The page itself never scrolls sideways. */
export async function fits(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(`${what}: fits ${page.viewportSize().width} pixels`, over <= 0, over);
}

/** A picture for whoever wants to look, where `MCPFLEET_TEST_PICTURES` says. */
export async function picture(page, name) {
  const folder = process.env.MCPFLEET_TEST_PICTURES;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

/** Ends the test. */
export async function finish(browser) {
  await browser.close();
  if (failures.length) {
    console.log(`${failures.length} failed`);
    process.exit(1);
  }
  console.log("all is well");
}
