// The proxy that the specification puts between a host and a view: another origin, and an inner frame in a sandbox.
const HOST = document.referrer ? new URL(document.referrer).origin : "";
const inner = document.createElement("iframe");
inner.title = "Fitting room";

window.addEventListener("message", ({ source, origin, data }) => {
  if (source === inner.contentWindow) return window.parent.postMessage(data, HOST);
  if (source !== window.parent || origin !== HOST) return;
  if (data.method !== "ui/notifications/sandbox-resource-ready") return inner.contentWindow.postMessage(data, "*");
  const { html, permissions } = data.params;
  // Scripts are all that the view needs; a camera is lent only to pages that have an origin.
  inner.setAttribute("sandbox", permissions?.camera ? "allow-scripts allow-same-origin" : "allow-scripts");
  if (permissions?.camera) inner.allow = "camera";
  inner.srcdoc = html;
  document.body.append(inner);
});
window.parent.postMessage({ jsonrpc: "2.0", method: "ui/notifications/sandbox-proxy-ready", params: {} }, HOST);
