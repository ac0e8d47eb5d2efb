// The same door as `bridge.js`, with the official client and AppBridge behind it; the import map says where they lie.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

const META = { name: "kolors-mcp-demo-host", version: "1.0.0" };

/** Open the view of a tool in `frame`, call the tool, and give the view its result. */
export async function openView({ frame, proxy, tool, args, context, ...on }) {
  const extensions = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };
  const client = new Client(META, { capabilities: { extensions } });
  await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", location.href)));
  const bound = (await client.listTools()).tools.find(({ name }) => name === tool);
  // The tool comes from this page's address, which any other page can write: nothing that costs is called by it.
  if (!bound?.annotations?.readOnlyHint) throw new Error(`Only a tool that reads can be named here; ${tool} is none.`);
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
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.src = proxy;
  return {
    change: (changed) => bridge.setHostContext({ ...context, toolInfo: { tool: bound }, ...changed }),
    close: async () => {
      await bridge.teardownResource({});
      await bridge.close();
      await client.close();
    },
  };
}
