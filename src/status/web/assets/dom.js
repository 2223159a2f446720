// Elements. Text becomes text nodes, and nothing else here takes text: what servers, commits and clients say is never markup.

import { ago, fullTime, span, until, visible } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (`on` has listeners, `class` and `aria-*` as they are, true and false for those without a
 * value) and children: elements, text, or nothing. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "value" || name === "checked" || name === "indeterminate") element[name] = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, visible(String(value)));
  }
  return fill(element, ...children);
}

/** Appends children. */
export function fill(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : visible(String(child)));
  }
  return element;
}

/** Puts children in the place of those that are there. */
export function refill(element, ...children) {
  element.replaceChildren();
  return fill(element, ...children);
}

/** Sets the text if it is another one: what has not changed is not touched, nor read aloud again. */
export function setText(element, text) {
  const shown = visible(String(text ?? ""));
  if (element.textContent !== shown) element.textContent = shown;
}

export function setAttribute(element, name, value) {
  if (value === undefined || value === null || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const shown = value === true ? "" : visible(String(value));
  if (element.getAttribute(name) !== shown) element.setAttribute(name, shown);
}

/** A picture of the sheet in the page, for those who see; a word stands beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A time as an age, kept up to date by `keepTimes`, in full on hover. */
export function time(value, form = "ago") {
  const element = h("time", { datetime: value, "data-form": form, title: fullTime(value) });
  showTime(element, Date.now());
  return element;
}

function showTime(element, now) {
  const value = element.getAttribute("datetime");
  const text = { ago, until }[element.dataset.form]?.(value, now) ?? span(now - Date.parse(value));
  if (element.textContent !== text) element.textContent = text;
}

/** Shows all ages anew from time to time, while somebody looks. */
export function keepTimes() {
  setInterval(() => {
    if (document.hidden) return;
    const now = Date.now();
    for (const element of document.querySelectorAll("time[data-form]")) {
      if (element.checkVisibility?.() ?? true) showTime(element, now);
    }
  }, 5000);
}

/** Makes `nodes` the children of `parent`, in this order. What is in its place already is not touched, and keeps the focus. */
export function order(parent, nodes) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const node of nodes) {
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

/** Says something to who does not see the page change. */
export function announce(text) {
  const region = document.getElementById("announce");
  // The same words twice would not be said twice.
  region.textContent = "";
  requestAnimationFrame(() => setText(region, text));
}

/** A note at the edge of the page, that goes by itself unless it is bad news. */
export function toast(text, tone = "good") {
  const close = h(
    "button",
    { type: "button", class: "ghost", "aria-label": "Close", on: { click: () => note.remove() } },
    icon("close"),
  );
  const note = h("div", { class: `toast ${tone}` }, icon(tone === "good" ? "ready" : "failed"), h("p", {}, text), close);
  const region = document.getElementById("toasts");
  while (region.childElementCount > 2) region.firstElementChild.remove();
  region.append(note);
  if (tone === "good") setTimeout(() => note.remove(), 6000);
}

/** A button that copies what `text()` gives; where the browser does not allow that, says how to by hand. */
export function copyButton(text, what) {
  const word = h("span", {}, "Copy");
  const click = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setText(word, "Copied");
      announce(`${what} copied`);
    } catch {
      setText(word, "Select it and press Ctrl+C");
    }
    setTimeout(() => setText(word, "Copy"), 2500);
  };
  return h("button", { type: "button", class: "quiet small", "aria-label": `Copy ${what}`, on: { click } }, icon("copy"), word);
}
