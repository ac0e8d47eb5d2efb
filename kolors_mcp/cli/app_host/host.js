// The page around the fitting room: opens it, changes what a host may change, and shows what the model is told.
import { openView } from "./bridge.js";
import { saved } from "./files.js";
import { SANDBOX } from "./gate.js";

const wanted = new URLSearchParams(location.search);
const at = (id) => document.getElementById(id);
const context = () => ({ theme: at("theme").value, locale: at("locale").value, displayMode: "inline", platform: "web" });
const told = (text) => at("told").append(Object.assign(document.createElement("li"), { textContent: text }));
let view = null;

function dress() {
  document.documentElement.dataset.theme = at("theme").value;
  at("view").style.maxWidth = at("width").value ? `${at("width").value}px` : "";
}

async function open() {
  await view?.close();
  view = null;
  view = await openView({
    frame: at("view"),
    proxy: `${SANDBOX}/sandbox.html`,
    tool: wanted.get("tool") ?? "open_fitting_room",
    args: JSON.parse(wanted.get("arguments") ?? "{}"),
    context: context(),
    told,
    opened: (url) => window.open(url, "_blank", "noopener"),
    saved,
    resized: ({ height }) => height && (at("view").style.height = `${height}px`),
  });
}

for (const name of ["theme", "locale", "width"]) {
  if (wanted.has(name)) at(name).value = wanted.get(name);
  at(name).onchange = () => {
    dress();
    view?.change(context());
  };
}
const opened = () => open().catch((error) => told(error.message));
at("reopen").onclick = opened;
dress();
opened();
