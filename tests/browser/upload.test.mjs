// The page behind an upload link of the service, which runs as it does for users: what it takes, what it says, what it lets out.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import axeCore from "axe-core";
import { chromium } from "playwright-core";
import { FLAGS, SHOTS, drop, photo, sample } from "./surroundings.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const KEY = "a-key-that-signs-the-links-of-this-test";
// A link that was made here sixteen minutes ago, as another replica of the same account would have made it.
const LATE = `
import sys, time
from pydantic import SecretStr
from kolors_mcp.clock import Clock
from kolors_mcp.server.http.upload_links import UploadLinks
from kolors_mcp.settings import Credentials
key = Credentials(api_key=SecretStr(sys.argv[2]))
print(UploadLinks(sys.argv[1], lambda: key, Clock(wall=lambda: time.time() - 16 * 60)).made_for("somebody"))
`;

let home, service, origin, browser, context;
before(async () => {
  home = await mkdtemp(`${tmpdir()}/kolors-upload-`);
  await mkdir(SHOTS, { recursive: true });
  const env = { ...process.env, HOME: home, XDG_STATE_HOME: home, KOLORS_SANDBOX: "1", KLING_API_KEY: KEY, KOLORS_SHELF: `${home}/shelf`, PYTHONUNBUFFERED: "1" };
  service = spawn(`${ROOT}.venv/bin/kolors-mcp`, ["serve", "--http", "--port", "0"], { stdio: ["ignore", "pipe", "ignore"], env });
  for await (const line of createInterface({ input: service.stdout })) {
    origin = /Serving MCP at (http:\/\/[^/]+)/.exec(line)?.[1];
    if (origin) break;
  }
  assert.ok(origin, "the service did not start");
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS });
  context = await browser.newContext({ viewport: { width: 480, height: 800 } });
  context.setDefaultTimeout(60_000);
});
after(async () => {
  await browser?.close();
  const gone = new Promise((resolve) => service.once("exit", resolve));
  service.kill("SIGTERM");
  await gone;
  await rm(home, { recursive: true, force: true });
});

