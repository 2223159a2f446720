// What a tool has answered: as text, whatever it is. Pictures of the usual kinds are shown as pictures.

import { copyButton, h } from "./dom.js";
import { badge, code } from "./parts.js";
import { clip, count, oneLine, pretty } from "./text.js";

const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const MAX_BLOCKS = 100;
const MAX_PICTURE = 16 << 20;
const MAX_TEXT = 100000;

export function shown(result, took) {
  const failed = result.isError === true;
  const blocks = (Array.isArray(result.content) ? result.content : []).slice(0, MAX_BLOCKS);
  const head = h(
    "div",
    { class: "cardhead" },
    h("h3", {}, "Result"),
    h(
      "span",
      { class: "buttons" },
      failed
        ? badge({ tone: "bad", icon: "failed" }, "The tool says it failed")
        : badge({ tone: "good", icon: "ready" }, "Answered"),
      h("span", { class: "muted" }, took),
      copyButton(() => pretty(result), "the result"),
    ),
  );
  const { structuredContent } = result;
  const texts = blocks.map((one) => one?.text);
  const twice = structuredContent !== undefined && texts.some((text) => same(text, structuredContent));
  const parts = blocks.map(block);
  if (result.resultType === "input_required")
    parts.push(h("p", { class: "problem" }, "The server asks for more than this form has: use an MCP client for this tool."));
  if (structuredContent !== undefined && !twice)
    parts.push(h("h3", {}, "As data"), code(pretty(structuredContent), "Structured result", MAX_TEXT));
  if (parts.length === 0) parts.push(h("p", { class: "muted" }, "It answered with nothing."));
  const raw = h("details", {}, h("summary", {}, "As it came"));
  // Only made for who looks.
  raw.addEventListener(
    "toggle",
    () => raw.childElementCount === 1 && raw.append(code(pretty(result), "The result as JSON", MAX_TEXT)),
    { once: true },
  );
  return h("div", { class: "result" }, head, parts, raw);
}

function same(text, value) {
  try {
    return typeof text === "string" && JSON.stringify(JSON.parse(text)) === JSON.stringify(value);
  } catch {
    return false;
  }
}

function block(one) {
  switch (one?.type) {
    case "text":
      return code(typeof one.text === "string" ? indented(one.text) : pretty(one), "Text of the result", MAX_TEXT);
    case "image":
      return picture(one);
    case "audio":
      return h("p", { class: "muted" }, `Sound (${oneLine(String(one.mimeType), 60)}), which is not played here.`);
    case "resource_link":
      return h(
        "p",
        {},
        "Resource ",
        h("code", {}, oneLine(String(one.uri), 500)),
        " ",
        oneLine(String(one.description ?? one.name ?? ""), 300),
      );
    case "resource":
      return h(
        "div",
        { class: "view" },
        h("p", {}, "Resource ", h("code", {}, oneLine(String(one.resource?.uri), 500))),
        typeof one.resource?.text === "string"
          ? code(one.resource.text, "Text of the resource", MAX_TEXT)
          : h("p", { class: "muted" }, "Its content is not text."),
      );
    default:
      return code(pretty(one), "Part of the result", MAX_TEXT);
  }
}

/** JSON in one long line is easier to read in many. */
function indented(text) {
  if (text.length > MAX_TEXT || !/^\s*[[{]/.test(text)) return text;
  try {
    return pretty(JSON.parse(text));
  } catch {
    return text;
  }
}

function picture({ mimeType, data }) {
  const size = typeof data === "string" ? data.length : 0;
  const about = `${clip(String(mimeType), 60)}, ${count(Math.round((size * 3) / 4 / 1024), "KiB", "KiB")}`;
  if (!PICTURES.has(mimeType) || size > MAX_PICTURE || !/^[A-Za-z0-9+/=\s]*$/.test(data))
    return h("p", { class: "muted" }, `Picture (${about}), which is not shown here.`);
  const image = h("img", { alt: `Picture of the result, ${about}` });
  image.src = `data:${mimeType};base64,${data}`;
  return image;
}
