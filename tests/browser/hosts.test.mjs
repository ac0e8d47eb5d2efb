// Hosts that can do less: the small bridge of the demo, and one that reads no resources and saves no files.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { choose, heard, openRoom, opened, photo, surroundings } from "./surroundings.mjs";

let around;
before(async () => (around = await surroundings({ official: false })));
after(() => around.end());
afterEach(() => around.tidy());

async function triedOn(room) {
  await choose(room, "human_image", photo("me.png"));
  await choose(room, "cloth_image", photo("shirt.png"));
  await room.locator("#start").click();
  await room.locator("#result").waitFor();
}

/** Take capabilities away from the host. */
const without = (...names) => (page) =>
  page.route("**/bridge.js", async (route) => {
    const answer = await route.fetch();
    const text = names.reduce((source, name) => source.replace(`${name}: {`, `no_${name}: {`), await answer.text());
    await route.fulfill({ response: answer, body: text });
  });

test("the demo's own small bridge carries a try-on from start to saved picture", async () => {
  const { page, room, problems } = await openRoom(around);
  await triedOn(room);
  const saving = page.waitForEvent("download");
  await room.locator("#save").click();
  assert.match((await saving).suggestedFilename(), /^try-on-\d+-0\.jpg$/);
  await page.locator("#told li").nth(1).waitFor();
  assert.equal(await page.locator("#told li").count(), 2);
  await page.evaluate(() => (window.heard = []));
  await page.locator("#reopen").click();
  await opened(page);
  await room.locator("#tiles button").first().waitFor();
  assert.deepEqual(problems, []);
});

test("a host that reads no resources shows the small picture of the tool, and the room says so", async () => {
  const { page, room } = await openRoom(around, {}, without("serverResources"));
  await triedOn(room);
  assert.match(await room.locator("#remark").innerText(), /small preview/);
  await heard(page, "tools/call", "view_try_on");
  assert.equal(await page.evaluate(() => window.heard.some(({ method }) => method === "resources/read")), false);
  const saved = await room.locator("#save").click().then(() => heard(page, "ui/download-file"));
  assert.equal(saved.params.contents[0].type, "resource_link");
});

test("a host that takes no context and opens no links leaves the room usable", async () => {
  const { page, room } = await openRoom(around, {}, without("updateModelContext", "openLinks"));
  await page.evaluate(() => (window.open = () => { throw new Error("blocked"); }));
  await triedOn(room);
  assert.equal(await page.evaluate(() => window.heard.some(({ method }) => method === "ui/update-model-context")), false);
  await room.locator("#open").click();
  await room.locator("#link", { hasText: "http://127.0.0.1" }).waitFor();
});

test("a view without an origin of its own works, and offers no camera that it cannot have", async () => {
  const { page, room, problems } = await openRoom(around, {}, (page) =>
    page.route("**/sandbox.js", async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: (await answer.text()).replaceAll(" allow-same-origin", "") });
    }),
  );
  assert.equal(await room.locator("html").evaluate(() => window.origin), "null");
  assert.equal(await room.locator("button.shoot:visible").count(), 0);
  await triedOn(room);
  await page.locator("#told li").nth(1).waitFor();
  assert.equal(await page.locator("#told li").count(), 2);
  assert.deepEqual(problems, []);
});
