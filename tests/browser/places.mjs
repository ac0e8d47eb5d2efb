// Web servers for the tests of strangers: pages of somebody else, and the demo with its door left open.
import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";

const listening = (server, address) =>
  new Promise((resolve) => server.listen(0, address, () => resolve(server.address().port)));
const closing = (server) => new Promise((resolve) => {
  server.close(resolve);
  server.closeAllConnections();
});

/** Somebody else's page on this machine. `address` is an address of the loopback network, `name` how it is called. */
export async function stranger(address = "127.0.0.2", name = address) {
  const attack = await readFile(new URL("attack.js", import.meta.url));
  const server = createServer(({ url }, answer) => {
    const script = url === "/attack.js";
    answer.writeHead(200, { "content-type": script ? "text/javascript" : "text/html" });
    answer.end(script ? attack : `<!DOCTYPE html><title>Somebody else</title><body><script src="/attack.js"></script></body>`);
  });
  const port = await listening(server, address);
  return { url: `http://${name}:${port}/`, end: () => closing(server) };
}

/**
 * The same demo without any of its guards: whoever asks is let in as if the page itself asked, no answer has a policy,
 * and the sandbox page believes whoever shows it.
 */
export async function openDoor(host) {
  const { token } = /kolors-page-token" content="(?<token>[^"]+)"/.exec(await (await fetch(host)).text()).groups;
  const inside = new URL(host);
  const server = createServer((asked, answer) => {
    const open = {
      "access-control-allow-origin": asked.headers.origin ?? "*",
      "access-control-allow-headers": "content-type, accept, mcp-session-id, mcp-protocol-version",
      "access-control-expose-headers": "mcp-session-id",
    };
    if (asked.method === "OPTIONS") return answer.writeHead(204, open).end();
    const forSandbox = asked.url.startsWith("/sandbox.");
    const { origin: _origin, referer: _referer, ...kept } = asked.headers;
    for (const name of Object.keys(kept)) if (name.startsWith("sec-fetch")) delete kept[name];
    const headers = { ...kept, host: forSandbox ? inside.host.replace("127.0.0.1", "localhost") : inside.host, "kolors-page-token": token };
    const passed = request({ host: "127.0.0.1", port: inside.port, path: asked.url, method: asked.method, headers }, async (reply) => {
      const out = { ...open, "content-type": reply.headers["content-type"] ?? "text/plain" };
      if (reply.headers["mcp-session-id"]) out["mcp-session-id"] = reply.headers["mcp-session-id"];
      answer.writeHead(reply.statusCode, out);
      if (asked.url !== "/sandbox.js") return reply.pipe(answer);
      const parts = await reply.toArray();
      answer.end(Buffer.concat(parts).toString().replace(/const HOST = .*;/, "const HOST = new URL(document.referrer).origin;"));
    });
    passed.on("error", () => answer.destroy());
    asked.pipe(passed);
  });
  const port = await listening(server, "127.0.0.1");
  return { host: `http://127.0.0.1:${port}`, sandbox: `http://localhost:${port}`, end: () => closing(server) };
}
