// The page around the fitting room in the user's own browser: a host without a model, which follows the system's theme.
import { openView } from "./bridge.js";
import { saved } from "./files.js";
import { SANDBOX } from "./gate.js";

const at = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
const context = () => ({
  theme: dark.matches ? "dark" : "light", locale: navigator.language, timeZone, displayMode: "fullscreen", platform: "web",
});

try {
  const view = await openView({
    frame: at("view"),
    proxy: `${SANDBOX}/sandbox.html`,
    tool: "open_fitting_room",
    args: {},
    context: context(),
    opened: (url) => window.open(url, "_blank", "noopener"),
    saved,
    resized: ({ height }) => height && (at("view").style.height = `${height}px`),
  });
  dark.addEventListener("change", () => view.change(context()));
} catch (error) {
  at("fault").textContent = error.message;
  at("fault").hidden = false;
}
