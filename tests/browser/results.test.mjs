// Results on the stage and on the wall: what is seen of them, what they are called, and that the page agrees with itself.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { choose, drop, openRoom, photo, sample, surroundings } from "./surroundings.mjs";

let around;
before(async () => (around = await surroundings()));
after(() => around.end());
afterEach(() => around.tidy());

const finished = (room) => room.locator("#result").waitFor();
/** The photos have been taken: until then no list has the try-on, however long it is waited for. */
const running = (room) => room.locator("#start:disabled", { hasText: "Being tried on" }).waitFor();
const caption = (room, what) => room.locator(`[data-what=${what}] .caption`);

async function tried(room, garment) {
  await choose(room, "cloth_image", garment);
  await caption(room, "cloth_image").filter({ hasText: garment.name }).waitFor();
  await room.locator("#start:enabled").click();
  await finished(room);
}

test("whoever has no photo at hand tries the sample photos, one click away", async () => {
  const { room } = await openRoom(around);
  const paid = await around.paid();
  await room.locator("#samples button", { hasText: "T-shirt and jeans" }).click();
  await room.locator("[data-what=lower_cloth_image] .caption", { hasText: "Jeans" }).waitFor();
  await room.locator("#start:enabled").waitFor();
  assert.equal(await around.paid(), paid);
  await room.locator("#start").click();
  await finished(room);
  assert.equal(await room.locator("#stage-title").innerText(), "T-shirt + Jeans");
  assert.equal(await around.paid(), paid + 1);
});

test("the whole result is seen first, under its name, and what was before by the slider", async () => {
  const { room } = await openRoom(around);
  await choose(room, "human_image", await sample("person"));
  await tried(room, { ...(await sample("dress")), name: "red_summer-dress.jpg" });
  assert.equal(await room.locator("#stage-title").innerText(), "red summer dress");
  assert.equal(await room.locator("#live").innerText(), "Finished: red summer dress");
  assert.equal(await room.locator("#slider").inputValue(), "0");
  assert.equal(await room.locator("#slider").getAttribute("aria-valuetext"), "100 percent of the result shown");
  await room.locator("#frame:not(.sweeping)").waitFor();
  assert.equal(await room.locator("#after").evaluate((image) => getComputedStyle(image).clipPath), "inset(0px 0px 0px 0%)");
  assert.equal(await room.locator(".tag.before").isHidden(), true);
  assert.equal(await room.locator("#after").getAttribute("alt"), "The person wearing: red summer dress");
  await room.locator("#slider").press("End");
  await room.locator(".tag.before").waitFor();
  assert.equal(await room.locator(".tag.after").isHidden(), true);
  const [earlier, later] = await room.locator("#sheet").evaluate((sheet) => ["earlier", "after"].map((id) => getComputedStyle(sheet.querySelector(`#${id}`)).clipPath));
  assert.deepEqual([earlier, later], ["inset(0px 0% 0px 0px)", "inset(0px 0px 0px 100%)"], "nothing of the one below shines through");
});

test("the chosen tile is marked, and the panel has the photos of what is on the stage", async () => {
  const { room } = await openRoom(around);
  await choose(room, "human_image", photo("anna.png"));
  await tried(room, photo("polo.png"));
  await tried(room, photo("jacket.png"));
  const marked = () => room.locator("#tiles [aria-current=true] .name").allInnerTexts();
  await room.locator("#tiles [aria-current=true] .name", { hasText: "jacket" }).waitFor();
  assert.deepEqual(await marked(), ["jacket"]);
  await room.locator("#tiles button", { hasText: "polo" }).click();
  await room.locator("#stage-title", { hasText: "polo" }).waitFor();
  await finished(room);
  assert.deepEqual(await marked(), ["polo"]);
  assert.match(await caption(room, "cloth_image").innerText(), /^polo\.png/);
  assert.equal(await room.locator("#differs").isHidden(), true);
  // What was put together and not tried on yet is kept, and the difference is told.
  await choose(room, "cloth_image", photo("coat.png"));
  await caption(room, "cloth_image").filter({ hasText: "coat" }).waitFor();
  assert.equal(await room.locator("#differs").isVisible(), true);
  await room.locator("#tiles button", { hasText: "jacket" }).click();
  await room.locator("#stage-title", { hasText: "jacket" }).waitFor();
  assert.match(await caption(room, "cloth_image").innerText(), /^coat\.png/);
  await room.locator("#agree").click();
  assert.match(await caption(room, "cloth_image").innerText(), /^jacket\.png/);
  assert.equal(await room.locator("#differs").isHidden(), true);
});

