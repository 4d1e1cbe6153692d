import assert from "node:assert/strict";
import { test } from "node:test";
import jsqr from "jsqr";
import { PNG } from "pngjs";
import { qrBitmap, qrSvg, qrTerminal } from "../invite/qr.ts";
import { encodePng, isPng, readQrFromPng } from "./png.ts";

const link = `https://latchkey.link/i#${"Aa0-_Zz9".repeat(18)}`;

test("the code in a PNG is read by our decoder and by an independent one", () => {
  const png = encodePng(qrBitmap(link));
  assert.equal(isPng(png), true);
  assert.equal(readQrFromPng(png), link);
  const { width, height, data } = PNG.sync.read(Buffer.from(png));
  // The package is CommonJS; its types describe the default export of its bundle.
  const decode = jsqr as unknown as typeof jsqr.default;
  assert.equal(decode(new Uint8ClampedArray(data), width, height)?.data, link);
});

test("a photo is read as well: the code small, turned, and on a grey background", () => {
  const bitmap = qrBitmap(link);
  const size = 700;
  const png = new PNG({ width: size, height: size });
  png.data.fill(200);
  const turn = 0.12;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [dx, dy] = [x - size / 2, y - size / 2];
      const column = Math.floor((dx * Math.cos(turn) + dy * Math.sin(turn)) / 6 + bitmap.length / 2);
      const row = Math.floor((dy * Math.cos(turn) - dx * Math.sin(turn)) / 6 + bitmap.length / 2);
      const module = bitmap[row]?.[column];
      const shade = module === undefined ? 170 : module ? 40 : 225;
      png.data.set([shade, shade, shade, 255], 4 * (y * size + x));
    }
  }
  assert.equal(readQrFromPng(new Uint8Array(PNG.sync.write(png))), link);
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

test("REV-07 what is no readable code is INVITE_NO_QR", () => {
  const blank = encodePng(Array.from({ length: 30 }, () => Array.from({ length: 30 }, () => true)));
  for (const bytes of [blank, blank.slice(0, 60), blank.slice(0, 10), new Uint8Array(0)]) {
    assert.throws(() => readQrFromPng(bytes), { code: "INVITE_NO_QR" });
  }
});

test("SEC-11 a small file that claims to be a huge image is refused before it is unpacked", () => {
  const bomb = encodePng(qrBitmap(link)).slice();
  const view = new DataView(bomb.buffer);
  view.setUint32(16, 100_000);
  view.setUint32(20, 100_000);
  assert.throws(() => readQrFromPng(bomb), { code: "INVITE_NO_QR", message: /larger than/ });
});
