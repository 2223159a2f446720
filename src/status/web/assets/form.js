// A form made from a JSON Schema: a control for what has a plain form, a field for JSON for everything else. What is left empty
// is left out. The schema is a stranger's: it is bounded, and decides nothing but which controls there are.

import { h, icon, refill, setAttribute, setText } from "./dom.js";
import { freshId } from "./parts.js";
import { clip, oneLine, pretty } from "./text.js";

const MAX_DEPTH = 5;
const MAX_FIELDS = 200;
const LONG = /content|body|text|code|query|sql|markdown|prompt|script/i;

/** What is wrong with what was typed, and where. */
export class Wrong extends Error {
  constructor(control, message) {
    super(message);
    this.control = control;
  }
}

/** The form of an object. `read()` gives its value, or throws a `Wrong`. */
export class SchemaForm {
  constructor(schema) {
    this.root = schema && typeof schema === "object" ? schema : {};
    this.fields = 0;
    this.cut = false;
    this.controls = this.#properties(this.root, 0);
    this.json = null;
    this.body = h("div", { class: "form" });
    this.toggle = h(
      "button",
      { type: "button", class: "small", "aria-pressed": "false", on: { click: () => this.#switch() } },
      "As JSON",
    );
    this.element = h("div", { class: "form" }, this.body, h("div", {}, this.toggle));
    this.#fields();
    if (this.cut) this.#switch();
  }

  read() {
    for (const control of this.element.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
    if (!this.json) return readObject(this.controls) ?? {};
    const value = this.json.read();
    if (value === undefined) return {};
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new Wrong(this.json.control, "Arguments are an object: { … }");
    return value;
  }

  #fields() {
    const none = h("p", { class: "muted" }, "It takes no arguments.");
    refill(this.body, this.controls.length ? this.controls.map(({ element }) => element) : none);
  }

  /** From the form to JSON with what it has, and back. */
  #switch() {
    if (this.json) {
      this.json = null;
      this.#fields();
    } else {
      let value = {};
      try {
        value = readObject(this.controls) ?? {};
      } catch {
        // What is not finished is not taken along.
      }
      this.json = json({}, { label: "Arguments as JSON", required: true, rows: 10 });
      this.json.control.value = pretty(value);
      refill(this.body, this.json.element);
      this.json.control.focus();
    }
    setAttribute(this.toggle, "aria-pressed", String(Boolean(this.json)));
  }

  #properties(schema, depth) {
    const required = new Set(Array.isArray(schema.required) ? schema.required : []);
    const properties = Object.entries(schema.properties ?? {}).filter(([, one]) => one !== false);
    // What must be there comes first.
    properties.sort(([a], [b]) => required.has(b) - required.has(a));
    // What is left out of the form can still be given as JSON.
    this.cut ||= properties.length > MAX_FIELDS;
    return properties.slice(0, MAX_FIELDS).map(([name, one]) => ({
      name,
      ...this.#control(this.#plain(one), { label: name, required: required.has(name), depth }),
    }));
  }

