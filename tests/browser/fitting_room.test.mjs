// The fitting room as a person uses it: Chromium, the official AppBridge, the real server, a simulated Kling.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { SHOTS, choose, drop, heard, hung, openRoom, photo, sample, surroundings } from "./surroundings.mjs";

let around;
before(async () => (around = await surroundings()));
after(() => around.end());
afterEach(() => around.tidy());

const title = (room) => room.locator("#stage-title");
const finished = (room) => room.locator("#result").waitFor();

async function filled(room, garment = photo("shirt.png")) {
  await choose(room, "human_image", photo("me.png"));
  await choose(room, "cloth_image", garment);
  await room.locator("#start:enabled").waitFor();
}

test("two dropped photos become a picture, with the way there shown", async () => {
  const { page, room, problems } = await openRoom(around);
  await page.screenshot({ path: `${SHOTS}/1-empty.png` });
  await drop(room.locator("#room"), [await sample("person"), await sample("upper")]);
  await room.locator("#start:enabled").waitFor();
  assert.match(await room.locator("[data-what=human_image] .caption").innerText(), /person\.jpg · 768 × 1080/);
  assert.match(await room.locator("[data-what=cloth_image] .caption").innerText(), /upper\.jpg/);
  await page.screenshot({ path: `${SHOTS}/2-chosen.png` });
  await around.hold();
  await room.locator("#start").click();
  await room.locator("#progress").waitFor();
  await room.locator("#elapsed", { hasText: /^[1-9]\d* s$/ }).waitFor();
  await room.locator("#stage-title", { hasText: "The person is being dressed" }).waitFor();
  await page.screenshot({ path: `${SHOTS}/3-progress.png` });
  await around.release();
  await finished(room);
  assert.equal(await room.locator("#expiry").innerText(), "", "the sandbox keeps nothing");
  await hung(room);
  await page.setViewportSize({ width: 960, height: 1320 });
  await page.screenshot({ path: `${SHOTS}/4-result.png` });
  assert.deepEqual(problems, []);
});

test("the photos travel by the tool that only the view may call, and the model is told one line without them", async () => {
  const { page, room } = await openRoom(around);
  await filled(room);
  await room.locator("#start").click();
  const call = await heard(page, "tools/call", "start_try_on");
  assert.match(call.params.arguments.human_image, /^data:image\/jpeg;base64,/);
  assert.match(call.params.arguments.cloth_image, /^data:image\/jpeg;base64,/);
  assert.equal(call.params.arguments.new_render, false);
  await finished(room);
  await page.locator("#told li").nth(1).waitFor();
  const told = await page.locator("#told li").allInnerTexts();
  assert.equal(told.length, 2);
  assert.match(told[0], /^Fitting room: the user started try-on \d+ \("shirt\.png" on "me\.png"\); do not create it again\.$/);
  assert.match(told[1], /^Fitting room: the user looks at try-on \d+ .*finished: http\S+/);
  assert.ok(told.every((line) => line.length < 600 && !line.includes("base64")));
  const everything = await page.evaluate(() => window.heard.filter(({ method }) => method?.startsWith("ui/")));
  assert.ok(!JSON.stringify(everything).includes("base64,"));
});

test("the slider shows more and less of the result, by pointer and by keys", async () => {
  const { page, room } = await openRoom(around);
  await filled(room);
  await room.locator("#start").click();
  await finished(room);
  // Nothing moves any more, on the stage or below it.
  await hung(room);
  await room.locator("#frame:not(.sweeping)").waitFor();
  const slider = room.locator("#slider");
  const box = await slider.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.2, box.y + box.height / 2, { steps: 5 });
  await page.mouse.up();
  const cut = Number(await slider.inputValue());
  assert.ok(cut >= 18 && cut <= 22, `the cut is at ${cut}`);
  const clip = await room.locator("#earlier").evaluate((image) => getComputedStyle(image).clipPath);
  assert.equal(clip, `inset(0px ${100 - cut}% 0px 0px)`);
  assert.equal(await slider.getAttribute("aria-valuetext"), `${100 - cut} percent of the result shown`);
  for (const [key, percent] of [["ArrowRight", 99 - cut], ["End", 0]]) {
    await slider.press(key);
    await room.locator(`#slider[aria-valuetext="${percent} percent of the result shown"]`).waitFor();
  }
});

test("the picture is enlarged, moved about, and made small again", async () => {
  const { page, room } = await openRoom(around);
  await filled(room);
  await room.locator("#start").click();
  await finished(room);
  await hung(room);
  const width = () => room.locator("#sheet").evaluate((sheet) => sheet.clientWidth);
  const first = await width();
  await room.locator("#larger").click();
  await room.locator("#larger").click();
  assert.equal(await room.locator("#scale").innerText(), "200 %");
  assert.equal(await width(), first * 2);
  const scrolled = () => room.locator("#view").evaluate((view) => [view.scrollLeft, view.scrollTop]);
  const [left, top] = await scrolled();
  const box = await room.locator("#view").boundingBox();
  await page.mouse.move(box.x + 150, box.y + 150);
  await page.mouse.down();
  await page.mouse.move(box.x + 110, box.y + 120, { steps: 4 });
  await page.mouse.up();
  assert.deepEqual(await scrolled(), [left + 40, top + 30]);
  await page.screenshot({ path: `${SHOTS}/5-enlarged.png` });
  await room.locator("#view").dblclick();
  assert.equal(await room.locator("#scale").innerText(), "100 %");
  assert.equal(await room.locator("#smaller").isDisabled(), true);
});

