"use strict";
const apps = document.getElementById("apps");
fetch("v1/me").then((answer) => answer.json()).then((me) => {
  document.getElementById("who").textContent = `You are ${me.principal}.`;
});
const rows = new Map();
const key = (app) => `${app.name}/${app.source}/${app.path}`;
function show(app) {
  const row = rows.get(key(app)) ?? apps.appendChild(document.createElement("tr"));
  rows.set(key(app), row);
  row.replaceChildren(...[app.name, app.state ?? ""].map((text) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    return cell;
  }));
}
const watch = new EventSource("v1/watch");
watch.addEventListener("status", (event) => {
  apps.replaceChildren();
  rows.clear();
  JSON.parse(event.data).apps.forEach(show);
});
watch.addEventListener("change", (event) => {
  const change = JSON.parse(event.data);
  change.gone.forEach((gone) => { rows.get(gone)?.remove(); rows.delete(gone); });
  change.apps.forEach(show);
});