  /** A schema without what only says it in another way. */
  #plain(schema, hops = 0) {
    if (typeof schema !== "object" || schema === null) return {};
    if (hops > 8) return {};
    if (typeof schema.$ref === "string") return this.#plain({ ...this.#at(schema.$ref), ...without(schema, "$ref") }, hops + 1);
    for (const key of ["anyOf", "oneOf"]) {
      const all = Array.isArray(schema[key]) ? schema[key] : [];
      const real = all.filter((one) => one?.type !== "null");
      if (all.length && real.every((one) => "const" in Object(one))) {
        return { ...without(schema, key), enum: real.map((one) => one.const), names: real.map((one) => one.title) };
      }
      if (real.length === 1) return this.#plain({ ...real[0], ...without(schema, key) }, hops + 1);
    }
    if (Array.isArray(schema.allOf) && schema.allOf.length === 1)
      return this.#plain({ ...schema.allOf[0], ...without(schema, "allOf") }, hops + 1);
    if (Array.isArray(schema.type)) {
      const types = schema.type.filter((type) => type !== "null");
      if (types.length === 1) return { ...schema, type: types[0] };
    }
    return schema;
  }

  /** What a reference within the schema points at. */
  #at(reference) {
    if (!reference.startsWith("#/")) return {};
    let value = this.root;
    for (const part of reference.slice(2).split("/")) {
      const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
      value = value && Object.hasOwn(value, key) ? value[key] : undefined;
    }
    return value ?? {};
  }

  #control(schema, about) {
    this.fields += 1;
    if (this.fields > MAX_FIELDS || about.depth > MAX_DEPTH) return json(schema, about);
    if (Array.isArray(schema.enum) && schema.enum.length) return choice(schema, about);
    if ("const" in schema) return choice({ ...schema, enum: [schema.const] }, about);
    switch (schema.type) {
      case "string":
        return text(schema, about);
      case "number":
      case "integer":
        return number(schema, about);
      case "boolean":
        return yesNo(schema, about);
      case "array":
        return schema.items && !Array.isArray(schema.items) ? this.#list(schema, about) : json(schema, about);
      case "object":
        return schema.properties ? this.#object(schema, about) : json(schema, about);
      default:
        return json(schema, about);
    }
  }

  #object(schema, about) {
    const controls = this.#properties(schema, about.depth + 1);
    const element = h(
      "fieldset",
      {},
      legend(schema, about),
      controls.map((one) => one.element),
    );
    const read = () => readObject(controls) ?? (about.required ? {} : undefined);
    return { element, read };
  }

  #list(schema, about) {
    const items = [];
    const list = h("div", { class: "form" });
    const add = () => {
      const one = this.#control(this.#plain(schema.items), {
        label: `${about.label} ${items.length + 1}`,
        required: true,
        depth: about.depth + 1,
        bare: true,
      });
      const remove = () => (items.splice(items.indexOf(one), 1), line.remove(), more.focus());
      const line = h(
        "div",
        { class: "item" },
        one.element,
        h(
          "button",
          { type: "button", class: "ghost", "aria-label": `Remove ${about.label} ${items.length + 1}`, on: { click: remove } },
          icon("close"),
        ),
      );
      items.push(one);
      list.append(line);
      return line;
    };
    const more = h(
      "button",
      { type: "button", class: "small", on: { click: () => add().querySelector("input, select, textarea")?.focus() } },
      `Add ${oneLine(about.label, 60)}`,
    );
    const defaults = Array.isArray(schema.default) ? schema.default.slice(0, 50) : [];
    for (const value of defaults) {
      add();
      items.at(-1).set?.(value);
    }
    const read = () => (items.length || about.required ? items.map((one) => one.read()) : undefined);
    return { element: h("fieldset", {}, legend(schema, about), list, h("div", {}, more)), read };
  }
}

const without = (object, key) => {
  const { [key]: _, ...rest } = object;
  return rest;
};

function readObject(controls) {
  const entries = controls.map(({ name, read }) => [name, read()]).filter(([, value]) => value !== undefined);
  return entries.length ? Object.fromEntries(entries) : undefined;
}

const must = () => h("span", { class: "required" }, "required");

const legend = (schema, { label, required }) =>
  h(
    "legend",
    {},
    oneLine(label, 120),
    " ",
    required && must(),
    schema.description && h("span", { class: "hint" }, " ", oneLine(schema.description, 300)),
  );

/** A control with its label, its description, and a place for what is wrong with it. */
function labelled(control, schema, { label, required, bare }) {
  const id = freshId();
  control.id = id;
  const hint = schema.description && h("p", { class: "hint", id: `${id}-h` }, clip(schema.description, 1000));
  const problem = h("p", { class: "problem", id: `${id}-p` });
  setAttribute(control, "aria-describedby", [hint && `${id}-h`, `${id}-p`].filter(Boolean).join(" "));
  if (required) setAttribute(control, "aria-required", "true");
  const name = h(
    "label",
    { for: id, class: bare ? "unseen" : null },
    oneLine(String(label), 120),
    " ",
    required && !bare && must(),
  );
  return h("div", { class: "field" }, name, !bare && hint, control, problem);
}

