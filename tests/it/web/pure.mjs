// What of the page's files decides and shows nothing, by tables: run in the page, where they are at home.

import { same } from "./browser.mjs";

export async function pure(page) {
  const seen = await page.evaluate(async () => {
    const [text, filters, route, mcp, sse, states] = await Promise.all(
      ["text", "filters", "route", "mcp", "sse", "states"].map((name) => import(`./web/${name}.js`)),
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
    return {
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
