// The way to the host: JSON-RPC over postMessage, as the MCP Apps specification (2026-01-26) has it.

const MAX_ANSWER_MS = 120_000; // milliseconds; hosts cut tool calls earlier themselves

/** What went wrong, in words for people; `told` is true where the server itself said so. */
class Trouble extends Error {
  constructor(text, told = false) {
    super(text);
    this.told = told;
  }
}

const host = {
  capabilities: {},
  context: {},
  waiting: new Map(),
  listeners: {},
  last: 0,

  /** Call `listener` with the params of each such notification. */
  on(method, listener) {
    this.listeners[method] = listener;
  },

  notify(method, params = {}) {
    window.parent.postMessage({ jsonrpc: "2.0", method, params }, "*");
  },

  request(method, params = {}) {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.settle(id, { error: { message: say("no_host") } }), MAX_ANSWER_MS);
      this.waiting.set(id, { resolve, reject, late });
      window.parent.postMessage({ jsonrpc: "2.0", id, method, params }, "*");
    });
  },

  settle(id, { result, error }) {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    this.waiting.delete(id);
    clearTimeout(waiting.late);
    if (error) waiting.reject(new Trouble(error.message || say("no_host")));
    else waiting.resolve(result);
  },

  receive({ source, data }) {
    if (source !== window.parent || data?.jsonrpc !== "2.0") return;
    if (data.method === undefined) return this.settle(data.id, data);
    if (data.id === undefined) return this.listeners[data.method]?.(data.params ?? {});
    const known = ["ping", "ui/resource-teardown"].includes(data.method);
    const answer = known ? { result: {} } : { error: { code: -32601, message: `no such method: ${data.method}` } };
    window.parent.postMessage({ jsonrpc: "2.0", id: data.id, ...answer }, "*");
  },

  /** Shake hands; afterwards `capabilities` and `context` are known. */
  async connect() {
    window.addEventListener("message", (event) => this.receive(event));
    const answer = await this.request("ui/initialize", {
      protocolVersion: "2026-01-26",
      appInfo: { name: "kolors-mcp-fitting-room", version: "1.0.0" },
      appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
    });
    this.capabilities = answer.hostCapabilities ?? {};
    this.context = answer.hostContext ?? {};
    this.notify("ui/notifications/initialized");
  },

  /** Call a tool of the server and return its result; throws what the server says if it refuses. */
  async call(name, args) {
    const result = await this.request("tools/call", { name, arguments: args });
    if (result.isError) {
      const text = (result.content ?? []).map((part) => part.text ?? "").join(" ");
      throw new Trouble(text.replace(/^Error: /, ""), true);
    }
    return result;
  },

  /** Call a tool that answers with a try-on, or with a page of them. */
  async ask(name, args) {
    const answer = (await this.call(name, args)).structuredContent;
    if (!answer) throw new Trouble(say("odd_answer"));
    return answer;
  },

  /** Put one line into the model's context; a host that takes none is no reason to complain. */
  tellModel(text) {
    if (!this.capabilities.updateModelContext) return;
    this.request("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => undefined);
  },
};

/** Return a finished picture as `{src, data, type, full}`: whole as a resource, else the small one of a tool. */
async function pictureOf(tryOn, image) {
  if (host.capabilities.serverResources) {
    const uri = image.resource_uri ?? `tryon://${tryOn.task_id}/images/${image.index}`;
    try {
      const found = (await host.request("resources/read", { uri })).contents?.find((part) => part.blob);
      if (found) return picture(found.blob, found.mimeType, !found._meta?.[FACTS.shrunk]);
    } catch {
      // A host or server without such resources still has the tool.
    }
  }
  const result = await host.call("view_try_on", { task_id: tryOn.task_id, index: image.index });
  const shown = (result.content ?? []).find((part) => part.type === "image");
  if (!shown) throw new Trouble(say("odd_answer"));
  return picture(shown.data, shown.mimeType, false);
}

function picture(data, type = "image/jpeg", full) {
  return { data, type, full, src: `data:${type};base64,${data}` };
}