/** What `check` makes of the text; nothing for nothing, unless there must be something. */
function reading(control, { required }, check) {
  return () => {
    const problem = document.getElementById(`${control.id}-p`);
    if (problem) setText(problem, "");
    if (control.value.trim() === "") {
      if (required) throw new Wrong(control, "This is required.");
      return undefined;
    }
    return check(control.value);
  };
}

/** Shows what is wrong where it is, and leads there. */
export function showWrong({ control, message }) {
  const problem = document.getElementById(`${control.id}-p`);
  if (problem) setText(problem, message);
  setAttribute(control, "aria-invalid", "true");
  control.focus();
}

const settable =
  (control, shown = String) =>
  (value) =>
    (control.value = shown(value));

function text(schema, about) {
  const large = typeof schema.maxLength === "number" && schema.maxLength > 200;
  const long = !about.bare && (LONG.test(about.label) || large) && !schema.format;
  const type = ["date", "password"].includes(schema.format) ? schema.format : "text";
  const control = long
    ? h("textarea", { rows: "3", spellcheck: "false" })
    : h("input", { type, autocomplete: "off", spellcheck: "false" });
  const example = Array.isArray(schema.examples) && typeof schema.examples[0] === "string" ? schema.examples[0] : undefined;
  if (example) setAttribute(control, "placeholder", oneLine(example, 100));
  if (typeof schema.default === "string") control.value = schema.default;
  return {
    element: labelled(control, schema, about),
    control,
    set: settable(control),
    read: reading(control, about, (value) => value),
  };
}

function number(schema, about) {
  // Not `type=number`, which hides from the page what it does not take.
  const control = h("input", { type: "text", inputmode: schema.type === "integer" ? "numeric" : "decimal", autocomplete: "off" });
  if (typeof schema.default === "number") control.value = String(schema.default);
  const check = (value) => {
    const n = Number(value.trim());
    if (!Number.isFinite(n)) throw new Wrong(control, "This is no number.");
    if (schema.type === "integer" && !Number.isInteger(n)) throw new Wrong(control, "This must be a whole number.");
    if (Number.isInteger(n) && !Number.isSafeInteger(n))
      throw new Wrong(control, "A browser cannot hold so large a number exactly.");
    if (typeof schema.minimum === "number" && n < schema.minimum)
      throw new Wrong(control, `It must be at least ${schema.minimum}.`);
    if (typeof schema.maximum === "number" && n > schema.maximum)
      throw new Wrong(control, `It may be at most ${schema.maximum}.`);
    return n;
  };
  return { element: labelled(control, schema, about), control, set: settable(control), read: reading(control, about, check) };
}

function choice(schema, about) {
  const values = schema.enum.slice(0, 500);
  const word = (value, index) => schema.names?.[index] ?? (typeof value === "string" ? value : JSON.stringify(value));
  const options = values.map((value, index) => h("option", { value: String(index) }, oneLine(word(value, index), 120)));
  const control = h("select", {}, h("option", { value: "" }, about.required ? "Choose…" : "–"), options);
  const set = (value) => {
    const index = values.findIndex((one) => JSON.stringify(one) === JSON.stringify(value));
    control.value = index < 0 ? "" : String(index);
  };
  if ("default" in schema) set(schema.default);
  else if (about.required && values.length === 1) control.value = "0";
  return {
    element: labelled(control, schema, about),
    control,
    set,
    read: reading(control, about, (index) => values[Number(index)]),
  };
}

const yesNo = (schema, about) => choice({ ...schema, enum: [true, false], names: ["true", "false"] }, about);

function json(schema, about) {
  const control = h("textarea", { rows: String(about.rows ?? 3), spellcheck: "false", placeholder: "JSON" });
  if ("default" in schema) control.value = pretty(schema.default);
  const check = (value) => {
    try {
      return JSON.parse(value);
    } catch (error) {
      throw new Wrong(control, `This is no JSON: ${error.message}`);
    }
  };
  return {
    element: labelled(control, schema, about),
    control,
    set: settable(control, pretty),
    read: reading(control, about, check),
  };
}
