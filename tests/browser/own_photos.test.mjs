// Photos of one's own in a host that shows no views: dropped in the user's browser, used by the host's next call.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import axeCore from "axe-core";
import { chromium } from "playwright-core";
import { FLAGS, SHOTS, drop, listed, photo, sample } from "./surroundings.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const uri = ({ mimeType, buffer }) => `data:${mimeType};base64,${buffer.toString("base64")}`;
const axe = axeCore.source;

/** A host over stdio that shows no views and cannot ask its user, with a server of its own. */
async function startHost(home) {
  const env = { ...process.env, HOME: home, XDG_STATE_HOME: home, KOLORS_SANDBOX: "1" };
  const server = spawn(`${ROOT}.venv/bin/kolors-mcp`, [], { stdio: ["pipe", "pipe", "inherit"], env });
  const waiting = new Map();
  createInterface({ input: server.stdout }).on("line", (line) => {
    const { id, result, error } = JSON.parse(line);
    waiting.get(id)?.(result ?? { isError: true, content: [{ text: JSON.stringify(error) }] });
  });
  const say = (message) => server.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  let last = 0;
  const ask = (method, params) => new Promise((resolve) => {
    waiting.set(++last, resolve);
    say({ id: last, method, params });
  });
  await ask("initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "a host", version: "1" } });
  say({ method: "notifications/initialized" });
  return {
    /** Call a tool, and return its text and whether it is an error. */
    async call(name, args = {}) {
      const { content, isError = false } = await ask("tools/call", { name, arguments: args });
      return { text: content.map((part) => part.text ?? "").join("\n"), isError };
    },
    async end() {
      const gone = new Promise((resolve) => server.once("exit", resolve));
      server.stdin.end();
      await gone;
    },
  };
}

let home, host, browser, context, garment;
before(async () => {
  home = await mkdtemp(`${tmpdir()}/kolors-own-photos-`);
  [host, browser, garment] = await Promise.all([
    startHost(home),
    chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS }),
    sample("upper").then(uri),
  ]);
  context = await browser.newContext({ viewport: { width: 960, height: 1000 } });
  context.setDefaultTimeout(60_000);
});
after(async () => {
  await Promise.all([browser?.close(), host?.end()]);
  await rm(home, { recursive: true, force: true });
});

/** Ask for the room, and open its link as the user would. */
async function openLink() {
  const { text } = await host.call("open_fitting_room");
  const link = /http:\/\/127\.0\.0\.1:\d+\/room\?key=[\w-]+/.exec(text)?.[0];
  assert.ok(link, text);
  const page = await context.newPage();
  const problems = [];
  const requests = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(link);
  const room = page.frameLocator("#view").frameLocator("iframe");
  await listed(room);
  return { page, room, problems, requests, link };
}

test("a photo that is dropped in the browser is worn by the host's next call, and by none after it was removed", async () => {
  const { page, room, problems, requests, link } = await openLink();
  const person = room.locator("[data-what=human_image]");
  await drop(person, [photo("Anna im Garten.png")]);
  await person.locator(".keep").click();
  assert.equal(await room.locator("#keep-name").inputValue(), "Anna-im-Garten");
  await room.locator("#keep-name").fill("an na");
  await room.locator("#keep").click();
  assert.match(await room.locator("#keep-fault").innerText(), /up to 60 letters/);
  await room.locator("#keep-name").fill("anna");
  await page.screenshot({ path: `${SHOTS}/15-keep-a-photo.png` });
  await room.locator("#keep-name").press("Enter");
  await room.locator("#kept-list code", { hasText: "photo:anna" }).waitFor();
  assert.equal(await room.locator("#kept-say").innerText(), "Say to the assistant: use photo:anna");
  await page.screenshot({ path: `${SHOTS}/16-kept.png` });
  assert.match((await host.call("list_pictures", { query: "photo:" })).text, /"photo:anna"/);

  const worn = await host.call("create_try_on", { human_image: "photo:anna", cloth_image: garment });
  assert.deepEqual([worn.isError, /^Try-on \d+/.test(worn.text)], [false, true], worn.text);
  // What the assistant has started is on the room's wall: it is one server.
  await room.locator("#refresh").click();
  await room.locator("#tiles li").first().waitFor();

  await room.getByRole("button", { name: "Remove photo:anna from this computer" }).click();
  await room.locator("#kept").waitFor({ state: "hidden" });
  const gone = await host.call("create_try_on", { human_image: "photo:anna", cloth_image: garment });
  assert.deepEqual([gone.isError, gone.text.includes("names no kept photo")], [true, true], gone.text);
  assert.deepEqual(problems, []);
  const origins = new Set(requests.filter((url) => !/^(data|blob|about):/.test(url)).map((url) => new URL(url).origin));
  const { origin } = new URL(link);
  assert.deepEqual([...origins].sort(), [origin, origin.replace("127.0.0.1", "localhost")].sort());
  await page.close();
});

test("a try-on is started there by a click, and the assistant sees it", async () => {
  const { page, room } = await openLink();
  await drop(room.locator("[data-what=human_image]"), [photo("me.png")]);
  await drop(room.locator("[data-what=cloth_image]"), [photo("dress.png")]);
  await room.locator("#start").click();
  await room.locator("#result").waitFor();
  const list = await host.call("list_try_ons");
  assert.match(list.text, /: 2 try-ons/);
  await page.close();
});

test("the room is kept by keyboard alone, and says what it is", async () => {
  const { page, room } = await openLink();
  await drop(room.locator("[data-what=cloth_image]"), [photo("shirt.png")]);
  const keep = room.locator("[data-what=cloth_image] .keep");
  // From here on the keys go to the view: a focus that crosses from process to process takes a moment.
  await room.locator("h1").click();
  await keep.press("Enter");
  await room.locator("#keep-name:focus").waitFor();
  const view = page.frames().find((frame) => frame.url() === "about:srcdoc");
  await view.evaluate(axe);
  const found = await view.evaluate(() => axe.run({ resultTypes: ["violations"] }));
  const serious = found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  assert.deepEqual(serious.map(({ id }) => id), []);
  await room.locator("#keep-name").press("Escape");
  await room.locator("#keeping").waitFor({ state: "hidden" });
  await room.locator("[data-what=cloth_image] .keep:focus").waitFor();
  await page.close();
});
