// Several at once: garments that wait for one person, and results beside each other.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { SHOTS, choose, openRoom, photo, sample, surroundings } from "./surroundings.mjs";

let around;
before(async () => (around = await surroundings()));
after(() => around.end());
afterEach(() => around.tidy());

const finished = (room) => room.locator("#result").waitFor();
const started = (page) => page.evaluate(() => window.heard.filter(({ method, params }) => method === "tools/call" && params.name === "start_try_on").map(({ params }) => params.arguments));

async function withGarments(room, ...garments) {
  await choose(room, "human_image", await sample("person"));
  await choose(room, "cloth_image", garments[0]);
  await room.locator("#add").waitFor();
  await room.locator("#adder").setInputFiles(garments.slice(1));
  await room.locator("#waiting li").nth(garments.length - 2).waitFor();
}

test("several garments are tried on by one click, whose price was told before, and each is paid once", async () => {
  const { page, room, problems } = await openRoom(around);
  await withGarments(room, photo("red.png"), photo("blue.png"), photo("green.png"));
  await room.locator("#start", { hasText: "Try on 3 garments" }).waitFor();
  await room.locator("#waiting button", { hasText: "×" }).nth(1).click();
  await room.locator("#start", { hasText: "Try on 2 garments" }).waitFor();
  const paid = await around.paid();
  assert.deepEqual(await started(page), [], "adding and taking out starts nothing");
  await room.locator("#start").click();
  await finished(room);
  await room.locator("#tiles [data-status=succeed] .name", { hasText: "red" }).waitFor();
  await room.locator("#tiles [data-status=succeed] .name", { hasText: "blue" }).waitFor();
  assert.equal(await around.paid(), paid + 2);
  assert.deepEqual((await started(page)).map(({ label }) => label).sort(), ["blue", "red"]);
  const told = await page.locator("#told li").allInnerTexts();
  assert.match(told[0], /^Fitting room: the user started try-ons \d+ \("red\.png" on "person\.jpg"\), \d+ \("blue\.png" on "person\.jpg"\); do not create them again\.$/);
  assert.match(told.at(-1), /finished: \S+\. Started with it: \d+$/);
  // The stage shows one of them, and the panel still has both: it agrees.
  assert.equal(await room.locator("#differs").isHidden(), true);
  assert.equal(await room.locator("#waiting li").count(), 1);
  // A further one alone is new, so it alone is started.
  await room.locator("#adder").setInputFiles(photo("white.png"));
  await room.locator("#start.primary", { hasText: "Try it on" }).click();
  await room.locator("#stage-title", { hasText: "white" }).waitFor();
  await finished(room);
  assert.equal(await around.paid(), paid + 3);
  assert.deepEqual(problems, []);
});

test("several garments that are dropped or chosen for the garment's place wait there, and the next one moves up", async () => {
  const { room } = await openRoom(around);
  await choose(room, "human_image", await sample("person"));
  await room.locator("[data-what=cloth_image] input[type=file]").first().setInputFiles([photo("red.png"), photo("blue.png")]);
  await room.locator("#waiting li").waitFor();
  assert.equal(await room.locator("[data-what=lower_cloth_image].filled").count(), 0);
  await room.locator("[data-what=cloth_image] .remove").click();
  assert.match(await room.locator("[data-what=cloth_image] .caption").innerText(), /^blue/);
  assert.equal(await room.locator("#waiting li").count(), 0);
});

test("where the account has one place only, what did not start is said, and nothing of it was paid", async () => {
  const { room } = await openRoom(around);
  await withGarments(room, photo("red.png"), photo("blue.png"));
  const paid = await around.paid();
  await around.turn("faults", { on: "create", fault: "refuse", code: 1102 });
  await room.locator("#start").click();
  await room.locator("#alarm", { hasText: "1 did not start. No try-ons are left on this Kling account." }).waitFor();
  await finished(room);
  assert.equal(await around.paid(), paid + 1);
  await room.locator("#start.primary", { hasText: "Try it on" }).waitFor();
});

test("two and more results are seen side by side, with keys too, and each leads to its own place", async () => {
  const { page, room } = await openRoom(around);
  await room.locator("#tiles [data-status=succeed] .thumb img").nth(1).waitFor();
  const paid = await around.paid();
  // From here on the keys go to the view: a focus that crosses from process to process takes a moment.
  await room.locator("h1").click();
  await room.locator("#compare").press("Enter");
  await room.locator("#compare[aria-pressed=true]").waitFor();
  const tiles = room.locator("#tiles [data-status=succeed]");
  await tiles.first().press("Enter");
  await room.locator("#tiles li:first-child [aria-pressed=true]").waitFor();
  assert.equal(await room.locator("#beside").isHidden(), true);
  await tiles.nth(1).press("Enter");
  await room.locator("#beside img").nth(1).waitFor();
  assert.equal(await room.locator("#stage-title").innerText(), "Side by side");
  await room.locator("#live", { hasText: "2 pictures side by side" }).waitFor();
  const names = await room.locator("#beside .name").allInnerTexts();
  assert.match(names[0], /^1\. \w+/);
  await page.screenshot({ path: `${SHOTS}/13-side-by-side.png` });
  await room.locator("#beside button").nth(1).click();
  await finished(room);
  assert.equal(await room.locator("#stage-title").innerText(), names[1].replace("2. ", ""));
  assert.equal(await room.locator("#compare").getAttribute("aria-pressed"), "false");
  assert.equal(await around.paid(), paid);
});
