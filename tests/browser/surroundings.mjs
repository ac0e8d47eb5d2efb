// What the tests stand on: the demo's server with the official bridge, Debian's Chromium, and pictures to put in.
import { spawn } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { deflateSync, crc32 } from "node:zlib";
import { chromium } from "playwright-core";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
// Each window would draw Chromium's own address bar as pages too. Of several such lists the last one counts, so the
// rest of it is Playwright's, as far as it matters here.
const WITHOUT = [
  "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",
  "AimEnabled", "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
  "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints",
  "PaintHolding", "PreconnectToSearch", "ThirdPartyStoragePartitioning",
];
export const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  `--disable-features=${WITHOUT}`, "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
];
// By default a try-on is finished at once; one that is held is not, until the sandbox's clock is turned.
const AT_ONCE = { speed: 1000 };
const HELD_SECONDS = 300;
export const SHOTS = process.env.SCREENSHOTS || `${HERE}screenshots`;

/** Run a program of this package, and return it with what its first lines name, by these patterns. */
async function running(args, env, patterns) {
  const program = spawn(`${ROOT}.venv/bin/kolors-mcp`, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PYTHONUNBUFFERED: "1", ...env },
  });
  const found = {};
  for await (const line of createInterface({ input: program.stdout })) {
    for (const [name, pattern] of Object.entries(patterns)) found[name] ??= pattern.exec(line)?.[1];
    if (Object.values(found).filter(Boolean).length === Object.keys(patterns).length) return { program, found };
  }
  throw new Error(`${args[0]} did not start.`);
}

async function ended(program) {
  const gone = new Promise((resolve) => program.once("exit", resolve));
  program.kill("SIGINT");
  await gone;
}

/** Start a simulated Kling of its own, for which a demo is a paying account: the environment to use it, and `end`. */
export async function payingKling() {
  const names = ["KLING_API_BASE", "KLING_API_KEY", "KOLORS_ALLOWED_HOSTS"];
  const { program, found } = await running(["sandbox", "--port", "0"], {}, Object.fromEntries(names.map((name) => [name, new RegExp(`${name}=(\\S+)`)])));
  return { env: { ...found, KOLORS_LEDGER: "sqlite://", KOLORS_SANDBOX: "" }, end: () => ended(program) };
}

/**
 * Start the demo and a browser, with more `flags` and `env`. `official` says whose bridge the host page uses; with a
 * `payingKling` the demo uses that, as an account that pays.
 */
