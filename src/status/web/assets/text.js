// Text of strangers, made harmless for the eye; times, ages and numbers as people read them. Pure.

// What cannot be seen, or changes the direction of writing: as src/escape.rs has it. Line feeds and tabs stay.
const UNSAFE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\p{Cs}]/gu;

/** Text with what cannot be seen written out, as in `\u{202e}`. */
export function visible(text) {
  return text.replace(UNSAFE, (c) => (c === "\r" ? "\\r" : `\\u{${c.codePointAt(0).toString(16)}}`));
}

/** With a capital, to begin with. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** What should be text, but a stranger may have sent anything: `String` of an object may throw. */
export const asText = (value) => (typeof value === "string" ? value : value == null ? "" : JSON.stringify(value));

/** At most `max` characters, with a note of how much is left out. */
export function clip(value, max) {
  const text = asText(value);
  if (text.length <= max) return text;
  // Not in the middle of a character of two halves.
  const end = /[\ud800-\udbff]/.test(text[max - 1]) ? max - 1 : max;
  return `${text.slice(0, end)}… (${count(text.length - end, "character")} more)`;
}

/** The text within a line: no feeds, no runs of blanks, bounded. */
export function oneLine(text, max = 300) {
  const line = asText(text)
    .slice(0, max * 4)
    .replace(/\s+/g, " ")
    .trim();
  return line.length > max ? `${line.slice(0, max)}…` : line;
}

export const short = (commit) => (/^[0-9a-f]{40,64}$/.test(commit) ? commit.slice(0, 10) : oneLine(commit, 19));

/** The name of an author, of `Name <address>`. */
export const authorName = (author) => author.split(" <", 1)[0] || author;

const number = new Intl.NumberFormat("en");

/** `1 session`, `2 sessions`, `1,200 sessions`. */
export const count = (n, one, many = `${one}s`) => `${number.format(n)} ${n === 1 ? one : many}`;

/** `3s`, `5m`, `2h`, `4d`: the largest unit alone. */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

export const ago = (time, now = Date.now()) => `${span(now - Date.parse(time))} ago`;

export function until(time, now = Date.now()) {
  const left = Date.parse(time) - now;
  return left > 0 ? `in ${span(left)}` : "now";
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

const shown = (format, time) => {
  const date = new Date(time);
  return Number.isNaN(date.valueOf()) ? String(time) : format.format(date);
};

/** `14:03:20`. */
export const timeOfDay = (time) => shown(clock, time);
/** `28 Nov 2026, 14:03:20`. */
export const fullTime = (time) => shown(moment, time);

/** Indented JSON; what is no JSON value as it is. */
export const pretty = (value) => JSON.stringify(value, null, 2) ?? String(value);
