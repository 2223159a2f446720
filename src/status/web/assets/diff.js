// A unified diff, line by line.

import { h } from "./dom.js";
import { clip } from "./text.js";

const MAX_LINES = 2000;

export function diff(text, label) {
  const lines = text.replace(/\n$/, "").split("\n");
  const shown = lines.slice(0, MAX_LINES).map((line) => {
    const style = /^(\+\+\+|---|@@|diff |index )/.test(line) ? "hunk" : { "+": "add", "-": "del" }[line[0]];
    return h("span", { class: style }, clip(line, 1000) || " ");
  });
  if (lines.length > MAX_LINES) shown.push(h("span", { class: "hunk" }, `… ${lines.length - MAX_LINES} lines more`));
  return h("pre", { class: "diff", tabindex: "0", role: "region", "aria-label": label }, shown);
}
