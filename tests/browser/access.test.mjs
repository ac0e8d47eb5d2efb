// For everybody and for nobody else: keys, screen readers, small screens, both themes, both languages; no way out.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, afterEach, before, test } from "node:test";
import { SHOTS, choose, hung, openRoom, photo, sample, surroundings } from "./surroundings.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
let around;
before(async () => (around = await surroundings()));
after(() => around.end());
afterEach(() => around.tidy());

const frameOf = (page) => page.frames().find((frame) => frame.url() === "about:srcdoc");
const finished = (room) => room.locator("#result").waitFor();

async function filled(room) {
  await choose(room, "human_image", await sample("person"));
  await choose(room, "cloth_image", photo("shirt-2.png"));
  await room.locator("#start:enabled").waitFor();
}

/** What axe finds that is serious. It is put in by the debugger, since the page's policy lets no script in. */
async function findings(page) {
  const frame = frameOf(page);
  const { readFile } = await import("node:fs/promises");
  await frame.evaluate(await readFile(AXE, "utf8"));
  const { violations, passes } = await frame.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.ok(passes.length > 10);
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
}

for (const theme of ["light", "dark"]) {
  test(`axe finds nothing serious in the ${theme} room, from empty to finished`, async () => {
    const { page, room } = await openRoom(around, { theme });
    assert.deepEqual(await findings(page), []);
    await filled(room);
    assert.deepEqual(await findings(page), []);
    await around.hold();
    await room.locator("#start").click();
    await room.locator("#progress").waitFor();
    assert.deepEqual(await findings(page), []);
    await around.release();
    await finished(room);
    await hung(room);
    assert.deepEqual(await findings(page), []);
    await room.locator("#adder").setInputFiles(photo("red.png"));
    await room.locator("#waiting li").waitFor();
    await room.locator("[data-what=lower_cloth_image] .by-link").click();
    assert.deepEqual(await findings(page), []);
    await room.locator("#start").click();
    await room.locator("#stage-title", { hasText: "red" }).waitFor();
    await hung(room);
    await room.locator("#compare").click();
    for (const number of [0, 1]) await room.locator("#tiles [data-status=succeed]").nth(number).click();
    await room.locator("#beside img").nth(1).waitFor();
    assert.deepEqual(await findings(page), []);
  });
}

test("axe finds nothing serious where something went wrong", async () => {
  await around.turn("faults", { on: "create", fault: "refuse", code: 1102 });
  const { page, room } = await openRoom(around);
  await choose(room, "human_image", { name: "x.pdf", mimeType: "image/png", buffer: Buffer.from("%PDF-") });
  await room.locator(".fault:visible").first().waitFor();
  assert.deepEqual(await findings(page), []);
  await filled(room);
  await room.locator("#start").click();
  await room.locator("#trouble").waitFor();
  assert.deepEqual(await findings(page), []);
});

test("everything is done with keys alone", async () => {
  let wanted;
  // Listened for from the start: the browser is told of it in each of its processes, and that takes a moment.
  const { page, room } = await openRoom(around, {}, async (fresh) => fresh.on("filechooser", (chooser) => chooser.setFiles(wanted)));
  const focused = () => frameOf(page).evaluate(() => document.activeElement.id || document.activeElement.className);
  // The focus crosses from process to process, so each step is waited for.
  const step = async () => {
    await frameOf(page).evaluate(() => {
      window.moved = new Promise((resolve) => ["focusin", "blur"].forEach((name) => addEventListener(name, () => resolve(), { once: true })));
    });
    await page.keyboard.press("Tab");
    await frameOf(page).evaluate(() => window.moved);
  };
  const reach = async (name) => {
    for (let presses = 0; presses < 40; presses += 1) {
      if ((await focused()).split(" ").includes(name)) return;
      await step();
    }
    assert.fail(`${name} cannot be reached; the focus is on ${await focused()}`);
  };
  await page.locator("#reopen").focus();
  await step();
  for (const name of ["person", "upper"]) {
    await reach("pick");
    wanted = await sample(name);
    await page.keyboard.press("Enter");
    await room.locator(".caption", { hasText: `${name}.jpg` }).waitFor();
    await step();
  }
  await reach("start");
  await around.hold();
  await page.keyboard.press("Enter");
  await room.locator("#progress").waitFor();
  assert.equal(await focused(), "stage-title");
  await around.release();
  await finished(room);
  await reach("slider");
  await page.keyboard.press("End");
  await room.locator("#slider[aria-valuetext^='0 percent']").waitFor();
  const seen = await room.locator("#edge").evaluate((edge) => getComputedStyle(edge).outlineStyle);
  assert.equal(seen, "solid");
  await reach("save");
  const saving = page.waitForEvent("download");
  await page.keyboard.press("Enter");
  await saving;
  await reach("larger");
  await page.keyboard.press("Enter");
  await room.locator("#scale", { hasText: "150 %" }).waitFor();
});

test("what happens is said to those who do not look", async () => {
  const { page, room } = await openRoom(around);
  const said = (text) => room.locator("#live", { hasText: text }).waitFor();
  await choose(room, "human_image", photo("me.png"));
  await said("Person: me.png, 420 × 560.");
  await choose(room, "cloth_image", photo("shirt.png"));
  await said("Garment: shirt.png, 420 × 560.");
  await around.hold();
  await room.locator("#start").click();
  await said("The person is being dressed");
  await around.release();
  await said("Finished");
});