export async function surroundings({ official = true, flags = [], env = {}, paying = null } = {}) {
  await mkdir(SHOTS, { recursive: true });
  const bridge = official ? ["--bridge", `${HERE}node_modules`] : [];
  const args = ["demo", "--app", "--port", "0", ...bridge, ...(paying ? ["--real"] : [])];
  const patterns = { host: /fitting room: (\S+)/, ...(paying ? {} : { kling: /sandbox listens at (\S+)/ }) };
  const { program: server, found } = await running(args, { ...env, ...paying?.env }, patterns);
  found.kling ??= paying.env.KLING_API_BASE;
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: [...FLAGS, ...flags] });
  const context = await browser.newContext({ viewport: { width: 960, height: 1000 }, acceptDownloads: true });
  context.setDefaultTimeout(60_000);
  let held = false;
  const around = {
    ...found,
    context,
    /** Turn the simulated Kling: faults, rules, its clock. */
    async turn(what, body) {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${found.kling}/sandbox/${what}`, { method: "POST", headers, body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(await answer.text());
    },
    /** Let the try-ons that are started from now on go on until `release`, so that what is seen meanwhile stays. */
    async hold() {
      held = true;
      await this.turn("rules", { speed: 1, finished_seconds: HELD_SECONDS });
    },
    async release() {
      held = false;
      await this.turn("rules", AT_ONCE);
      await this.turn("clock", { advance: HELD_SECONDS });
    },
    /** How many try-ons were paid so far. */
    async paid() {
      return (await (await fetch(`${found.kling}/sandbox/state`)).json()).tasks_created;
    },
    /** Close what a test left open: each page holds connections, and a browser makes few to one place. */
    async tidy() {
      await Promise.all(context.pages().map((page) => page.close()));
      await this.turn("faults", { clear: true });
      if (held) await this.release();
    },
    async end() {
      await browser.close();
      await ended(server);
    },
  };
  await around.turn("rules", AT_ONCE);
  return around;
}

/** Wait until a room that was just opened has listed what there is, and goes on with what still runs. */
export const listed = (room) => room.locator("#tiles li, #none:visible").first().waitFor();

/** The tile of what is on the stage, with its picture: then the list is the one that was made after that was finished. */
export const hung = (room) => room.locator("#tiles [aria-current=true][data-status=succeed] img").waitFor();

/** Open the host page, with what it takes as its query; returns the page and, in it, the room. */
export async function openRoom(around, query = {}, prepare = async () => undefined) {
  const page = await around.context.newPage();
  const problems = [];
  const requests = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("request", (request) => requests.push(request.url()));
  await page.addInitScript(() => {
    // Every message of the view passes the host's window; in the frames within nothing is recorded.
    if (window.top !== window) return;
    window.heard = [];
    window.addEventListener("message", ({ data }) => window.heard.push(data));
  });
  await prepare(page);
  await page.goto(`${around.host}?${new URLSearchParams(query)}`);
  const room = page.frameLocator("#view").frameLocator("iframe");
  await opened(page);
  if (!query.tool) await listed(room);
  return { page, room, problems, requests };
}

/** Wait until the room has the host's theme and language: the first that it says of itself afterwards is its size. */
export const opened = (page) => heard(page, "ui/notifications/size-changed");

/** Wait until the host's window has heard a message that fits, and return it. */
export async function heard(page, method, name) {
  const handle = await page.waitForFunction(
    ([wanted, tool]) => window.heard.find((message) => message.method === wanted && (!tool || message.params.name === tool)),
    [method, name],
  );
  return handle.jsonValue();
}

export async function sample(name) {
  return { name: `${name}.jpg`, mimeType: "image/jpeg", buffer: await readFile(`${ROOT}kolors_mcp/sandbox/samples/${name}.jpg`) };
}

let drawn = 0;
/** A picture that no other test has put in. */
export function photo(name, width = 420, height = 560) {
  drawn += 1;
  const row = Buffer.alloc(1 + width * 3);
  const rows = [];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) row.set([(drawn * 53) % 256, (y * 255) / height, (x * 255) / width], 1 + x * 3);
    rows.push(Buffer.from(row));
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(Buffer.concat(rows))), chunk("IEND", Buffer.alloc(0))];
  const buffer = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), ...parts]);
  return { name, mimeType: "image/png", buffer };
}

/** The same JPEG, told by its EXIF to be shown turned by a quarter. */
export function lyingDown({ name, buffer }) {
  const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
  const exif = Buffer.from([0xff, 0xe1, 0, 2 + 6 + tiff.length, ...Buffer.from("Exif\0\0"), ...tiff]);
  return { name, mimeType: "image/jpeg", buffer: Buffer.concat([buffer.subarray(0, 2), exif, buffer.subarray(2)]) };
}

export async function choose(room, what, file) {
  await room.locator(`[data-what=${what}] input`).first().setInputFiles(file);
}

/** Let files fall onto an element, as a browser delivers them. */
export async function drop(locator, files) {
  const given = files.map(({ name, mimeType, buffer }) => ({ name, mimeType, data: buffer.toString("base64") }));
  await locator.evaluate((element, list) => {
    const transfer = new DataTransfer();
    for (const { name, mimeType, data } of list) {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type: mimeType }));
    }
    for (const type of ["dragenter", "dragover", "drop"]) {
      element.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }
  }, given);
}
