// The pieces that several views are made of.

import { Refusal, explain } from "./api.js";
import { h, icon, refill, setAttribute, setText, time } from "./dom.js";
import { place } from "./route.js";
import { look } from "./states.js";
import { clip, fullTime, oneLine, short } from "./text.js";

/** A word with a colour and a shape. */
export function badge({ tone, icon: shape }, word, title) {
  return h("span", { class: `badge ${tone}`, title }, icon(shape), h("span", {}, word));
}

export const stateBadge = (state) => badge(look(state), state, look(state).says);

/** Makes the badge of one state that of another; gives back the one to show. */
export function changeBadge(element, state) {
  const { tone, icon: shape, says } = look(state);
  setAttribute(element, "class", `badge ${tone}`);
  setAttribute(element, "title", says);
  setAttribute(element.querySelector("use"), "href", `#i-${shape}`);
  setText(element.lastElementChild, state);
}

export const appLink = (name, below = []) => h("a", { href: place(["apps", name, ...below]) }, oneLine(name, 128));

/** A commit by its first digits; all of it on hover, and for who copies it. */
export function revision(commit) {
  return commit ? h("code", { class: "commit", title: commit }, short(commit)) : h("span", { class: "muted" }, "–");
}

/** Who made a commit as it says itself, and whose key signed it. */
export function author(name, signer) {
  if (!name) return h("span", { class: "muted" }, "–");
  const signed = signer
    ? h("span", { class: "signed", title: "The commit is signed with a key of this user" }, "signed by ", oneLine(signer, 60))
    : h("span", { class: "muted", title: "Nobody vouches for the name: the commit is not signed by a known key" }, "not signed");
  return h("span", { class: "author" }, h("span", { title: oneLine(name, 200) }, oneLine(name, 80)), " ", signed);
}

/** A list of names and values; those without a value are left out. */
export function facts(entries) {
  const shown = entries.filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false);
  return h(
    "dl",
    { class: "facts" },
    shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** Where there is nothing: what that means, and what to do. */
export function empty(title, ...more) {
  return h("div", { class: "empty" }, h("h2", {}, title), ...more);
}

export function box(tone, shape, ...children) {
  return h("div", { class: `box ${tone}` }, icon(shape), h("div", { class: "grow" }, ...children));
}

/** Text of a program: as it is, bounded, scrolled and not wrapped where it is long. */
export function code(text, label, max = 200000) {
  return h("pre", { tabindex: "0", role: "region", "aria-label": label }, clip(text, max));
}

/** What went wrong, what to do, and a button to try again. */
export function failure(error, again) {
  const login = error instanceof Refusal && error.status === 401;
  const button = login
    ? h("a", { class: "button", href: "./" }, "Log in")
    : again && h("button", { type: "button", on: { click: again } }, "Try again");
  const problem = h(
    "div",
    { class: "box bad", role: "alert" },
    icon("failed"),
    h("div", { class: "grow" }, h("p", {}, explain(error))),
    button,
  );
  if (login) problem.querySelector("a").addEventListener("click", (event) => (event.preventDefault(), location.reload()));
  return problem;
}

/** Shows in `element` what `load()` comes to, with a word while it is on its way. `show` gives back what to show. */
export async function loaded(element, load, show, what = "Loading…") {
  // Whatever was asked for before may come later, and is nobody's any more.
  const turn = (element.turn = (element.turn ?? 0) + 1);
  const put = (...children) => turn === element.turn && refill(element, ...children);
  const waiting = setTimeout(() => put(h("p", { class: "muted" }, what)), 150);
  setAttribute(element, "aria-busy", "true");
  const again = () => loaded(element, load, show, what);
  try {
    const value = await load();
    clearTimeout(waiting);
    if (turn === element.turn) put(show(value, again));
  } catch (error) {
    clearTimeout(waiting);
    if (error.name !== "AbortError") put(failure(error, again));
  }
  if (turn === element.turn) setAttribute(element, "aria-busy", null);
}

/** A button that does something once at a time, and says so. */
export function action(label, run, attributes = {}) {
  const button = h("button", { type: "button", ...attributes }, label);
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    // Not `disabled`, which would take the focus away from who has pressed it.
    button.setAttribute("aria-disabled", "true");
    try {
      await run();
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  return button;
}

export function field(label, control, hint) {
  const id = control.id || `f${(counter += 1)}`;
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    control,
  );
}

let counter = 0;
export const freshId = () => `f${(counter += 1)}`;

/** Asks before something is done; resolves to the values of its form, or null. */
export function confirm({ title, says, confirm: word, tone = "", form }) {
  return new Promise((resolve) => {
    const close = (value) => (dialog.close(), dialog.remove(), resolve(value), back?.isConnected && back.focus());
    const back = document.activeElement;
    const cancel = h("button", { type: "button", class: "quiet", on: { click: () => close(null) } }, "Cancel");
    const heading = h("h2", { id: freshId() }, title);
    const submit = (event) => (event.preventDefault(), close(new FormData(event.target)));
    const dialog = h(
      "dialog",
      { "aria-labelledby": heading.id, on: { cancel: (event) => (event.preventDefault(), close(null)) } },
      h(
        "form",
        { on: { submit } },
        heading,
        h("div", { class: "says" }, says),
        form,
        h("div", { class: "buttons" }, cancel, h("button", { class: `strong ${tone}` }, word)),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
    cancel.focus();
  });
}

export const moment = (value) => h("time", { datetime: value, class: "nowrap" }, fullTime(value));
export const age = (value) => time(value);
