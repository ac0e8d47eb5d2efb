// What a hostile page tries against the demo on the same machine. Runs in the page; returns what it got, by way.

/** Speak MCP through any `fetch`: shake hands, start a try-on, read the list of all. Also sent into other frames. */
async function drive(address, fetcher, pictures) {
  let session = {};
  const post = async (message) => {
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", ...session };
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    const answer = await fetcher(`${address}/mcp`, { method: "POST", headers, body });
    const id = answer.headers.get("mcp-session-id");
    if (id) session = { "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" };
    return answer.text();
  };
  const clientInfo = { name: "somebody else", version: "1" };
  await post({ id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo } });
  await post({ method: "notifications/initialized" });
  await post({ id: 2, method: "tools/call", params: { name: "create_try_on", arguments: pictures } });
  return post({ id: 3, method: "tools/call", params: { name: "list_try_ons", arguments: {} } });
}

/** The frames of a window, by their numbers: those of another origin can be had in no other way. */
const framesIn = (place) => Array.from({ length: place.length }, (_, at) => place[at]);

/** A view that tries its own frame and each frame beside it, and tells the top page what it read. */
const hostileView = (addresses, pictures) => `<script>(async () => {
  const drive = ${drive};
  const framesIn = ${framesIn};
  const tell = (way, text) => top.postMessage({ way, text }, "*");
  for (const address of ${JSON.stringify(addresses)}) {
    for (const [way, place] of [["view", window], ["parent", parent], ...framesIn(top).map((each, at) => ["sibling " + at, each])]) {
      try {
        tell(way + " to " + address, await drive(address, place.fetch.bind(place), ${JSON.stringify(pictures)}));
        if (way.startsWith("sibling")) return top.postMessage({ done: true }, "*"); // It is in; that is enough.
      } catch {}
    }
  }
  top.postMessage({ done: true }, "*");
})()<\/script>`;

const loaded = (element, into = document.body) =>
  new Promise((resolve) => {
    element.onload = element.onerror = resolve;
    into.append(element);
  });
const make = (tag, values) => Object.assign(document.createElement(tag), values);
const settled = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

window.attack = async ({ host, sandbox, pictures, timeoutMs }) => {
  const got = {};
  const addresses = [host, sandbox];
  const note = (way, text) => {
    if (/"result"|kolors-page-token|postMessage/.test(text)) got[way] = String(text).slice(0, 300);
  };
  const attempt = async (way, action) => note(way, await Promise.resolve().then(action).catch(() => ""));

  for (const address of addresses) {
    await attempt(`fetch ${address}`, () => drive(address, fetch, pictures));
    for (const path of ["/", "/gate.js", "/sandbox.html"]) {
      await attempt(`read ${address}${path}`, () => fetch(`${address}${path}`, { signal: AbortSignal.timeout(timeoutMs) }).then((answer) => answer.text()));
    }
    const call = JSON.stringify({ jsonrpc: "2.0", id: 9, method: "tools/call", params: { name: "create_try_on", arguments: pictures } });
    await attempt(`blind ${address}`, () => fetch(`${address}/mcp`, { method: "POST", mode: "no-cors", body: call }).then((answer) => answer.text()));
    const target = make("iframe", { name: `form${address}` });
    document.body.append(target);
    const form = make("form", { method: "POST", action: `${address}/mcp`, enctype: "text/plain", target: target.name });
    form.append(make("input", { name: call.slice(0, -1), value: "}" }));
    document.body.append(form);
    form.submit();
    await attempt(`script ${address}`, async () => JSON.stringify(Object.keys(await import(`${address}/gate.js`))) + "postMessage");
    await loaded(make("script", { src: `${address}/` }), document.head);
    const socket = new WebSocket(`${address.replace("http", "ws")}/mcp`);
    socket.onopen = () => note(`socket ${address}`, '"result"');
    new EventSource(`${address}/mcp`).onopen = () => note(`events ${address}`, '"result"');
  }

  // Frames: whatever of it can be shown, and whichever of them takes a view from us.
  let done;
  const finished = new Promise((resolve) => (done = resolve));
  window.addEventListener("message", ({ source, data }) => {
    if (data?.method === "ui/notifications/sandbox-proxy-ready") {
      got.proxy = "answered to us";
      const params = { html: hostileView(addresses, pictures), permissions: { camera: {} } };
      source.postMessage({ jsonrpc: "2.0", method: "ui/notifications/sandbox-resource-ready", params }, "*");
    }
    if (data?.way) note(data.way, data.text);
    if (data?.result) note("answer to a message", '"result"');
    if (data?.done) done();
  });
  const paths = ["/nothing-here", `/${"x".repeat(70_000)}`, "/", "/bridge.js", "/sandbox.html"];
  const shown = addresses.flatMap((address) => paths.map((path) => loaded(make("iframe", { src: address + path }))));
  await Promise.race([Promise.all(shown), finished, settled(timeoutMs)]);
  const start = { jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "start_try_on", arguments: pictures } };
  const read = { jsonrpc: "2.0", id: 6, method: "tools/call", params: { name: "list_try_ons", arguments: {} } };
  const speakTo = (place) => [start, read].forEach((message) => place.postMessage(message, "*"));
  framesIn(window).forEach(speakTo);

  // Windows of its own, to which this one is the opener.
  const opened = addresses.flatMap((address) => ["/", "/sandbox.html"].map((path) => window.open(address + path)));
  await Promise.race([finished, settled(timeoutMs)]);
  for (const place of opened) {
    await attempt("opened window", () => place.document.documentElement.outerHTML);
    try {
      speakTo(place);
      framesIn(place).forEach(speakTo);
    } catch {
      // There is no way in, as there should be none.
    }
  }
  await settled(300);
  opened.forEach((place) => place?.close());
  return got;
};
