// What of the page's files decides and shows nothing, by tables: run in the page, where they are at home.

import { same } from "./browser.mjs";

export async function pure(page) {
  const seen = await page.evaluate(async () => {
    const names = ["text", "filters", "route", "mcp", "sse", "states", "store", "parts", "form", "live"];
    const [text, filters, route, mcp, sse, states, { Store }, { loaded }, { SchemaForm }, { Live }] = await Promise.all(
      names.map((name) => import(`./web/${name}.js`)),
    );
    const told = async (pieces) => {
      const stream = new ReadableStream({
        start(controller) {
          for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
          controller.close();
        },
      });
      const all = [];
      for await (const { event, data } of sse.events(stream)) all.push([event, data]);
      return all;
    };
    const app = (name, more) => ({
      name,
      state: "Ready",
      labels: {},
      conditions: [],
      sessions: 0,
      restarts: 0,
      source: "s",
      path: `${name}.yaml`,
      ...more,
    });
    const apps = [
      app("b", { labels: { env: "prod", x: "a=b" }, description: "Invoices" }),
      app("a", { state: "Failed", sessions: 2 }),
      app("c", { state: null, conditions: [{ type: "NotSelected", message: "no" }] }),
    ];
    const chosen = (query) => filters.chosen(apps, filters.read(new URLSearchParams(query))).map((one) => one.app.name);
    const round = (query) => filters.write(filters.read(new URLSearchParams(query))).toString();
    // A server that runs, then does not, then does again: as the agent tells of it.
    const store = new Store();
    const shown = [];
    store.whole({ sources: [], apps: [app("a")] });
    for (const change of [
      { apps: [app("a", { state: null })], gone: [] },
      { apps: [app("a")], gone: [] },
      { apps: [], gone: ["a/s/a.yaml"] },
    ]) {
      store.change(change);
      shown.push([...store.apps.values()].map(({ state }) => state));
    }
    // Two that are asked for in one place, of which the first comes last.
    const element = document.createElement("div");
    let late;
    const first = loaded(element, () => new Promise((resolve) => (late = resolve)), String);
    await loaded(element, async () => "second", String);
    late("first");
    await first;
    // An agent that stops saying anything.
    const stands = [];
    const real = { fetch: globalThis.fetch, setInterval: globalThis.setInterval, now: Date.now };
    let asked = 0;
    let watchdog;
    const answer = (path, { signal }) => {
      if (path !== "v1/watch") return real.fetch(path, { signal });
      asked += 1;
      if (asked > 1) return Promise.resolve(new Response("{}", { status: 401 }));
      const start = (controller) => {
        controller.enqueue(new TextEncoder().encode("event: status\ndata: {}\n\n"));
        signal.addEventListener("abort", () => controller.error(signal.reason));
      };
      return Promise.resolve(new Response(new ReadableStream({ start })));
    };
    await new Promise((resolve) => {
      const live = new Live({ whole() {} }, ({ state, error }) => {
        stands.push([state, error?.code ?? ""]);
        if (state === "live") {
          Date.now = () => real.now() + 60000;
          watchdog();
          Date.now = real.now;
        } else if (state === "lost") setTimeout(() => live.now());
        else resolve();
      });
      globalThis.fetch = answer;
      globalThis.setInterval = (run, every) => ((watchdog ??= run), real.setInterval.call(globalThis, run, every));
      live.run();
    });
    globalThis.fetch = real.fetch;
    globalThis.setInterval = real.setInterval;
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`p${i}`, { type: "string" }]));
    const odd = JSON.parse('{"toString": 5, "valueOf": 5}');
    const strange = { type: "string", description: odd, format: odd, maxLength: odd };
    const form = (properties) => new SchemaForm({ properties }).element;
    return {
      ghosts: shown,
      races: [element.textContent, element.hasAttribute("aria-busy")],
      silence: stands,
      odd: [text.oneLine(5), text.oneLine({}), text.clip(null, 3), text.clip(odd, 3)],
      forms: [form({ a: strange, b: { type: "object", description: {}, properties: { c: { anyOf: [5] } } } }), form(many)].map(
        (one) => one.querySelectorAll("input, textarea").length,
      ),
      visible: ["a\nb\tc", "a\u202eb", "\u001b[31m", "a\r\n", "\ud800x", "grüß 👋", "\u{e0041}", "\u200b"].map(text.visible),
      clip: [text.clip("abc", 3), text.clip("abcd", 3), text.clip("a👋b", 2)],
      oneLine: text.oneLine(" a\n\n b ", 10),
      short: [text.short("0123456789".repeat(4)), text.short("sha256:0123456789abcdef0123"), text.short("v1")],
      span: [0, 59499, 60000, 3600000, 86400000 * 3].map(text.span),
      header: ["get_weather", "", " a", "grüß", "a\nb", "=?base64?YQ==?="].map(mcp.header),
      events: [
        await told(["da", "ta: a\n\nev", "ent: x\r\ndata: 1\r", "\ndata:2\n", "\n: comment\n\n"]),
        await told(["data: a\r", "\n\r\ndata: b\r\n\r\n"]),
        await told(["data: never ended\n"]),
      ],
      route: [route.parse("#/apps/a%2Fb/logs?x=1&y=%20"), route.parse("#/apps/%zz"), route.parse("")].map(({ parts, query }) => [
        parts,
        query.toString(),
      ]),
      place: route.place(["apps", "a/b?c"], new URLSearchParams({ q: "x y" })),
      chosen: [
        "",
        "sort=-name",
        "state=look",
        "state=Not+run,Failed",
        "label=x%3Da%3Db",
        "q=INVOICES+prod",
        "sort=sessions",
        "sort=nonsense",
      ].map(chosen),
      round: ["q=a&state=look,Failed&label=x%3Dy&label=z%3D&sort=-state", "sort=name", "sort=nonsense&other=1"].map(round),
      why: states.why(
        app("a", { reason: "r", conditions: [{ type: "Held", message: "m" }], confinement: [{ what: "memory", by: null }] }),
      ),
    };
  });
  const expected = {
    ghosts: [[null], ["Ready"], []],
    races: ["second", false],
    silence: [
      ["live", ""],
      ["lost", "unreachable"],
      ["ended", ""],
    ],
    odd: ["5", "{}", "", '{"t… (23 characters more)'],
    forms: [2, 1],
    visible: ["a\nb\tc", "a\\u{202e}b", "\\u{1b}[31m", "a\\r\n", "\\u{d800}x", "grüß 👋", "\\u{e0041}", "\\u{200b}"],
    clip: ["abc", "abc… (1 character more)", "a… (3 characters more)"],
    oneLine: "a b",
    short: ["0123456789", "sha256:0123456789ab…", "v1"],
    span: ["0s", "59s", "1m", "1h", "3d"],
    header: ["get_weather", "", "=?base64?IGE=?=", "=?base64?Z3LDvMOf?=", "=?base64?YQpi?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="],
    events: [
      [
        ["message", "a"],
        ["x", "1\n2"],
      ],
      [
        ["message", "a"],
        ["message", "b"],
      ],
      [],
    ],
    route: [
      [["apps", "a/b", "logs"], "x=1&y=+"],
      [["apps", "%zz"], ""],
      [[], ""],
    ],
    place: "#/apps/a%2Fb%3Fc?q=x+y",
    chosen: [["b", "a", "c"], ["c", "a", "b"], ["a"], ["a", "c"], ["b"], ["b"], ["a", "b", "c"], ["b", "a", "c"]],
    round: ["q=a&state=look%2CFailed&label=x%3Dy&label=z%3D&sort=-state", "", ""],
    why: "r; Held: m; memory is not in force",
  };
  for (const [what, values] of Object.entries(expected)) same(`the page's own ${what}`, seen[what], values);
}