test("while the same is being tried on it cannot be started again, and afterwards it is offered quietly", async () => {
  const { room } = await openRoom(around);
  await choose(room, "human_image", photo("anna.png"));
  await choose(room, "cloth_image", photo("shirt.png"));
  await around.hold();
  await room.locator("#start.primary:enabled").click();
  await running(room);
  await choose(room, "cloth_image", photo("other.png"));
  await room.locator("#start.primary:enabled", { hasText: "Try it on" }).waitFor();
  await room.locator("[data-what=cloth_image] .remove").click();
  await around.release();
  await finished(room);
  await room.locator("#tiles [aria-current=true]").click();
  await finished(room);
  await room.locator("#agree").click();
  await room.locator("#start:enabled:not(.primary)", { hasText: "Try it on" }).waitFor();
});

test("a try-on that one turns away from is finished on the wall, and its button comes back", async () => {
  const { room } = await openRoom(around);
  await choose(room, "human_image", photo("anna.png"));
  await choose(room, "cloth_image", photo("scarf.png"));
  await around.hold();
  await room.locator("#start:enabled").click();
  await running(room);
  await room.locator("#refresh").click();
  await room.locator("#tiles button", { hasText: "scarf" }).waitFor();
  await room.locator("#tiles [data-status=succeed]").first().click();
  await finished(room);
  await around.release();
  await room.locator("#tiles [data-status=succeed]", { hasText: "scarf" }).locator("img").waitFor();
  await room.locator("#start:enabled", { hasText: "Try it on" }).waitFor();
});

test("no head is cut off, neither among the photos nor on the wall, and white garments have an edge", async () => {
  const { room } = await openRoom(around);
  await drop(room.locator("#room"), [photo("tall.png", 400, 1200), photo("white.png")]);
  const style = (selector, name) => room.locator(selector).first().evaluate((image, wanted) => getComputedStyle(image)[wanted], name);
  await caption(room, "cloth_image").filter({ hasText: "white" }).waitFor();
  assert.equal(await style("[data-what=human_image] > img", "objectPosition"), "50% 0px");
  assert.equal(await style("[data-what=cloth_image] > img", "objectFit"), "contain");
  assert.equal(await style("[data-what=cloth_image] > img", "outlineStyle"), "solid");
  await room.locator("#start:enabled").click();
  await finished(room);
  await room.locator("#tiles .thumb img").first().waitFor();
  assert.equal(await style("#tiles .thumb img", "objectPosition"), "50% 0px");
});

test("tiles that are not finished, failed or expired say so in the place of the picture", async () => {
  await around.turn("faults", { on: "create", fault: "fail_late" });
  const { room } = await openRoom(around);
  await choose(room, "human_image", photo("anna.png"));
  await choose(room, "cloth_image", photo("shirt.png"));
  await room.locator("#start:enabled").click();
  await room.locator("#tiles [data-status=failed] [data-sign=failed]").first().waitFor();
  await around.hold();
  await choose(room, "cloth_image", photo("blouse.png"));
  await room.locator("#start.primary:enabled").click();
  await running(room);
  await room.locator("#refresh").click();
  await room.locator("#tiles li:first-child", { hasText: "blouse" }).locator("[data-sign=processing]").waitFor();
  assert.match(await room.locator("#tiles li:first-child").innerText(), /^(waiting|running)\s+blouse\s/);
});
