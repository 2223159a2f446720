// What clients need to reach a server, to be copied.

import { copyButton, h, refill } from "./dom.js";
import { code, empty } from "./parts.js";
import { oneLine } from "./text.js";

const NAMES = { "claude-code": "Claude Code", "claude-desktop": "Claude Desktop", cursor: "Cursor", vscode: "VS Code" };

export class Connect {
  constructor(server) {
    this.server = server;
    this.element = h("div", { class: "cards" });
  }

  show() {
    const { app, detail } = this.server;
    if (!app) return;
    const text = JSON.stringify([app.url, app.state == null, detail?.clients]);
    if (text === this.shown) return;
    this.shown = text;
    if (app.state == null) {
      refill(
        this.element,
        empty("This agent does not run it", h("p", {}, "So there is nothing that a client could connect to.")),
      );
      return;
    }
    const token =
      this.server.store.agent?.auth === "required" &&
      h(
        "p",
        { class: "muted" },
        "The gateway asks for a token: a client sends it as ",
        h("code", {}, "Authorization: Bearer TOKEN"),
        ". ",
        h("code", {}, "mcpfleet token create USER"),
        " makes one.",
      );
    const url = h(
      "section",
      { class: "card wide" },
      h(
        "div",
        { class: "cardhead" },
        h("h2", {}, "Any client"),
        copyButton(() => app.url, "the URL"),
      ),
      h("pre", { class: "wrap", tabindex: "0", role: "region", "aria-label": "URL of the server" }, app.url),
      h("p", { class: "muted" }, "Streamable HTTP, of both eras of the protocol."),
      token,
    );
    const clients = (detail?.clients ?? []).map(({ client, where, text: config }) => {
      const name = NAMES[client] ?? client;
      return h(
        "section",
        { class: "card" },
        h(
          "div",
          { class: "cardhead" },
          h("h2", {}, name),
          copyButton(() => config, `the configuration for ${name}`),
        ),
        h("p", { class: "muted" }, oneLine(where, 300)),
        code(config, `Configuration for ${name}`),
      );
    });
    refill(this.element, url, clients);
  }
}
