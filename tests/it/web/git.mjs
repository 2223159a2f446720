// A fleet of a git repository, at a gateway that asks who one is: by token and by link, with what was pushed and what became of it.

import { ask, link, proxy, stage } from "./agent.mjs";
import { axeBoth, check, clean, finish, fits, picture, same, start, visit } from "./browser.mjs";

const browser = await start();
const button = (page, name) => page.getByRole("button", { name, exact: true });
const inState = (page, name, state) =>
  page
    .locator("tbody tr", { has: page.getByRole("link", { name, exact: true }) })
    .locator(".c-state", { hasText: state })
    .waitFor();

// Who has no token sees nothing.
const visitor = await visit(browser, stage.base, { allowed: ["401"] });
const { page, context } = visitor;
await page.goto(`${stage.base}/#/apps/alpha`);
await page.getByLabel("Token").waitFor();
check("the page of who is not in has nothing of the fleet in it", !(await page.content()).includes("alpha"));
await axeBoth(page, "log in");
await picture(page, "login");
await page.setViewportSize({ width: 320, height: 700 });
await fits(page, "log in");
await page.setViewportSize({ width: 1280, height: 860 });
await page.getByLabel("Token").fill("wrong");
await page.keyboard.press("Enter");
await page.locator("#problem", { hasText: "token" }).waitFor();
await axeBoth(page, "a wrong token");
await page.getByLabel("Token").fill(stage.more.token);
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "alpha", level: 1 }).waitFor();
check("the token is kept nowhere", !JSON.stringify(await context.storageState()).includes(stage.more.token));
same("what `bob` may not do is not offered", await page.locator(".titleline button").count(), 0);
clean("in by a token", visitor);

// What he may use he may try.
await page.goto(`${stage.base}/#/apps/alpha/tools?tool=echo`);
await page.getByLabel("text").fill("as bob");
await button(page, "Call").click();
await page.locator(".result pre", { hasText: "as bob" }).first().waitFor();
await page.goto(`${stage.base}/#/changes`);
await page.getByRole("heading", { name: "Not for you to see" }).waitFor();
await axeBoth(page, "changes, not for him to see");
await page.goto(`${stage.base}/#/`);
await inState(page, "alpha", "Ready");

// A session is of no use without the proof that this page keeps.
await page.evaluate(() => localStorage.removeItem("mcpfleet-proof"));
await page.reload();
await button(page, "Log in again").waitFor();
const refused = await page.evaluate(
  async () =>
    (await fetch("v1/reconcile", { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } })).status,
);
same("without it nothing can be changed", refused, 403);
await button(page, "Log in again").click();
await page.getByRole("dialog").getByLabel("Token").fill(stage.more.token);
await page.keyboard.press("Enter");
await page.waitForFunction(() => localStorage.getItem("mcpfleet-proof"));
await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();

// It ends elsewhere: the page says so, and does not pretend to know what is.
await page.locator("#live[data-state=live]").waitFor();
await page.evaluate(() => {
  const headers = { "X-Mcpfleet-Proof": localStorage.getItem("mcpfleet-proof") };
  return fetch("v1/web/sessions", { method: "DELETE", headers });
});
await page.getByText("Your session has ended").waitFor();
await axeBoth(page, "a session that has ended");
await button(page, "Log in").click();
await page.getByLabel("Token").fill(stage.more.token);
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();
await button(page, "Log out").click();
await page.getByLabel("Token").waitFor();
same("what is logged out is logged out", await page.evaluate(async () => (await fetch("v1/status")).status), 401);
visitor.wrong.splice(0, visitor.wrong.length, ...visitor.wrong.filter((one) => !one.includes("403")));
clean("out again", visitor);
await context.close();

