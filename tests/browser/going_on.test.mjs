// Going on from what is there: the assistant's try-ons, an earlier result, a link, a picture that only the server opens.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { choose, heard, openRoom, photo, sample, surroundings } from "./surroundings.mjs";

let around, shop, link;
before(async () => {
  const { buffer } = await sample("upper");
  shop = createServer(({ url }, answer) => {
    const isPage = url === "/shirt";
    answer.writeHead(url === "/nothing.jpg" ? 404 : 200, { "content-type": isPage ? "text/html" : "image/jpeg" });
    answer.end(isPage ? `<!doctype html><meta property="og:image" content="/shirt.jpg"><title>Shirt</title>` : buffer);
  });
  await new Promise((resolve) => shop.listen(0, "127.0.0.1", resolve));
  const place = `127.0.0.1:${shop.address().port}`;
  link = (path) => `http://${place}/${path}`;
  around = await surroundings({ env: { KOLORS_ALLOWED_HOSTS: place } });
});
after(async () => {
  await around.end();
  shop.close();
});
afterEach(() => around.tidy());

const finished = (room) => room.locator("#result").waitFor();
const caption = (room, what) => room.locator(`[data-what=${what}] .caption`);

async function triedOn(room, person, garment) {
  await choose(room, "human_image", person);
  await choose(room, "cloth_image", garment);
  await room.locator("#start:enabled").click();
  await finished(room);
  // Not the first tile: the list may still be the one from before.
  return room.locator("#tiles li:has([aria-current=true])").getAttribute("data-task");
}

/** A view of one try-on, as a host opens it beside the assistant's call: it knows nothing of earlier views. */
async function seenByAssistant(task) {
  const opened = await openRoom(around, { tool: "get_try_on", arguments: JSON.stringify({ task_id: task }) });
  await finished(opened.room);
  return opened;
}

test("a try-on of the assistant has its slider, is rendered again by a click, and its person wears something else", async () => {
  const first = await openRoom(around);
  const task = await triedOn(first.room, photo("anna.png"), photo("shirt.png"));
  const paid = await around.paid();
  const { page, room } = await seenByAssistant(task);
  await room.locator("#slider").fill("100");
  await room.locator(".tag.before").waitFor();
  assert.match(await room.locator("#earlier").getAttribute("src"), /^data:image\/jpeg/);
  await room.locator("#again").click();
  const call = await heard(page, "tools/call", "start_try_on");
  assert.equal(call.params.arguments.human_image, `tryon://${task}/person`, "no photo travels again");
  assert.equal(call.params.arguments.new_render, true);
  await finished(room);
  assert.equal(await around.paid(), paid + 1);
  await room.locator("#another").click();
  await room.locator("#live", { hasText: "The person is chosen. Add the next garment." }).waitFor();
  assert.match(await caption(room, "human_image").innerText(), /420 × 560/);
  assert.equal(await caption(room, "cloth_image").innerText(), "");
  await choose(room, "cloth_image", photo("coat.png"));
  await room.locator("#start:enabled").click();
  await finished(room);
  assert.equal(await around.paid(), paid + 2);
});

test("something goes over a result, which is the person of the next try-on", async () => {
  const { page, room } = await openRoom(around);
  const task = await triedOn(room, photo("anna.png"), photo("dress.png"));
  await room.locator("#over").click();
  assert.match(await caption(room, "human_image").innerText(), /^dress\s+(· )?an earlier picture$/);
  await page.evaluate(() => (window.heard = []));
  await choose(room, "cloth_image", photo("jacket.png"));
  await room.locator("#start:enabled").click();
  const call = await heard(page, "tools/call", "start_try_on");
  assert.equal(call.params.arguments.human_image, `tryon://${task}/images/0`);
  await finished(room);
});

test("a link is pasted, dropped or written, a shop's page too, and its picture is seen before it is used", async () => {
  const { page, room } = await openRoom(around);
  const paste = (text) => room.locator("body").evaluate((body, given) => {
    const transfer = new DataTransfer();
    transfer.setData("text/plain", given);
    body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
  }, text);
  await paste("just some words");
  await choose(room, "human_image", await sample("person"));
  await caption(room, "human_image").filter({ hasText: "768" }).waitFor();
  await paste(` ${link("shirt")}\n`);
  await caption(room, "cloth_image").filter({ hasText: "800 × 800" }).waitFor();
  assert.match(await room.locator("[data-what=cloth_image] > img").getAttribute("src"), /^data:image\/jpeg/);
  await room.locator("[data-what=cloth_image] .remove").click();
  const written = room.locator("[data-what=cloth_image] .link input");
  await room.locator("[data-what=cloth_image] .by-link").click();
  await written.fill("shirt");
  await written.press("Enter");
  await room.locator("[data-what=cloth_image] .fault", { hasText: "Give a whole link" }).waitFor();
  await written.fill(link("nothing.jpg"));
  await written.press("Enter");
  await room.locator("[data-what=cloth_image] .fault", { hasText: "404" }).waitFor();
  await room.locator("[data-what=cloth_image]").evaluate((slot, given) => {
    const transfer = new DataTransfer();
    transfer.setData("text/uri-list", given);
    slot.querySelector(".pick").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, link("shirt.jpg"));
  await caption(room, "cloth_image").filter({ hasText: "800 × 800" }).waitFor();
  const paid = await around.paid();
  await room.locator("#start:enabled").click();
  assert.equal((await heard(page, "tools/call", "start_try_on")).params.arguments.cloth_image, link("shirt.jpg"));
  await finished(room);
  assert.equal(await around.paid(), paid + 1);
});

/** A picture that Chromium cannot open, as it cannot open HEIC: an uncompressed TIFF. */
function tiff(width, height) {
  const fields = [[256, 4, width], [257, 4, height], [258, 3, 8], [259, 3, 1], [262, 3, 1], [273, 4, 122], [277, 3, 1], [278, 4, height], [279, 4, width * height]];
  const head = Buffer.alloc(122);
  head.write("II*\0\x08\0\0\0", "latin1");
  head.writeUInt16LE(fields.length, 8);
  fields.forEach(([tag, kind, value], number) => {
    head.writeUInt16LE(tag, 10 + number * 12);
    head.writeUInt16LE(kind, 12 + number * 12);
    head.writeUInt32LE(1, 14 + number * 12);
    head.writeUInt32LE(value, 18 + number * 12);
  });
  return Buffer.concat([head, Buffer.alloc(width * height, 180)]);
}

test("a picture that the browser cannot open is shown by the server, which refuses a bad one before anything is paid", async () => {
  const { room } = await openRoom(around);
  await choose(room, "human_image", { name: "IMG_2034.tif", mimeType: "image/tiff", buffer: tiff(600, 800) });
  await caption(room, "human_image").filter({ hasText: "IMG_2034.tif · 600 × 800" }).waitFor();
  assert.match(await room.locator("[data-what=human_image] > img").getAttribute("src"), /^data:image\/jpeg/);
  await choose(room, "human_image", { name: "small.tif", mimeType: "image/tiff", buffer: tiff(200, 280) });
  await room.locator("[data-what=human_image] .fault", { hasText: "200 x 280 pixels" }).waitFor();
});
