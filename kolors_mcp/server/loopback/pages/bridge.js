// A host's side of MCP Apps in plain JavaScript: enough to try the fitting room without installing anything.
// `official.js` is the same door with the official bridge behind it; the tests use that one.

import { PROOF, SANDBOX, isOwn, mayBeNamed, refusal } from "./gate.js";

const META = { name: "kolors-mcp-demo-host", version: "1.0.0" };

/** The MCP server behind /mcp, over streamable HTTP. */
class Server {
  #id = 0;
  #headers = { ...PROOF, "content-type": "application/json", accept: "application/json, text/event-stream" };

  async connect() {
    const extensions = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };
    const hello = { protocolVersion: "2025-11-25", capabilities: { extensions }, clientInfo: META };
    const { protocolVersion } = await this.request("initialize", hello);
    this.#headers["mcp-protocol-version"] = protocolVersion;
    await this.#post({ jsonrpc: "2.0", method: "notifications/initialized" });
    return this;
  }

  async request(method, params = {}) {
    const answer = await this.#post({ jsonrpc: "2.0", id: ++this.#id, method, params });
    const { result, error } = await answer.json();
    if (error) throw Object.assign(new Error(error.message), { code: error.code });
    return result;
  }

  async #post(message) {
    const answer = await fetch("/mcp", { method: "POST", headers: this.#headers, body: JSON.stringify(message) });
    const session = answer.headers.get("mcp-session-id");
    if (session) this.#headers["mcp-session-id"] = session;
    if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
    return answer;
  }
}

/** Open the view of a tool in `frame`, call the tool, and give the view its result. */
export async function openView({ frame, proxy, tool, args, context, ...on }) {
  const server = await new Server().connect();
  const { tools } = await server.request("tools/list");
  const bound = tools.find(({ name }) => name === tool);
  if (!mayBeNamed(bound)) throw new Error(`Only a tool that reads can be named here; ${tool} is none.`);
  const [{ text: html, _meta }] = (await server.request("resources/read", { uri: bound._meta.ui.resourceUri })).contents;
  const { csp, permissions } = _meta?.ui ?? {};
  frame.allow = permissions?.camera ? "camera *" : "";

  const post = (message) => frame.contentWindow.postMessage({ jsonrpc: "2.0", ...message }, SANDBOX);
  const notify = (name, params) => post({ method: `ui/notifications/${name}`, params });
  const methods = {
    ping: () => ({}),
    "ui/initialize": () => ({
      protocolVersion: "2026-01-26",
      hostInfo: META,
      hostCapabilities: {
        openLinks: {}, downloadFile: {}, serverTools: {}, serverResources: {},
        ...(on.told ? { updateModelContext: { text: {} } } : {}), // a page without a model takes no lines for one
        sandbox: { csp, permissions },
      },
      hostContext: { ...context, toolInfo: { tool: bound } },
    }),
    "tools/call": (params) => refusal(tools, params.name) ?? server.request("tools/call", params),
    "resources/read": (params) => server.request("resources/read", params),
    "ui/open-link": ({ url }) => (on.opened(url), {}),
    "ui/download-file": ({ contents }) => (on.saved(contents), {}),
    "ui/update-model-context": ({ content }) => (on.told?.(content.map(({ text }) => text).join(" ")), {}),
  };
  const notices = {
    "ui/notifications/sandbox-proxy-ready": () => notify("sandbox-resource-ready", { html, csp, permissions }),
    "ui/notifications/size-changed": on.resized,
    "ui/notifications/initialized": async () => {
      notify("tool-input", { arguments: args });
      notify("tool-result", await server.request("tools/call", { name: tool, arguments: args }));
    },
  };
  const receive = async (event) => {
    if (!isOwn(event, frame) || event.data?.method === undefined) return;
    const { id, method, params } = event.data;
    if (id === undefined) return notices[method]?.(params);
    try {
      if (!methods[method]) throw Object.assign(new Error(`no such method: ${method}`), { code: -32601 });
      post({ id, result: await methods[method](params) });
    } catch (error) {
      post({ id, error: { code: error.code ?? -32000, message: error.message } });
    }
  };
  window.addEventListener("message", receive);
  frame.src = proxy;
  return {
    change: (changed) => notify("host-context-changed", changed),
    close: async () => window.removeEventListener("message", receive),
  };
}
