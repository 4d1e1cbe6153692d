import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deflateSync } from "node:zlib";
import { concatBytes } from "@latchkey/mls";
import jpeg from "jpeg-js";
import { PNG } from "pngjs";
import { imageKind } from "../invite/image.ts";
import { qrBitmap } from "../invite/qr.ts";
import { readInvite, findInviteOrImage } from "../invite/read-invite.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { inflatedBytes, walkPng } from "./pictures/png-chunks.ts";
import { readPictures } from "./pictures/picture-pixels.ts";
import { PictureRefusal } from "./pictures/refusal.ts";
import { encodePng } from "./png.ts";
import { readQrFromImage } from "./read-qr.ts";
import { pngFile, pngHeader } from "../testing/png.ts";
import { photograph, type PhotoOptions } from "../testing/photo.ts";

const link = `https://latchkey.link/i#${"Aa0-_Zz9".repeat(18)}`;
const bitmap = qrBitmap(link);

function jpegOf(options: PhotoOptions, quality: number): Uint8Array {
  return new Uint8Array(jpeg.encode(photograph(bitmap, options), quality).data);
}

/** A JPEG file that claims a size, and whatever follows. */
function jpegHeader(width: number, height: number, components: number): Uint8Array {
  const frame = [0xff, 0xc0, 0, 8 + 3 * components, 8, height >> 8, height & 255, width >> 8, width & 255, components];
  for (let id = 1; id <= components; id++) frame.push(id, 0x11, 0);
  return Uint8Array.of(0xff, 0xd8, ...frame);
}

async function refused(bytes: Uint8Array, message: RegExp): Promise<void> {
  await assert.rejects(readQrFromImage(bytes), { code: "INVITE_NO_QR", retryable: false, message });
}

test("DOR-03 a photo is read as well: the code small, turned, and on a grey background", async () => {
  const { width, height, data } = photograph(bitmap, { width: 700, height: 700, share: 0.6, turn: 0.12 });
  const png = new PNG({ width, height });
  png.data.set(data);
  assert.deepEqual(await readQrFromImage(new Uint8Array(PNG.sync.write(png))), [link]);
});

test("DOR-03 photos of a poster are read from JPEG: turned, tilted, blurred, noisy, and strongly compressed", async () => {
  const photos: [PhotoOptions, number][] = [
    [{ width: 900, height: 700, share: 0.7, turn: 0.4, tilt: 0.15, blur: 1, noise: 10 }, 60],
    [{ width: 1200, height: 900, share: 0.6, turn: 2.2, tilt: 0.2, blur: 2, noise: 20 }, 40],
    [{ width: 900, height: 1200, share: 0.5, turn: -0.8, blur: 1, noise: 25 }, 35],
  ];
  for (const [options, quality] of photos) {
    const file = jpegOf(options, quality);
    assert.equal(imageKind(file), "jpeg");
    assert.deepEqual(await readQrFromImage(file), [link]);
  }
});

test("DOR-03 a photo in the dark, mirrored, light on dark, or against a dark wall without a quiet zone is read", async () => {
  const side = 480;
  const size = bitmap.length - 8;
  const at = (x: number, y: number) =>
    bitmap[Math.floor((y * size) / 320) + 4]?.[Math.floor((x * size) / 320) + 4] === true;
  const shades: Readonly<Record<string, (x: number, y: number, isIn: boolean) => number>> = {
    dark: (x, y, isIn) => (isIn && at(x, y) ? 6 : 26),
    mirrored: (x, y, isIn) => (isIn && at(319 - x, y) ? 20 : 240),
    "light on dark": (x, y, isIn) => (isIn && at(x, y) ? 250 : 5),
    "dark wall": (x, y, isIn) => (isIn ? (at(x, y) ? 0 : 255) : 60 + ((x * 7 + y * 13) % 30)),
  };
  for (const [name, shade] of Object.entries(shades)) {
    const png = new PNG({ width: side, height: side });
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const isIn = x >= 80 && y >= 80 && x < 400 && y < 400;
        png.data.fill(shade(x - 80, y - 80, isIn), 4 * (y * side + x), 4 * (y * side + x) + 3);
        png.data[4 * (y * side + x) + 3] = 255;
      }
    }
    assert.deepEqual(await readQrFromImage(new Uint8Array(PNG.sync.write(png))), [link], name);
  }
});

test("an invite is read from an image where there is a reader; elsewhere it is INVITE_MALFORMED, and says what to do", async () => {
  const drawn = encodePng(qrBitmap("no invite at all"));
  await assert.rejects(findInviteOrImage(drawn, readQrFromImage), { code: "INVITE_MALFORMED", rule: "NoLink" });
  assert.throws(() => readInvite(drawn), { code: "INVITE_MALFORMED", rule: "Image", message: /read its QR code/ });
});

test("REV-07 what is no readable code is INVITE_NO_QR", async () => {
  const blank = encodePng(Array.from({ length: 30 }, () => Array.from({ length: 30 }, () => true)));
  for (const bytes of [blank, blank.slice(0, 60), blank.slice(0, 10), new Uint8Array(0)]) await refused(bytes, /./);
  const photo = jpegOf({ width: 400, height: 300, share: 0.9, turn: 0 }, 60);
  for (const end of [3, 20, 200, 600]) await refused(photo.slice(0, end), /./);
  const { data } = jpeg.encode({ width: 64, height: 64, data: new Uint8Array(4 * 64 * 64).fill(200) }, 60);
  await refused(new Uint8Array(data), /no readable QR code/);
});