test("at 320 pixels nothing is cut off or scrolls sideways", async () => {
  const { page, room, problems } = await openRoom(around, { width: "320" });
  await page.setViewportSize({ width: 344, height: 1500 });
  // The page around it is drawn by another process, so that its new width comes a little later.
  await frameOf(page).waitForFunction(() => innerWidth === 320);
  const sideways = () => frameOf(page).evaluate(() => {
    const out = [...document.querySelectorAll("main *")].filter((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return width > 1 && (left < -0.5 || right > innerWidth + 0.5) && !element.closest("#view, .bar");
    });
    return { wide: document.documentElement.scrollWidth - innerWidth, out: out.map(({ outerHTML }) => outerHTML.slice(0, 80)), innerWidth };
  });
  assert.deepEqual(await sideways(), { wide: 0, out: [], innerWidth: 320 });
  await filled(room);
  await choose(room, "lower_cloth_image", await sample("lower"));
  await room.locator("[data-what=lower_cloth_image] .caption", { hasText: "lower" }).waitFor();
  assert.deepEqual(await sideways(), { wide: 0, out: [], innerWidth: 320 });
  await room.locator("#adder").setInputFiles([1, 2, 3, 4, 5].map((number) => photo(`red-${number}.png`)));
  await room.locator("#waiting li").nth(4).waitFor();
  assert.deepEqual(await sideways(), { wide: 0, out: [], innerWidth: 320 });
  for (let left = 5; left > 0; left -= 1) await room.locator("#waiting button").first().click();
  await room.locator("#start").click();
  await finished(room);
  await hung(room);
  assert.deepEqual(await sideways(), { wide: 0, out: [], innerWidth: 320 });
  await page.screenshot({ path: `${SHOTS}/10-narrow.png` });
  await room.locator("#compare").click();
  for (const number of [0, 1, 2]) await room.locator("#tiles [data-status=succeed]").nth(number).click();
  await room.locator("#beside img").nth(2).waitFor();
  assert.deepEqual(await sideways(), { wide: 0, out: [], innerWidth: 320 });
  assert.deepEqual(problems, []);
});

test("the room follows the host's theme, also while it is open", async () => {
  const { page, room } = await openRoom(around, { theme: "dark" });
  await page.setViewportSize({ width: 960, height: 1320 });
  const paper = () => room.locator("body").evaluate((body) => getComputedStyle(body).backgroundColor);
  assert.equal(await paper(), "rgb(23, 22, 29)");
  await filled(room);
  await room.locator("#start").click();
  await finished(room);
  await page.screenshot({ path: `${SHOTS}/11-dark.png` });
  await page.locator("#theme").selectOption("light");
  await page.waitForFunction(() => document.documentElement.dataset.theme === "light");
  await room.locator("html[data-theme=light]").waitFor();
  assert.equal(await paper(), "rgb(255, 255, 255)");
});

test("the room speaks the host's language, all of it", async () => {
  const { page, room } = await openRoom(around, { locale: "zh-CN" });
  await page.setViewportSize({ width: 960, height: 1320 });
  await room.locator("h1", { hasText: "试衣间" }).waitFor();
  assert.equal(await room.locator("html").getAttribute("lang"), "zh-CN");
  await filled(room);
  await room.locator("#start").click();
  await finished(room);
  await page.screenshot({ path: `${SHOTS}/12-chinese.png` });
  const written = (pattern) =>
    frameOf(page).evaluate((source) => {
      const texts = [...document.querySelectorAll("main [data-text], main [aria-label], main img[alt], #slider, #stage-title, #expiry, .state, .date, .rest")];
      const all = texts.flatMap((each) => [each.textContent.trim(), ...["aria-label", "aria-valuetext", "alt"].map((name) => each.getAttribute(name) ?? "")]);
      return all.filter((text) => new RegExp(source).test(text));
    }, pattern);
  assert.deepEqual(await written("^[A-Za-z ,.']{4,}$"), []);
  await page.locator("#locale").selectOption("en-GB");
  await room.locator("h1", { hasText: "Fitting room" }).waitFor();
  assert.deepEqual(await written("[\u4e00-\u9fff]"), []);
});

test("no request leaves the page, and neither eval nor inline handlers nor foreign addresses work in it", async () => {
  const { page, room, requests } = await openRoom(around);
  await filled(room);
  await room.locator("#start").click();
  await finished(room);
  const ours = [around.host, around.host.replace("127.0.0.1", "localhost")];
  assert.deepEqual(requests.filter((url) => !/^(data|about|blob):/.test(url) && !ours.some((origin) => url.startsWith(origin))), []);
  const fromRoom = [];
  page.on("requestfinished", (request) => request.frame() === frameOf(page) && fromRoom.push(request.url()));
  const outcome = await frameOf(page).evaluate(async () => {
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
    const image = new Image();
    image.src = "https://example.com/x.png";
    return {
      eval: await attempt(() => (0, eval)("1")),
      Function: await attempt(() => new Function("return 1")()),
      fetch: await attempt(() => fetch("/mcp")),
      ran: window.ran ?? false,
    };
  });
  assert.deepEqual(outcome, { eval: "refused", Function: "refused", fetch: "refused", ran: false });
  await frameOf(page).waitForFunction(() => window.refused.size === 5);
  const refused = await frameOf(page).evaluate(() => [...window.refused].sort());
  assert.deepEqual(refused, ["connect-src", "img-src", "script-src", "script-src-attr", "script-src-elem"]);
  assert.equal(await frameOf(page).evaluate(() => window.ran), undefined);
  assert.deepEqual(fromRoom.filter((url) => !url.startsWith("data:")), []);
});
