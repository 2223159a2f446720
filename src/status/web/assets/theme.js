// Runs before anything is painted, so that a page in the other theme never shows for a moment.
(() => {
  try {
    const theme = localStorage.getItem("mcpfleet-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage the system's choice counts.
  }
})();
