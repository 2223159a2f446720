// Where in the page one is: `#/apps/demo/logs?instance=demo-1`. The part after `?` is how a list is filtered, so that it can be
// kept as a bookmark and sent to somebody.

/** The route of a fragment. */
export function parse(fragment) {
  const [path, query = ""] = fragment.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decoded);
  return { parts, query: new URLSearchParams(query) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The fragment of a place. */
export function place(parts, query) {
  const path = parts.map(encodeURIComponent).join("/");
  const text = query?.toString() ?? "";
  return `#/${path}${text ? `?${text}` : ""}`;
}

/** Another filter of the same place: no step of its own in the browser's history. */
export function setQuery(query) {
  const { parts } = parse(location.hash);
  const next = place(parts, query);
  if (next !== location.hash) history.replaceState(null, "", next);
}
