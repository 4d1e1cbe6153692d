import assert from "node:assert/strict";
import { test } from "node:test";
import jsqr from "jsqr";
import { PNG } from "pngjs";
import { qrBitmap, qrSvg, qrTerminal } from "../invite/qr.ts";
import { imageKind } from "../invite/image.ts";
import { encodePng } from "./png.ts";
import { readQrFromImage } from "./read-qr.ts";

const link = `https://latchkey.link/i#${"Aa0-_Zz9".repeat(18)}`;

test("the code in a PNG is read by our decoder and by an independent one", async () => {
  const png = encodePng(qrBitmap(link));
  assert.equal(imageKind(png), "png");
  assert.deepEqual(await readQrFromImage(png), [link]);
  const { width, height, data } = PNG.sync.read(Buffer.from(png));
  // The package is CommonJS; its types describe the default export of its bundle.
  const decode = jsqr as unknown as typeof jsqr.default;
  assert.equal(decode(new Uint8ClampedArray(data), width, height)?.data, link);
});

test("SVG and terminal show the same modules as the bitmap", () => {
  const bitmap = qrBitmap(link);
  const dark = bitmap.flat().filter(Boolean).length;
  const svg = qrSvg(bitmap);
  assert.ok(svg.includes(`viewBox="0 0 ${bitmap.length} ${bitmap.length}"`));
  assert.equal(svg.split("h1v1h-1z").length - 1, dark);
  const lines = qrTerminal(bitmap)
    .replace(/\u001b\[[0-9;]*m/g, "")
    .replace(/\n$/, "")
    .split("\n");
  const upper = (char: string | undefined) => char === "▀" || char === "█";
  const lower = (char: string | undefined) => char === "▄" || char === "█";
  bitmap.forEach((row, y) => {
    const shown = Array.from(lines[y >> 1]?.padEnd(row.length) ?? "");
    assert.deepEqual(shown.map(y % 2 === 0 ? upper : lower), row);
  });
});