test("the saved picture has every pixel that Kling made, and open hands its link to the host", async () => {
  const { page, room } = await openRoom(around);
  await filled(room);
  await room.locator("#start").click();
  await finished(room);
  const saving = page.waitForEvent("download");
  await room.locator("#save").click();
  const download = await saving;
  assert.match(download.suggestedFilename(), /^try-on-\d+-0\.jpg$/);
  const saved = (await readFile(await download.path())).toString("base64");
  const link = /finished: (\S+)/.exec((await page.locator("#told li").allInnerTexts())[1])[1];
  const made = Buffer.from(await (await fetch(link)).arrayBuffer()).toString("base64");
  const sizes = await page.evaluate(async (sources) => {
    const images = sources.map((src) => Object.assign(new Image(), { src }));
    await Promise.all(images.map((image) => image.decode()));
    return images.map((image) => [image.naturalWidth, image.naturalHeight]);
  }, [`data:image/jpeg;base64,${saved}`, `data:image/png;base64,${made}`]);
  assert.deepEqual(sizes[0], sizes[1]);
  await room.locator("#open").click();
  assert.equal((await heard(page, "ui/open-link")).params.url, link);
});

test("a view that is opened again goes on with the running try-on, knows its photos, and pays nothing", async () => {
  const { page, room } = await openRoom(around);
  await filled(room);
  await around.hold();
  await room.locator("#start").click();
  await heard(page, "ui/update-model-context");
  const paid = await around.paid();
  await page.reload();
  await room.locator("#progress").waitFor();
  assert.match(await title(room).innerText(), /Waiting for its turn|The person is being dressed/);
  await around.release();
  await finished(room);
  assert.equal(await around.paid(), paid);
  assert.equal(await room.locator("#slider").isVisible(), true);
  assert.match(await room.locator("[data-what=cloth_image] .caption").innerText(), /420 × 560/);
  await room.locator("#tiles li:first-child [data-status=succeed]").waitFor();
});

test("what the assistant's call came to is named by what it was about", async () => {
  const { page, room } = await openRoom(around, { tool: "get_try_on", arguments: JSON.stringify({ task_id: "404" }) });
  await room.locator("#stage-title", { hasText: "The try-on cannot be seen just now" }).waitFor();
  assert.equal(await room.locator("#reason").innerText(), "This try-on is not there any more.");
  await room.locator("#details summary").click();
  assert.match(await room.locator("#detail").innerText(), /"404"/);
  await around.turn("faults", { on: "list", fault: "refuse", code: 1103, times: null });
  await page.goto(`${around.host}?${new URLSearchParams({ tool: "list_try_ons" })}`);
  await room.locator("#none", { hasText: "The recent try-ons cannot be listed." }).waitFor();
});

test("an address of the demo's page, which anybody can write, starts nothing that costs", async () => {
  const paid = await around.paid();
  const page = await around.context.newPage();
  const folder = await mkdtemp(join(tmpdir(), "fitting-room-"));
  const file = join(folder, "person.jpg");
  await writeFile(file, (await sample("person")).buffer);
  const query = { tool: "create_try_on", arguments: JSON.stringify({ human_image: file, cloth_image: file }) };
  await page.goto(`${around.host}?${new URLSearchParams(query)}`);
  await page.locator("#told li", { hasText: "create_try_on is none" }).waitFor();
  assert.equal(await around.paid(), paid);
  await page.goto(`${around.host}?${new URLSearchParams({ tool: "check_photo", arguments: JSON.stringify({ picture: file }) })}`);
  await page.locator("#told li", { hasText: "check_photo is none" }).waitFor();
  await rm(folder, { recursive: true });
  const framing = await page.request.get(around.host);
  assert.match(framing.headers()["content-security-policy"], /; frame-ancestors 'none';/);
});

test("nothing is started by opening, choosing, looking or coming back: only by the click", async () => {
  const paid = await around.paid();
  const { page, room } = await openRoom(around);
  await filled(room);
  await room.locator("#tiles button").first().click();
  await finished(room);
  await page.reload();
  await room.locator("#tiles button").first().waitFor();
  const calls = await page.evaluate(() => window.heard.filter(({ method }) => method === "tools/call").map(({ params }) => params.name));
  assert.ok(calls.includes("list_try_ons"));
  assert.ok(!calls.includes("start_try_on"));
  assert.equal(await around.paid(), paid);
});

