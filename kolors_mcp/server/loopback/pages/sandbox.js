// The proxy that the specification puts between a host and a view: another origin, and an inner frame in a sandbox.

// The one page that this one is for. Any other page that shows it, or speaks to it, is not heard.
const HOST = new URL(`http://127.0.0.1:${location.port}`).origin;
const inner = document.createElement("iframe");
inner.title = "Fitting room";

/** The view's origin: ours, where it has one at all. */
const own = () => (inner.sandbox.contains("allow-same-origin") ? location.origin : "null");

function show({ html, permissions }) {
  // Scripts are all that the view needs; a camera is lent only to pages that have an origin.
  inner.setAttribute("sandbox", permissions?.camera ? "allow-scripts allow-same-origin" : "allow-scripts");
  if (permissions?.camera) inner.allow = "camera";
  inner.srcdoc = html;
  document.body.append(inner);
}

window.addEventListener("message", ({ source, origin, data }) => {
  if (inner.contentWindow && source === inner.contentWindow) {
    if (origin === own()) window.parent.postMessage(data, HOST);
  } else if (source === window.parent && origin === HOST) {
    if (inner.isConnected) inner.contentWindow.postMessage(data, own() === "null" ? "*" : own());
    else if (data?.method === "ui/notifications/sandbox-resource-ready") show(data.params);
  }
});
if (window.parent !== window) {
  window.parent.postMessage({ jsonrpc: "2.0", method: "ui/notifications/sandbox-proxy-ready", params: {} }, HOST);
}
