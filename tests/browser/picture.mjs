// Makes docs/images/fitting-room.png anew: node picture.mjs
import { fileURLToPath } from "node:url";
import { choose, openRoom, sample, surroundings } from "./surroundings.mjs";

const around = await surroundings();
try {
  const { page, room } = await openRoom(around);
  await page.setViewportSize({ width: 960, height: 1600 });
  await choose(room, "human_image", await sample("person"));
  for (const garments of [["dress"], ["lower"], ["upper"], ["upper", "lower"]]) {
    await choose(room, "cloth_image", await sample(garments[0]));
    if (garments[1]) {
      await choose(room, "lower_cloth_image", await sample(garments[1]));
      await room.locator("[data-what=lower_cloth_image] .caption", { hasText: garments[1] }).waitFor();
    }
    await room.locator("[data-what=cloth_image] .caption", { hasText: garments[0] }).waitFor();
    await room.locator("#start:enabled").click();
    await room.locator("#progress").waitFor();
    await room.locator("#result").waitFor();
  }
  await room.locator("#tiles li").nth(3).locator(".thumb img").waitFor();
  const file = fileURLToPath(new URL("../../docs/images/fitting-room.png", import.meta.url));
  await page.locator("#view").screenshot({ path: file });
} finally {
  await around.end();
}
