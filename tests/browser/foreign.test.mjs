// Pages of others on the same machine: they start nothing and read nothing, whichever way they try.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { openDoor, stranger } from "./places.mjs";
import { photo, surroundings } from "./surroundings.mjs";

let around;
before(async () => (around = await surroundings({ official: false, flags: ["--host-resolver-rules=MAP rebound.test 127.0.0.1"] })));
after(() => around.end());
afterEach(() => around.tidy());

const uri = ({ mimeType, buffer }) => `data:${mimeType};base64,${buffer.toString("base64")}`;
const pictures = () => ({ human_image: uri(photo("a.png")), cloth_image: uri(photo("b.png")) });
const target = () => {
  const { origin } = new URL(around.host);
  return { host: origin, sandbox: origin.replace("127.0.0.1", "localhost") };
};

/** Let a page attack, and return what it got. */
async function attacked(page, place, timeoutMs) {
  return page.evaluate((wanted) => window.attack(wanted), { ...place, pictures: pictures(), timeoutMs });
}

for (const [kind, address, name] of [
  ["another site", "127.0.0.2", "127.0.0.2"],
  ["another port of the page's own address", "127.0.0.1", "127.0.0.1"],
  ["another port of the sandbox's own name", "127.0.0.1", "localhost"],
]) {
  test(`a page at ${kind} starts nothing and reads nothing`, async () => {
    const other = await stranger(address, name);
    try {
      const page = await around.context.newPage();
      await page.goto(other.url);
      const before = await around.paid();
      assert.deepEqual(await attacked(page, target(), 1500), {});
      assert.equal(await around.paid(), before);
    } finally {
      await other.end();
    }
  });
}

test("a page without an origin of its own starts nothing and reads nothing", async () => {
  const other = await stranger();
  try {
    const page = await around.context.newPage();
    await page.goto(other.url);
    await page.evaluate((url) => new Promise((resolve) => {
      const frame = Object.assign(document.createElement("iframe"), { src: url, onload: resolve });
      frame.setAttribute("sandbox", "allow-scripts allow-forms allow-popups");
      document.body.append(frame);
    }), other.url);
    const frame = page.frames().find((each) => each.parentFrame());
    assert.equal(await frame.evaluate(() => window.origin), "null");
    const before = await around.paid();
    assert.deepEqual(await attacked(frame, target(), 1500), {});
    assert.equal(await around.paid(), before);
  } finally {
    await other.end();
  }
});

test("a name that was rebound to this machine is answered nothing", async () => {
  const page = await around.context.newPage();
  for (const path of ["/", "/gate.js", "/sandbox.html", "/mcp", "/nothing-here"]) {
    const answer = await page.goto(`http://rebound.test:${new URL(around.host).port}${path}`);
    assert.deepEqual([answer.status(), await answer.text()], [421, `This is at ${path === "/sandbox.html" ? "localhost" : "127.0.0.1"}:${new URL(around.host).port} only.`]);
    // Whoever's page it was before, nothing can be asked from this one.
    assert.equal(await page.evaluate(() => fetch("/mcp").then(() => "asked", () => "refused")), "refused");
  }
});

test("the same attack succeeds where the door is open, so that it would be seen", async () => {
  const [other, open] = await Promise.all([stranger(), openDoor(around.host)]);
  try {
    const page = await around.context.newPage();
    await page.goto(other.url);
    const before = await around.paid();
    const got = Object.keys(await attacked(page, { host: open.host, sandbox: open.sandbox }, 20_000));
    assert.ok(got.includes(`fetch ${open.host}`), got.join());
    assert.ok(got.includes(`read ${open.host}/`), got.join());
    assert.ok(got.includes("proxy"), got.join());
    assert.ok(got.some((way) => way.startsWith("sibling")), got.join());
    assert.ok((await around.paid()) > before);
  } finally {
    await Promise.all([other.end(), open.end()]);
  }
});

test("a view starts nothing of its own accord, only by a click", async () => {
  for (const official of [false, true]) {
    const here = official ? await surroundings({ official }) : around;
    try {
      const page = await here.context.newPage();
      // Nothing is evaluated in the page meanwhile: the debugger's evaluating counts as a click.
      await page.addInitScript((photos) => {
        if (location.href !== "about:srcdoc") return;
        window.addEventListener("message", ({ data }) => {
          if (data?.id === "unasked") console.log(`answered: ${JSON.stringify(data)}`);
          if (data?.method !== "ui/notifications/tool-result") return;
          const params = { name: "start_try_on", arguments: photos };
          window.parent.postMessage({ jsonrpc: "2.0", id: "unasked", method: "tools/call", params }, "*");
        });
      }, pictures());
      const answered = page.waitForEvent("console", (message) => message.text().startsWith("answered"));
      const before = await here.paid();
      await page.goto(here.host);
      assert.match((await answered).text(), /"isError":true.*by a click only/);
      assert.equal(await here.paid(), before);
    } finally {
      if (official) await here.end();
    }
  }
});
