// Server-sent events (WHATWG HTML, "Server-sent events"), read from the body of an answer: unlike EventSource this knows the
// status of the answer, and is what MCP servers answer a POST with.

/** More than this without an end of the event is no event of ours. */
const MAX_EVENT = 64 << 20;

/** The lines of a stream of bytes. */
export async function* lines(stream, heard = () => {}) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let halfEnd = false;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      heard();
      // The end of a line may have come in two pieces.
      const piece = halfEnd && value.startsWith("\n") ? value.slice(1) : value;
      halfEnd = value.endsWith("\r");
      const parts = piece.split(/\r\n|\n|\r/);
      // What has come in pieces is only searched for the end of the line once.
      parts[0] = rest + parts[0];
      rest = parts.pop();
      if (rest.length > MAX_EVENT) throw new Error("the answer has a line without end");
      yield* parts;
    }
    if (rest) yield rest;
  } finally {
    // Whoever stops listening closes the connection.
    await reader.cancel().catch(() => {});
  }
}

/** The events of a stream, as `{ event, data }`. `heard` is called with every piece, comments among them. */
export async function* events(stream, heard) {
  let event = "message";
  let data = [];
  for await (const line of lines(stream, heard)) {
    if (line === "") {
      if (data.length) yield { event, data: data.join("\n") };
      event = "message";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
  }
}