/** Call a tool as a model's host does, and return its text. */
async function call(name, args = {}) {
  const version = "2026-07-28";
  const meta = {
    "io.modelcontextprotocol/protocolVersion": version,
    "io.modelcontextprotocol/clientInfo": { name: "a host", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const answer = await fetch(`${origin}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json", accept: "application/json, text/event-stream",
      "mcp-protocol-version": version, "mcp-method": "tools/call", "mcp-name": name,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args, _meta: meta } }),
  });
  const text = await answer.text();
  const lines = text.startsWith("{") ? [text] : text.split("\n").filter((line) => line.startsWith("data: {")).map((line) => line.slice(6));
  const { result } = lines.map((line) => JSON.parse(line)).find((message) => message.id === 1);
  return { text: result.content.map((part) => part.text ?? "").join("\n"), isError: result.isError ?? false };
}

/** Ask for a link as an assistant does, unless one is given, and open it as the user would. */
async function openLink({ link, locale } = {}) {
  link ??= /http:\/\/\S+\/uploads\/\S+/.exec((await call("open_fitting_room")).text)[0];
  const where = locale ? await browser.newContext({ locale }) : context;
  where.setDefaultTimeout(60_000);
  const page = await where.newPage();
  const problems = [];
  const requests = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("request", (request) => requests.push(`${request.method()} ${request.url()}`));
  const answer = await page.goto(link);
  const said = (text) => page.locator("#said", { hasText: text }).waitFor();
  return { page, problems, requests, link, answer, said };
}

async function serious(page) {
  await page.evaluate(axeCore.source);
  const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.ok(passes.length > 5);
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id }) => id);
}

test("a photo that is chosen there is kept, worn by the next try-on, and the link works once", async () => {
  const { page, problems, requests, link, said } = await openLink();
  assert.equal(await page.locator("#send").isEnabled(), false);
  await page.getByLabel("Choose or drop a photo").setInputFiles(await sample("person"));
  await page.locator("#shown").waitFor();
  await page.getByLabel("Name in the chat").fill("an na");
  await page.locator("#send").click();
  await said("Use 1 to 60 of");
  await page.getByLabel("Name in the chat").fill("anna");
  await page.screenshot({ path: `${SHOTS}/20-upload.png` });
  await page.getByRole("button", { name: "Keep the photo" }).click();
  await said("Kept as photo:anna");
  assert.equal(await page.locator("#form").isVisible(), false);
  const { mimeType, buffer } = await sample("upper");
  const garment = `data:${mimeType};base64,${buffer.toString("base64")}`;
  const worn = await call("create_try_on", { human_image: "photo:anna", cloth_image: garment });
  assert.deepEqual([worn.isError, /^Try-on \d+/.test(worn.text)], [false, true], worn.text);

  const path = new URL(link).pathname;
  const left = requests.filter((asked) => !/^GET (data|blob):/.test(asked));
  assert.deepEqual(left, [`GET ${link}`, `PUT ${origin}${path}?name=anna`], "nothing is asked of anybody else");
  assert.deepEqual(problems, []);

  const again = await openLink({ link });
  assert.equal(again.answer.status(), 410);
  await again.said("This link was used already");
  assert.equal(await again.page.locator("#form").isVisible(), false);
});

test("who opens a link twice and sends another photo by the second page is told that it was used", async () => {
  const first = await openLink();
  const second = await openLink({ link: first.link });
  for (const { page, said, words } of [{ ...first, words: "Kept as photo:my-photo" }, { ...second, words: "This link was used already" }]) {
    await page.locator("#file").setInputFiles(photo("me.png"));
    await page.locator("#send:enabled").click();
    await said(words);
    assert.equal(await page.locator("#form").isVisible(), false);
  }
});

test("a press of the button after the answer was lost shows what came of the first one", async () => {
  const { page, said } = await openLink();
  await page.getByLabel("Name in the chat").fill("twice");
  await page.locator("#file").setInputFiles(photo("me.png"));
  // It reaches the service, and its answer does not reach the page.
  await page.route("**/uploads/**", async (route) => {
    await route.fetch();
    await route.abort();
  }, { times: 1 });
  await page.locator("#send:enabled").click();
  await said("The photo could not be sent.");
  await page.locator("#send:enabled").click();
  await said("Kept as photo:twice");
  assert.equal(((await call("list_pictures")).text.match(/photo:twice/g) ?? []).length, 1);
});

test("a link whose time is over says so, before and after a photo was chosen", async () => {
  const { stdout } = await promisify(execFile)(`${ROOT}.venv/bin/python`, ["-c", LATE, origin, KEY], { cwd: ROOT });
  const late = await openLink({ link: stdout.trim() });
  assert.equal(late.answer.status(), 410);
  await late.said("The time of this link is over");
  assert.equal(await late.page.locator("#form").isVisible(), false);

  const { page, said } = await openLink();
  await page.locator("#file").setInputFiles(photo("me.png"));
  // The page stays open until the link is late: what it sends then goes by the late one.
  await page.route("**/uploads/**", (route) => route.continue({ url: `${stdout.trim()}?name=me` }));
  await page.locator("#send:enabled").click();
  await said("The time of this link is over");
  assert.equal(await page.locator("#form").isVisible(), false);
});

test("what is no picture, and what is too large, is told, and the link still works", async () => {
  const { page, requests, said } = await openLink();
  const file = page.locator("#file");
  await file.setInputFiles({ name: "large.png", mimeType: "image/png", buffer: Buffer.alloc(10 * 2 ** 20 + 1) });
  await said("larger than 10 MB");
  assert.equal(await page.locator("#send").isEnabled(), false);
  assert.equal(requests.filter((asked) => asked.startsWith("PUT")).length, 0, "it does not leave");
  await file.setInputFiles({ name: "paper.png", mimeType: "image/png", buffer: Buffer.from(`%PDF-1.7 ${"x".repeat(2000)}`) });
  await page.locator("#prompt", { hasText: "paper.png" }).waitFor();
  await page.locator("#send:enabled").click();
  await said("The photo was not kept.");
  const words = await page.locator("#said").innerText();
  assert.match(words, /PDF|no picture/i);
  assert.doesNotMatch(words, /[{}<>]/);
  await drop(page.locator("#place"), [photo("me.png")]);
  await page.locator("#shown").waitFor();
  assert.equal(await page.locator("#said").innerText(), "");
  await page.locator("#send:enabled").click();
  await said("Kept as photo:my-photo");
});

test("its policy lets nothing else in or out", async () => {
  const { page, answer } = await openLink();
  const policy = answer.headers()["content-security-policy"];
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  const outcome = await page.evaluate(async () => {
    window.refused = new Set();
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => window.refused.add(effectiveDirective));
    // Later, because the debugger that runs this very function may use eval for as long as it runs.
    const attempt = (action) => new Promise((resolve) => setTimeout(resolve)).then(action).then(() => "worked", () => "refused");
    const button = document.createElement("button");
    button.setAttribute("onclick", "window.ran = true");
    document.body.append(button);
    button.click();
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    new Image().src = "https://example.com/x.png";
    return {
      eval: await attempt(() => (0, eval)("1")),
      elsewhere: await attempt(() => fetch("https://example.com/")),
      ran: window.ran ?? false,
    };
  });
  assert.deepEqual(outcome, { eval: "refused", elsewhere: "refused", ran: false });
  await page.waitForFunction(() => window.refused.size === 5);
  const refused = await page.evaluate(() => [...window.refused].sort());
  assert.deepEqual(refused, ["connect-src", "img-src", "script-src", "script-src-attr", "script-src-elem"]);
  assert.equal(await page.evaluate(() => window.ran), undefined);
});

test("it is used with keys alone, says what happens, and axe finds nothing serious", async () => {
  let wanted;
  const { page, said } = await openLink();
  page.on("filechooser", (chooser) => chooser.setFiles(wanted));
  assert.deepEqual(await serious(page), []);
  const focused = () => page.evaluate(() => document.activeElement.id);
  const reach = async (id) => {
    for (let steps = 0; steps < 6 && (await focused()) !== id; steps += 1) await page.keyboard.press("Tab");
    assert.equal(await focused(), id);
  };
  await reach("file");
  // The field itself is not seen; the place it stands for shows where one is.
  const edge = await page.locator("#place").evaluate((element) => getComputedStyle(element).outlineStyle);
  assert.equal(edge, "solid");
  wanted = photo("me.png");
  await page.keyboard.press("Enter");
  await page.locator("#shown").waitFor();
  await page.getByRole("button", { name: "me.png is chosen; choose another photo" }).waitFor({ state: "attached" });
  assert.deepEqual(await serious(page), []);
  await reach("name");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("keys");
  await reach("send");
  await page.keyboard.press("Enter");
  await said("Kept as photo:keys");
  assert.equal(await page.locator("#said").getAttribute("role"), "status");
  assert.deepEqual(await serious(page), []);
  const { page: small } = await openLink();
  await small.setViewportSize({ width: 320, height: 800 });
  assert.equal(await small.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
});

test("it speaks the browser's language", async () => {
  const { page, said } = await openLink({ locale: "zh-CN" });
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  await page.locator("#file").setInputFiles(photo("me.png"));
  await page.getByLabel("在聊天中的名称").fill("zhongwen");
  await page.getByRole("button", { name: "保存照片" }).click();
  await said("已保存为 photo:zhongwen");
  await page.context().close();
});