test("a caller's signal ends the decoding with its reason", async () => {
  const reason = new Error("enough");
  await assert.rejects(readQrFromImage(encodePng(bitmap), AbortSignal.abort(reason)), reason);
  const abort = new AbortController();
  const reading = readQrFromImage(encodePng(bitmap), abort.signal);
  abort.abort(reason);
  await assert.rejects(reading, reason);
});

describe("TRU-18 pictures made to harm are refused by what their headers state, before a decoder sees them", () => {
  const rows = deflateSync(new Uint8Array(2_000_000));
  const tiny = { width: 100, height: 100, bitDepth: 8, colourType: 0 };

  test("a PNG needs one header, first and whole", async () => {
    const header = pngHeader(tiny);
    await refused(pngFile(["IHDR", header], ["IHDR", header], ["IDAT", rows]), /damaged/);
    await refused(pngFile(["IDAT", rows], ["IHDR", header]), /damaged/);
    await refused(pngFile(["IHDR", header.slice(0, 12)], ["IDAT", rows]), /damaged/);
    await refused(pngFile(["IHDR", header]), /damaged/);
    await refused(pngFile(["IHDR", pngHeader({ ...tiny, bitDepth: 3 })], ["IDAT", rows]), /damaged/);
  });

  test("sides of a PNG are 1 to 16 384 pixels, their product is bounded, and the bytes they take", async () => {
    const side = CLIENT_LIMITS.maxImageSide;
    const sizes: [number, number, RegExp][] = [
      [0, 100_000_000, /no pixels/],
      [100_000_000, 0, /no pixels/],
      [1, side + 1, /a side/],
      [side + 1, 1, /a side/],
      [side, side, /larger than/],
    ];
    for (const interlace of [0, 1]) {
      for (const [width, height, message] of sizes) {
        await refused(pngFile(["IHDR", pngHeader({ ...tiny, width, height, interlace })], ["IDAT", rows]), message);
      }
      const wide = { width: 8_000, height: 8_000, bitDepth: 16, colourType: 6, interlace };
      await refused(pngFile(["IHDR", pngHeader(wide)], ["IDAT", rows]), /once unpacked/);
    }
  });

  test("no more of a PNG is inflated than its header needs, interlaced or not", async () => {
    const drawn = PNG.sync.read(Buffer.from(encodePng(bitmap)));
    const { width, height } = drawn;
    const lines = Array.from({ length: height }, (_, y) =>
      Uint8Array.of(0, ...Array.from({ length: width }, (_, x) => drawn.data[4 * (y * width + x)] ?? 0)),
    );
    // Behind the rows follow eight megabytes and then damage, which inflating them would meet.
    const deflated = deflateSync(concatBytes(...lines, new Uint8Array(8_000_000))).subarray(0, -2_000);
    const idat = concatBytes(deflated, new Uint8Array(4_000).fill(0xff));
    assert.deepEqual(await readQrFromImage(pngFile(["IHDR", pngHeader({ ...tiny, width, height })], ["IDAT", idat])), [
      link,
    ]);
    const zeros = concatBytes(
      deflateSync(new Uint8Array(8_000_000)).subarray(0, -2_000),
      new Uint8Array(4_000).fill(0xff),
    );
    const interlaced = pngFile(["IHDR", pngHeader({ ...tiny, interlace: 1 })], ["IDAT", zeros]);
    assert.equal(inflatedBytes(walkPng(interlaced).header), 10_000 + 13 + 13 + 13 + 25 + 25 + 50 + 49);
    await refused(interlaced, /no readable QR code/);
  });

  test("a JPEG states its size once, within the same bounds, and has few scans", async () => {
    await refused(jpegHeader(65_500, 65_500, 3), /a side/);
    await refused(jpegHeader(16_000, 16_000, 3), /larger than/);
    await refused(jpegHeader(0, 16, 3), /no pixels/);
    await refused(jpegHeader(4_899, 4_899, 255), /damaged/);
    const photo = jpegOf({ width: 200, height: 200, share: 0.9, turn: 0 }, 60);
    const scan = photo.slice(
      photo.findIndex((byte, at) => byte === 0xff && photo[at + 1] === 0xda),
      -2,
    );
    const again = Array.from({ length: CLIENT_LIMITS.maxJpegScans }, () => scan);
    await refused(concatBytes(photo.slice(0, -2), ...again, Uint8Array.of(0xff, 0xd9)), /more than 32 layers/);
    await refused(concatBytes(jpegHeader(200, 200, 3), photo.slice(2)), /damaged/);
  });

  test("a file of too many bytes is refused unread", async () => {
    const padded = new Uint8Array(CLIENT_LIMITS.maxImageBytes + 1);
    padded.set(jpegHeader(8, 8, 1));
    await refused(padded, /bytes/);
  });
});

test("SEC-11 damaged images are refused or are read, and nothing else happens", async () => {
  const files = [jpegOf({ width: 160, height: 160, share: 0.95, turn: 0 }, 50), encodePng(qrBitmap("short"))];
  let seed = 7;
  const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  for (let round = 0; round < 120; round++) {
    const file = (files[round % 2] ?? new Uint8Array(0)).slice();
    for (let count = 0; count < 3; count++) file[8 + random(file.length - 8)] = random(256);
    try {
      for await (const { luma } of readPictures(file)) assert.ok(luma.width > 0);
    } catch (error) {
      assert.ok(error instanceof PictureRefusal, String(error));
    }
  }
});
