// Makes docs/images/fitting-room.png anew: node picture.mjs
import { fileURLToPath } from "node:url";
import { openRoom, sample, surroundings } from "./surroundings.mjs";

const around = await surroundings();
try {
  const { page, room } = await openRoom(around);
  await page.setViewportSize({ width: 960, height: 1600 });
  for (const look of ["T-shirt and jeans", "Jeans", "T-shirt", "Dress"]) {
    await room.locator("#samples button", { hasText: new RegExp(`^${look}$`) }).click();
    await room.locator("#start.primary:enabled").click();
    await room.locator("#progress").waitFor();
    await room.locator("#result").waitFor();
  }
  await room.locator("#adder").setInputFiles([await sample("upper"), await sample("lower")]);
  await room.locator("#waiting li").nth(1).waitFor();
  await room.locator("#tiles li").nth(3).locator(".thumb img").waitFor();
  await room.locator("#frame:not(.sweeping)").waitFor();
  await room.locator("#slider").fill("38");
  const file = fileURLToPath(new URL("../../docs/images/fitting-room.png", import.meta.url));
  await page.locator("#view").screenshot({ path: file });
} finally {
  await around.end();
}
