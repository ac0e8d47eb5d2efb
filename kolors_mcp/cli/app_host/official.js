// The same door as `bridge.js`, with the official client and AppBridge behind it; the import map says where they lie.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";
import { config } from "zod/v4";
import { PROOF, SANDBOX, isOwn, mayBeNamed, refusal } from "./gate.js";

config({ jitless: true }); // It would try to compile code, which this page's policy refuses.
const META = { name: "kolors-mcp-demo-host", version: "1.0.0" };

/** Open the view of a tool in `frame`, call the tool, and give the view its result. */
export async function openView({ frame, proxy, tool, args, context, ...on }) {
  const extensions = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };
  const client = new Client(META, { capabilities: { extensions } });
  await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", location.href), { requestInit: { headers: PROOF } }));
  const { tools } = await client.listTools();
  const bound = tools.find(({ name }) => name === tool);
  if (!mayBeNamed(bound)) throw new Error(`Only a tool that reads can be named here; ${tool} is none.`);
  const [{ text: html, _meta }] = (await client.readResource({ uri: bound._meta.ui.resourceUri })).contents;
  const { csp, permissions } = _meta?.ui ?? {};
  frame.allow = permissions?.camera ? "camera *" : "";
  const bridge = new AppBridge(
    client,
    META,
    {
      openLinks: {}, downloadFile: {}, serverTools: {}, serverResources: {}, updateModelContext: { text: {} },
      sandbox: { csp, permissions },
    },
    { hostContext: { ...context, toolInfo: { tool: bound } } },
  );
  bridge.onopenlink = async ({ url }) => (on.opened(url), {});
  bridge.ondownloadfile = async ({ contents }) => (on.saved(contents), {});
  bridge.onupdatemodelcontext = async ({ content }) => (on.told(content.map(({ text }) => text).join(" ")), {});
  bridge.addEventListener("sizechange", on.resized);
  bridge.addEventListener("sandboxready", () => bridge.sendSandboxResourceReady({ html, csp, permissions }));
  bridge.addEventListener("initialized", async () => {
    await bridge.sendToolInput({ arguments: args });
    await bridge.sendToolResult(await client.callTool({ name: tool, arguments: args }));
  });
  // The transport compares the frame alone, and would send to whatever page is in it.
  const foreign = (event) => !isOwn(event, frame) && event.stopImmediatePropagation();
  window.addEventListener("message", foreign, true);
  const target = { postMessage: (message) => frame.contentWindow.postMessage(message, SANDBOX) };
  await bridge.connect(new PostMessageTransport(target, frame.contentWindow));
  // Only now: connecting sets it to pass every call on.
  bridge.oncalltool = async (params) => refusal(tools, params.name) ?? client.callTool(params);
  frame.src = proxy;
  return {
    change: (changed) => bridge.setHostContext({ ...context, toolInfo: { tool: bound }, ...changed }),
    close: async () => {
      await bridge.teardownResource({});
      await bridge.close();
      await client.close();
      window.removeEventListener("message", foreign, true);
    },
  };
}
