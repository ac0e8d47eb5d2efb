// Photos on their way in: what is refused, and in which words; what is turned, shrunk and stripped.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { SHOTS, choose, heard, lyingDown, openRoom, photo, sample, surroundings } from "./surroundings.mjs";

let around;
before(async () => (around = await surroundings()));
after(() => around.end());
afterEach(() => around.tidy());

const person = (room) => room.locator("[data-what=human_image]");

/** The size of a sent picture, and whether anything but pixels is in it. */
async function sent(page, name) {
  const call = await heard(page, "tools/call", "start_try_on");
  const uri = call.params.arguments[name];
  const bytes = Buffer.from(uri.split(",")[1], "base64");
  const size = await page.evaluate(async (source) => {
    const image = Object.assign(new Image(), { src: source });
    await image.decode();
    return [image.naturalWidth, image.naturalHeight];
  }, uri);
  return { size, bytes };
}

test("what is no picture, too small or too large is refused before it is sent, with the server's reasons", async () => {
  const { page, room } = await openRoom(around);
  await page.evaluate(() => (window.heard = []));
  const told = () => Promise.all([person(room).locator(".fault"), room.locator("#alarm")].map((place) => place.innerText()));
  const refused = async (file, words) => {
    await choose(room, "human_image", file);
    // Until the new file has been read, what was said about the one before stands there.
    await person(room).locator(".fault", { hasText: words }).waitFor();
    await room.locator("#alarm", { hasText: words }).waitFor();
    assert.deepEqual(await told(), [words, words]);
  };
  const bytes = (text) => ({ name: "photo.jpg", mimeType: "image/jpeg", buffer: Buffer.from(text, "latin1") });
  const kinds = "Choose a JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF picture.";
  await refused(bytes("%PDF-1.7 and so on"), `The person's photo is a PDF document. ${kinds}`);
  await page.screenshot({ path: `${SHOTS}/8-no-picture.png` });
  await refused(bytes("-----BEGIN PRIVATE KEY-----"), `The person's photo is a text file. ${kinds}`);
  await refused(bytes("<svg xmlns='x'/>"), `The person's photo is an SVG drawing, which cannot be read. ${kinds}`);
  await refused(bytes("hello"), `The person's photo is no picture of a kind that can be read. ${kinds}`);
  await refused(photo("small.png", 280, 410), "The person's photo is 280 x 410 pixels; each side must be at least 300. Choose a larger photo.");
  const whole = (await sample("person")).buffer;
  const damaged = "The person's photo is a JPEG that cannot be opened; it is damaged or cut off. Choose another copy of it.";
  await refused({ ...bytes(""), buffer: whole.subarray(0, 400) }, damaged);
  // Playwright carries at most 50 MB, so the browser makes this one itself.
  await person(room).locator("input").first().evaluate((input) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array([0xff, 0xd8, 0xff]), new Uint8Array(70_000_000)], "huge.jpg"));
    input.files = transfer.files;
    input.dispatchEvent(new Event("change"));
  });
  await person(room).locator(".fault", { hasText: "MB" }).waitFor();
  assert.equal(
    await person(room).locator(".fault").innerText(),
    "The person's photo is a file of 70 MB; at most 64 MB are read. Choose a smaller one.",
  );
  assert.equal(await room.locator("#start").isDisabled(), true);
  await choose(room, "human_image", await sample("person"));
  await person(room).locator(".caption", { hasText: "768" }).waitFor();
  assert.equal(await person(room).locator(".fault").isHidden(), true);
  assert.deepEqual(await page.evaluate(() => window.heard.filter(({ method }) => method === "tools/call")), []);
});

test("a large photo is shrunk, one that lies down is stood up, and metadata stays behind", async () => {
  const { page, room } = await openRoom(around);
  await choose(room, "human_image", lyingDown(await sample("person")));
  await person(room).locator(".caption", { hasText: "1080 × 768" }).waitFor();
  await choose(room, "cloth_image", photo("large.png", 5000, 3000));
  await room.locator("#start:enabled").waitFor();
  await room.locator("#start").click();
  const human = await sent(page, "human_image");
  assert.deepEqual(human.size, [1080, 768]);
  assert.equal(human.bytes.includes("Exif"), false);
  const cloth = await sent(page, "cloth_image");
  assert.deepEqual(cloth.size, [2048, 1229]);
  assert.ok(cloth.bytes.length <= 900_000);
  await room.locator("#result").waitFor();
});

test("a photo is turned by hand, a quarter at a time", async () => {
  const { page, room } = await openRoom(around);
  await choose(room, "human_image", photo("me.png", 420, 560));
  for (const size of ["560 × 420", "420 × 560"]) {
    await person(room).locator(".turn").click();
    await person(room).locator(".caption", { hasText: size }).waitFor();
  }
});

test("a picture is pasted into the first empty place", async () => {
  const { page, room } = await openRoom(around);
  const { buffer } = await sample("person");
  await room.locator("body").evaluate((body, data) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], "image.jpg"));
    body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
  }, buffer.toString("base64"));
  await person(room).locator(".caption", { hasText: "image.jpg" }).waitFor();
});

test("a photo is taken with the camera where the host lets the view use it", async () => {
  const { page, room } = await openRoom(around, {}, (fresh) => fresh.clock.install());
  await person(room).locator("button.shoot").click();
  await room.locator("#camera[open]").waitFor();
  await room.locator("#shoot:enabled").waitFor();
  await page.screenshot({ path: `${SHOTS}/9-camera.png` });
  assert.equal(await room.locator("#delay").inputValue(), "3", "there is time to step back");
  await page.clock.pauseAt(Date.now() + 10_000);
  await room.locator("#shoot").click();
  for (const left of ["3", "2", "1"]) {
    assert.equal(await room.locator("#count").innerText(), left);
    assert.equal(await room.locator("#camera").getAttribute("open"), "");
    await page.clock.runFor(1000);
  }
  await person(room).locator(".caption", { hasText: "camera.jpg" }).waitFor();
  assert.equal(await room.locator("video").evaluate((video) => video.srcObject), null);
  await room.locator("[data-what=cloth_image] button.shoot").click();
  await room.locator("#shoot:enabled").waitFor();
  assert.equal(await room.locator("#outline").isHidden(), true);
  await room.locator("#shoot").click();
  await room.locator("[data-what=cloth_image] .caption", { hasText: "camera.jpg" }).waitFor();
});

test("one garment given twice is refused before it is sent", async () => {
  const { page, room } = await openRoom(around);
  await choose(room, "human_image", await sample("person"));
  await choose(room, "cloth_image", await sample("upper"));
  await room.locator("#start:enabled").waitFor();
  await choose(room, "lower_cloth_image", await sample("upper"));
  await room.locator("#missing", { hasText: "is the same picture as the garment's" }).waitFor();
  assert.equal(await room.locator("#start").isDisabled(), true);
  await room.locator("[data-what=lower_cloth_image] .remove").click();
  await room.locator("#start:enabled").waitFor();
});