test("the same photos again are joined and said to be; a fresh render is named, and pays", async () => {
  const { page, room } = await openRoom(around);
  await filled(room);
  await room.locator("#start").click();
  await finished(room);
  const paid = await around.paid();
  await room.locator("#start").click();
  await room.locator("#remark", { hasText: "nothing new was paid" }).waitFor();
  assert.equal(await around.paid(), paid);
  assert.match(await room.locator("#again").innerText(), /Render again\s+free in the sandbox/);
  await room.locator("#again").click();
  await finished(room);
  assert.equal(await around.paid(), paid + 1);
});

test("a try-on on the wall shows its state and its day, and opens on the stage", async () => {
  await around.turn("faults", { on: "create", fault: "fail_late" });
  const { page, room } = await openRoom(around);
  await filled(room);
  await room.locator("#start").click();
  await room.locator("#stage-title", { hasText: "It did not work out" }).waitFor();
  assert.match(await room.locator("#reason").innerText(), /against its content rules/);
  assert.match(await room.locator("#advice").innerText(), /Free: it is simulated, nothing is billed\. Choose other photos\./);
  assert.equal(await room.locator("#retry").isHidden(), true, "the same photos would fail again");
  await room.locator("#details summary").click();
  assert.match(await room.locator("#detail").innerText(), /risk control/);
  await room.locator("#tiles [data-status=failed]").first().waitFor();
  await page.screenshot({ path: `${SHOTS}/6-failed.png` });
  const tiles = await room.locator("#tiles button").allInnerTexts();
  assert.match(tiles[0], /^failed\s+shirt\s.*\d\d:\d\d$/s);
  assert.match(tiles[1], /^finished\s.*\d\d:\d\d$/s);
  await room.locator("#tiles [data-status=succeed]").first().click();
  await finished(room);
});

test("a busy account is told in plain words, and the same photos start when it is free", async () => {
  await around.turn("faults", { on: "create", fault: "refuse", code: 1303, times: null });
  const { page, room } = await openRoom(around);
  await filled(room);
  const paid = await around.paid();
  await room.locator("#start").click();
  await room.locator("#stage-title", { hasText: "It did not start" }).waitFor();
  assert.match(await room.locator("#reason").innerText(), /^Kling is busy with other try-ons of this account\..*Nothing was paid\.$/);
  await page.screenshot({ path: `${SHOTS}/7-busy.png` });
  await around.turn("faults", { clear: true });
  await room.locator("#retry").click();
  await finished(room);
  assert.equal(await around.paid(), paid + 1);
});

test("a start that Kling did not confirm is found again and not paid twice", async () => {
  await around.turn("rules", { list_lag_seconds: 0 });
  const { page, room } = await openRoom(around);
  await filled(room);
  await around.turn("faults", { on: "create", fault: "disconnect", when: "after_acceptance" });
  await around.turn("faults", { on: "read", fault: "raw", times: null });
  await around.turn("faults", { on: "list", fault: "raw", times: null });
  const paid = await around.paid();
  await room.locator("#start").click();
  await room.locator("#stage-title", { hasText: "It is not clear whether it started" }).waitFor();
  assert.match(await room.locator("#reason").innerText(), /may exist, and may have been paid/);
  assert.equal(await room.locator("#retry").innerText(), "Look again");
  await around.turn("faults", { clear: true });
  await room.locator("#retry").click();
  await finished(room);
  assert.equal(await around.paid(), paid + 1);
});

test("an answer that fails on the way is looked for again without a word of alarm", async () => {
  const { page, room } = await openRoom(around);
  await filled(room);
  await around.hold();
  await room.locator("#start").click();
  await heard(page, "ui/update-model-context");
  await around.turn("faults", { on: "read", fault: "raw", status: 404, body: "gone", times: 2 });
  await around.release();
  await finished(room);
  assert.equal(await room.locator("#trouble").isHidden(), true);
});

test("a view of one try-on shows that alone, and leads into the room", async () => {
  const { page, room } = await openRoom(around);
  await filled(room);
  await room.locator("#start").click();
  await finished(room);
  const task = await room.locator("#tiles li:has([aria-current=true])").getAttribute("data-task");
  for (const tool of ["get_try_on", "view_try_on"]) {
    await page.goto(`${around.host}?${new URLSearchParams({ tool, arguments: JSON.stringify({ task_id: task }) })}`);
    await finished(room);
    assert.equal(await room.locator("#choose").isHidden(), true);
    assert.equal(await room.locator("#wall").isHidden(), true);
  }
  await room.locator("#fresh").click();
  await room.locator("#tiles button").first().waitFor();
  assert.equal(await room.locator("#choose").isVisible(), true);
  await page.goto(`${around.host}?${new URLSearchParams({ tool: "list_try_ons" })}`);
  await room.locator("#tiles button").first().waitFor();
  assert.equal(await room.locator("#choose").isHidden(), true);
});
