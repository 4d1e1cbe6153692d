import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, LatchkeyError } from "@latchkey/mls";
import jpeg from "jpeg-js";
import { PNG } from "pngjs";
import { imageKind } from "../invite/image.ts";
import { qrBitmap } from "../invite/qr.ts";
import { readInvite } from "../invite/read-invite.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { encodePng } from "./png.ts";
import { readQrFromImage } from "./read-qr.ts";
import { photograph, type PhotoOptions } from "./test-photo.ts";

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

function refused(bytes: Uint8Array, message: RegExp): void {
  assert.throws(() => readQrFromImage(bytes), { code: "INVITE_NO_QR", message });
}

test("a photo is read as well: the code small, turned, and on a grey background", () => {
  const { width, height, data } = photograph(bitmap, { width: 700, height: 700, share: 0.6, turn: 0.12 });
  const png = new PNG({ width, height });
  png.data.set(data);
  assert.equal(readQrFromImage(new Uint8Array(PNG.sync.write(png))), link);
});

test("photos of a poster are read from JPEG: turned, tilted, blurred, noisy, and strongly compressed", () => {
  const photos: [PhotoOptions, number][] = [
    [{ width: 900, height: 700, share: 0.7, turn: 0.4, tilt: 0.15, blur: 1, noise: 10 }, 60],
    [{ width: 1200, height: 900, share: 0.6, turn: 2.2, tilt: 0.2, blur: 2, noise: 20 }, 40],
    [{ width: 900, height: 1200, share: 0.5, turn: -0.8, blur: 1, noise: 25 }, 35],
  ];
  for (const [options, quality] of photos) {
    const file = jpegOf(options, quality);
    assert.equal(imageKind(file), "jpeg");
    assert.equal(readQrFromImage(file), link);
  }
});

test("an invite is read from an image where there is a reader; elsewhere it is INVITE_MALFORMED, and says what to do", () => {
  const drawn = encodePng(qrBitmap("no invite at all"));
  assert.throws(() => readInvite(drawn, readQrFromImage), { code: "INVITE_MALFORMED", rule: "NoLink" });
  assert.throws(() => readInvite(drawn), { code: "INVITE_MALFORMED", rule: "Image", message: /read its QR code/ });
});

test("REV-07 what is no readable code is INVITE_NO_QR", () => {
  const blank = encodePng(Array.from({ length: 30 }, () => Array.from({ length: 30 }, () => true)));
  for (const bytes of [blank, blank.slice(0, 60), blank.slice(0, 10), new Uint8Array(0)]) refused(bytes, /./);
  const photo = jpegOf({ width: 400, height: 300, share: 0.9, turn: 0 }, 60);
  for (const end of [3, 20, 200, 600]) refused(photo.slice(0, end), /./);
  const { data } = jpeg.encode({ width: 64, height: 64, data: new Uint8Array(4 * 64 * 64).fill(200) }, 60);
  refused(new Uint8Array(data), /no readable QR code/);
});

test("SEC-11 a small file that claims to be a huge image is refused before it is unpacked", () => {
  const bomb = encodePng(bitmap).slice();
  const view = new DataView(bomb.buffer);
  view.setUint32(16, 100_000);
  view.setUint32(20, 100_000);
  refused(bomb, /larger than/);
  refused(jpegHeader(65_500, 65_500, 3), /larger than/);
  // Few enough pixels, and more memory than they may take.
  refused(jpegHeader(4_899, 4_899, 255), /larger than/);
});

test("SEC-11 a file of too many bytes, and a JPEG that repeats its scan without end, are refused unread", () => {
  const padded = new Uint8Array(CLIENT_LIMITS.maxImageBytes + 1);
  padded.set(jpegHeader(8, 8, 1));
  refused(padded, /larger than/);
  const photo = jpegOf({ width: 200, height: 200, share: 0.9, turn: 0 }, 60);
  const scan = photo.slice(
    photo.findIndex((byte, at) => byte === 0xff && photo[at + 1] === 0xda),
    -2,
  );
  const again = Array.from({ length: CLIENT_LIMITS.maxJpegScans }, () => scan);
  refused(concatBytes(photo.slice(0, -2), ...again, Uint8Array.of(0xff, 0xd9)), /more layers/);
});

test("SEC-11 damaged images fail with INVITE_NO_QR or are read, and nothing else happens", () => {
  const files = [jpegOf({ width: 160, height: 160, share: 0.95, turn: 0 }, 50), encodePng(qrBitmap("short"))];
  let seed = 7;
  const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  for (let round = 0; round < 120; round++) {
    const file = (files[round % 2] ?? new Uint8Array(0)).slice();
    for (let count = 0; count < 3; count++) file[8 + random(file.length - 8)] = random(256);
    try {
      readQrFromImage(file);
    } catch (error) {
      assert.ok(error instanceof LatchkeyError && error.code === "INVITE_NO_QR", String(error));
    }
  }
});