// The operator looks on while somebody pushes.
const looking = await visit(browser, stage.base);
const { page: view } = looking;
await view.goto(await link());
await inState(view, "alpha", "Ready");
await view.locator("#live[data-state=live]").waitFor();
ask("beta");
await inState(view, "beta", "Ready");
check(
  "a push shows by itself, with who made it",
  (await view.locator("tbody tr", { hasText: "beta" }).locator(".c-made").innerText()).includes("bob"),
);
ask("gamma by eve");
await view.getByRole("link", { name: /1 change refused/ }).waitFor();
same("what was refused does not run", await view.getByRole("link", { name: "gamma", exact: true }).count(), 0);
await axeBoth(view, "a source with a refused change");
await picture(view, "git");
await view.getByRole("link", { name: /1 change refused/ }).click();
await view.locator(".commit-card", { hasText: "gamma" }).locator(".badge", { hasText: "Refused" }).first().waitFor();
await view.getByRole("heading", { name: "Not in force" }).waitFor();
check("what to do about it is said", (await view.getByText("What to do:").count()) > 0);
await axeBoth(view, "changes");
await picture(view, "changes");
check("what a commit says is text", (await view.locator(".commits").innerText()).includes(stage.more.markup));
await view.setViewportSize({ width: 320, height: 700 });
await fits(view, "changes");
await view.setViewportSize({ width: 1280, height: 860 });
clean("changes", looking);

// The history of one, with what each commit changed.
ask("beta anew");
await view.goto(`${stage.base}/#/apps/beta/history`);
await view.locator(".commit-card", { hasText: "Change beta" }).locator(".diff .add").first().waitFor();
// It is judged before it is in force.
await view.locator(".commit-card", { hasText: "Change beta" }).filter({ hasText: "In force" }).waitFor();
same(
  "two versions, the newer in force",
  await view.locator(".commit-card").evaluateAll((cards) => cards.map((card) => card.textContent.includes("In force"))),
  [true, false],
);
await axeBoth(view, "history");
await picture(view, "history");
await view.setViewportSize({ width: 320, height: 700 });
await fits(view, "history");
await view.setViewportSize({ width: 1280, height: 860 });

// What would happen.
ask("delta on a branch");
await view.goto(`${stage.base}/#/plan`);
await view.getByRole("heading", { name: "What is held" }).waitFor();
await view.locator(".steps li", { hasText: "gamma" }).waitFor();
await view.getByLabel("Branch or commit").fill("proposal");
await button(view, "Show").click();
await view.locator(".steps li", { hasText: "delta" }).waitFor();
await axeBoth(view, "a plan");
await picture(view, "plan");
await view.getByLabel("Branch or commit").fill("no-such-branch");
await button(view, "Show").click();
await view.locator(".box.bad").waitFor();
check("what is not there is said", (await view.locator(".box.bad").innerText()).includes("no-such-branch"));
looking.wrong.splice(0, looking.wrong.length, ...looking.wrong.filter((one) => !/40[04]|422/.test(one)));
clean("history and plan", looking);
same("nothing of it has run", await view.evaluate(() => globalThis.hacked ?? null), null);

// What stands between the page and its agent goes away, and comes back.
const between = await proxy(stage.base);
const lost = await visit(browser, between.base, {
  allowed: ["ERR_CONNECTION", "ERR_EMPTY", "ERR_INCOMPLETE", "ERR_NETWORK", "network"],
});
await lost.page.goto((await link()).replace(stage.base, between.base));
await inState(lost.page, "beta", "Ready");
await lost.page.locator("#live[data-state=live]").waitFor();
between.cut();
await lost.page.getByText("Not live since").waitFor();
await axeBoth(lost.page, "not live");
await picture(lost.page, "not-live");
check("what was there stays", (await lost.page.locator("tbody tr").count()) >= 2);
await between.mend();
// By then it may have tried again by itself.
await button(lost.page, "Try now").evaluateAll((buttons) => buttons.forEach((one) => one.click()));
await lost.page.locator("#live[data-state=live]").waitFor();
same("and nothing says otherwise any more", await lost.page.getByText("Not live since").count(), 0);
clean("lost and found", lost);
between.cut();
await finish(browser);
