// Makes docs/images/fitting-room.png anew: node picture.mjs
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { openRoom, sample, surroundings } from "./surroundings.mjs";

const around = await surroundings();
try {
  const { page, room } = await openRoom(around);
  await page.setViewportSize({ width: 960, height: 1600 });
  for (const look of ["T-shirt and jeans", "Jeans", "T-shirt", "Dress"]) {
    await room.locator("#samples button", { hasText: new RegExp(`^${look}$`) }).click();
    await room.locator("#start.primary:enabled").click();
    await room.locator("#result").waitFor();
  }
  await room.locator("#adder").setInputFiles([await sample("upper"), await sample("lower")]);
  await room.locator("#waiting li").nth(1).waitFor();
  await room.locator("#tiles li").nth(3).locator(".thumb img").waitFor();
  await room.locator("#frame:not(.sweeping)").waitFor();
  await room.locator("#slider").fill("27");
  const file = fileURLToPath(new URL("../../docs/images/fitting-room.png", import.meta.url));
  await page.locator("#view").screenshot({ path: file });
  // A palette is enough for it, and takes less than half of the bytes.
  const shrink = "import sys; from PIL import Image; image = Image.open(sys.argv[1]).convert('RGB'); image.quantize(256).save(sys.argv[1], optimize=True)";
  execFileSync(fileURLToPath(new URL("../../.venv/bin/python", import.meta.url)), ["-c", shrink, file]);
} finally {
  await around.end();
}
