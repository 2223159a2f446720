// Asks for all there is to show before the page's other files have come: the answer is on its way meanwhile.
(() => {
  const stop = new AbortController();
  const init = { headers: { Accept: "text/event-stream" }, cache: "no-store", credentials: "same-origin", signal: stop.signal };
  const response = fetch("v1/watch", init);
  // Whoever takes it looks whether it has failed.
  response.catch(() => {});
  globalThis.mcpfleetEarly = { response, stop };
})();
