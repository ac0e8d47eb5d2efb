// What a shopper is told: what it costs and what is left, what went wrong, and that an outage loses nothing.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { choose, openRoom, payingKling, photo, surroundings } from "./surroundings.mjs";

let kling, around;
before(async () => {
  kling = await payingKling();
  around = await surroundings({ paying: kling });
});
after(async () => {
  await around.end();
  await kling.end();
});
afterEach(() => around.tidy());

async function filled(room) {
  await choose(room, "human_image", photo("me.png"));
  await choose(room, "cloth_image", photo("shirt.png"));
  await room.locator("#start:enabled").waitFor();
}

test("beside the button stands what a click costs, what is left, and how many were started today", async () => {
  const { room, problems } = await openRoom(around);
  assert.equal(await room.locator("#simulated").isHidden(), true);
  await filled(room);
  const price = room.locator("#price");
  await price.filter({ hasText: "Costs one unit of your Kling account, about 0.07 US dollars. 1000 units left. 0 started today." }).waitFor();
  await room.locator("#adder").setInputFiles([photo("red.png"), photo("blue.png")]);
  await price.filter({ hasText: "Costs 3 units of your Kling account, about 0.21 US dollars." }).waitFor();
  await room.locator("#waiting button").first().click();
  await room.locator("#waiting button").first().click();
  await room.locator("#start").click();
  await room.locator("#result").waitFor();
  await price.filter({ hasText: "1 started today." }).waitFor();
  assert.match(await room.locator("#again").innerText(), /Render again\s+pays one more unit/);
  assert.deepEqual(problems, []);
});

test("what a failed one cost is told, in the language of the page, and Kling's own words are at hand", async () => {
  await around.turn("faults", { on: "create", fault: "fail_late" });
  const { room } = await openRoom(around, { locale: "zh-CN" });
  await filled(room);
  await room.locator("#start").click();
  await room.locator("#reason", { hasText: "可灵不接受这些照片：不符合其内容规范。" }).waitFor();
  assert.match(await room.locator("#advice").innerText(), /^(失败的试穿可灵不收费|可灵表示它消耗了 \d+ 个额度)。 请选择其他照片。$/);
  await room.locator("#details summary").click();
  assert.match(await room.locator("#detail").innerText(), /risk control/);
});

test("no word to shoppers names a key, a variable or a command", async () => {
  const { room } = await openRoom(around);
  await filled(room);
  const expected = {
    1002: /^This fitting room is not connected to Kling\..*Nothing was paid\.$/,
    1102: /^No try-ons are left on this Kling account\..*Nothing was paid\.$/,
    1301: /^Kling does not take these photos.*Nothing was paid\.$/,
    1304: /^The Kling account cannot be used.*Nothing was paid\.$/,
  };
  for (const [code, words] of Object.entries(expected)) {
    await around.turn("faults", { on: "create", fault: "refuse", code: Number(code) });
    await room.locator("#start:enabled").click();
    await room.locator("#detail", { hasText: code }).waitFor({ state: "attached" });
    assert.match(await room.locator("#reason").innerText(), words);
  }
});

test("an outage while one waits says that the try-on goes on, and then it is there", async () => {
  const { room } = await openRoom(around);
  await filled(room);
  await around.hold();
  await room.locator("#start").click();
  await room.locator("#usual", { hasText: "Usually 20 to 60 seconds." }).waitFor();
  await around.turn("faults", { on: "read", fault: "disconnect", times: null });
  await around.turn("faults", { on: "list", fault: "disconnect", times: null });
  await room.locator("#usual.warning", { hasText: "The try-on goes on there; nothing is lost, and nothing is paid twice." }).waitFor();
  await around.release();
  await around.turn("faults", { clear: true });
  await room.locator("#result").waitFor();
});
