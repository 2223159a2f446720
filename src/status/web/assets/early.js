// Runs before anything is painted. A page in the other theme never shows for a moment; and all there is to show is asked for before
// the page's other files have come.
(() => {
  try {
    const theme = localStorage.getItem("mcpfleet-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage the system's choice counts.
  }
  const stop = new AbortController();
  const init = { headers: { Accept: "text/event-stream" }, cache: "no-store", credentials: "same-origin", signal: stop.signal };
  const response = fetch("v1/watch", init);
  // Whoever takes it looks whether it has failed.
  response.catch(() => {});
  globalThis.mcpfleetEarly = { response, stop };
})();
