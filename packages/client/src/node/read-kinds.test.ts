import assert from "node:assert/strict";
import { test } from "node:test";
import encodeAvif, { init as initAvif } from "@jsquash/avif/encode.js";
import encodeWebp, { init as initWebp } from "@jsquash/webp/encode.js";
import { concatBytes, utf8 } from "@latchkey/mls";
import jpeg from "jpeg-js";
import { PNG } from "pngjs";
import { imageKind } from "../invite/image.ts";
import { posterPdf, posterSvg } from "../invite/poster.ts";
import { qrBitmap, qrSvg } from "../invite/qr.ts";
import type { QrBitmap } from "../qr-bitmap.ts";
import { ARITHMETIC_JPEGS } from "../testing/arithmetic-jpegs.ts";
import type { Picture } from "./pictures/luma.ts";
import { halved } from "./pictures/luma-changes.ts";
import { readPictures } from "./pictures/picture-pixels.ts";
import { PictureRefusal } from "./pictures/refusal.ts";
import { wasmWithin } from "./pictures/wasm-memory.ts";
import { encodePng } from "./png.ts";
import { readQrFromImage } from "./read-qr.ts";

const link = `https://any.example/i#${"Aa0-_Zz9".repeat(8)}`;
const bitmap = qrBitmap(link);
const SCALE = 4;
const ENCODER_BYTES = 256 * 1024 * 1024;

/** Rows of pixels, true for dark. */
function pixels(of: QrBitmap): boolean[][] {
  return Array.from({ length: of.length * SCALE }, (_, y) =>
    Array.from({ length: of.length * SCALE }, (_, x) => of[Math.floor(y / SCALE)]?.[Math.floor(x / SCALE)] === true),
  );
}

function uint16(value: number): number[] {
  return [value & 0xff, value >> 8];
}

/** A BMP file of 24 bits a pixel, of which the rows go upwards. */
function bmp(rows: readonly (readonly boolean[])[]): Uint8Array {
  const size = rows.length;
  const header = new Uint8Array(54);
  const view = new DataView(header.buffer);
  header.set(utf8("BM"));
  view.setUint32(10, 54, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, size, true);
  view.setInt32(22, size, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  const lines = rows
    .toReversed()
    .map((row) => Uint8Array.from(row.flatMap((dark) => (dark ? [0, 0, 0] : [255, 255, 255]))));
  return concatBytes(header, ...lines);
}

/** A GIF file of frames in two colours, whose data is not compressed: each code is one pixel, with clear codes between. */
function gif(...frames: readonly (readonly (readonly boolean[])[])[]): Uint8Array {
  const size = frames[0]?.length ?? 0;
  const parts = [utf8("GIF89a"), Uint8Array.of(...uint16(size), ...uint16(size), 0x80, 0, 0, 255, 255, 255, 0, 0, 0)];
  for (const rows of frames) {
    parts.push(Uint8Array.of(0x2c, 0, 0, 0, 0, ...uint16(size), ...uint16(size), 0, 2));
    // Three bits a code: 4 clears the table, and one pixel behind it keeps codes at three bits.
    const codes = rows.flat().flatMap((dark) => [4, dark ? 1 : 0]);
    codes.push(5);
    const data: number[] = [];
    let [held, bits] = [0, 0];
    for (const code of codes) {
      held |= code << bits;
      bits += 3;
      while (bits >= 8) {
        data.push(held & 0xff);
        held >>= 8;
        bits -= 8;
      }
    }
    data.push(held);
    for (let at = 0; at < data.length; at += 255) {
      const block = data.slice(at, at + 255);
      parts.push(Uint8Array.of(block.length, ...block));
    }
    parts.push(Uint8Array.of(0));
  }
  return concatBytes(...parts, Uint8Array.of(0x3b));
}

/** An animation of WebP files of the same size (WebP container specification). */
function animatedWebp(side: number, files: readonly ArrayBuffer[]): Uint8Array {
  const sizes = Uint8Array.of(...uint16(side - 1), 0, ...uint16(side - 1), 0);
  const chunk = (name: string, content: Uint8Array) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, content.length, true);
    return concatBytes(utf8(name), length, content, new Uint8Array(content.length % 2));
  };
  const frames = files.map((file) => {
    const head = concatBytes(new Uint8Array(6), sizes, Uint8Array.of(100, 0, 0, 0));
    return chunk("ANMF", concatBytes(head, new Uint8Array(file).subarray(12)));
  });
  const parts = [
    chunk("VP8X", concatBytes(Uint8Array.of(2, 0, 0, 0), sizes)),
    chunk("ANIM", new Uint8Array(6)),
    ...frames,
  ];
  return chunk("RIFF", concatBytes(utf8("WEBP"), ...parts));
}

test("DOR-04 posters of Latchkey are read as SVG and PDF", async () => {
  const facts = { name: "Circle (of 9)", expiresAtNs: 1n, opensAt: "any.example" };
  for (const poster of [utf8(posterSvg(bitmap, facts)), posterPdf(bitmap, facts)]) {
    assert.deepEqual(await readQrFromImage(poster), [link]);
  }
});

test("DOR-04 BMP, GIF and our own SVG are read", async () => {
  const files = { bmp: bmp(pixels(bitmap)), gif: gif(pixels(bitmap)), svg: utf8(qrSvg(bitmap)) };
  for (const [kind, file] of Object.entries(files)) {
    assert.equal(imageKind(file), kind);
    assert.deepEqual(await readQrFromImage(file), [link], kind);
  }
});

for (const [form, base64] of Object.entries(ARITHMETIC_JPEGS)) {
  test(`DOR-04 a JPEG with arithmetic codes is read: ${form}`, async () => {
    assert.deepEqual(await readQrFromImage(new Uint8Array(Buffer.from(base64, "base64"))), ["latchkey"]);
  });
}

test("DOR-04 damaged JPEG files with arithmetic codes are read or refused, and nothing else happens", async () => {
  let seed = 11;
  const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  for (const base64 of Object.values(ARITHMETIC_JPEGS)) {
    for (let round = 0; round < 40; round++) {
      const file = new Uint8Array(Buffer.from(base64, "base64"));
      for (let count = 0; count < 3; count++) file[8 + random(file.length - 8)] = random(256);
      try {
        for await (const { luma } of readPictures(file)) assert.ok(luma.width > 0);
      } catch (error) {
        assert.ok(error instanceof PictureRefusal, String(error));
      }
    }
  }
});

test("DOR-04 WebP and AVIF are read, with and without loss", async () => {
  const { width, height, data } = PNG.sync.read(Buffer.from(encodePng(bitmap, SCALE)));
  const picture = { width, height, data: new Uint8ClampedArray(data), colorSpace: "srgb" as const };
  await initWebp({ wasmBinary: wasmWithin("@jsquash/webp/codec/enc/webp_enc_simd.wasm", ENCODER_BYTES).buffer });
  await initAvif({ wasmBinary: wasmWithin("@jsquash/avif/codec/enc/avif_enc.wasm", ENCODER_BYTES).buffer });
  const files = {
    "webp, with loss": await encodeWebp(picture, { quality: 50 }),
    "webp, without": await encodeWebp(picture, { lossless: 1 }),
    avif: await encodeAvif(picture, { speed: 10, quality: 50 }),
  };
  for (const [name, file] of Object.entries(files)) {
    const bytes = new Uint8Array(file);
    assert.equal(imageKind(bytes), name.slice(0, 4));
    assert.deepEqual(await readQrFromImage(bytes), [link], name);
    await assert.rejects(readQrFromImage(bytes.slice(0, 60)), { code: "INVITE_NO_QR", message: /damaged/ });
  }
  const blank = { ...picture, data: new Uint8ClampedArray(data.length).fill(255) };
  const frames = [await encodeWebp(blank, { lossless: 1 }), await encodeWebp(picture, { quality: 50 })];
  assert.deepEqual(await readQrFromImage(animatedWebp(width, frames)), [link], "animation");
});

test("DOR-03 a code without a quiet zone is found on a page of its own colour, dark or light", async () => {
  const modules = bitmap.length - 8;
  const [side, from] = [6 * modules + 240, 120];
  for (const page of [0, 255]) {
    const png = new PNG({ width: side, height: side });
    png.data.fill(page);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const [column, row] = [Math.floor((x - from) / 6), Math.floor((y - from) / 6)];
        const isIn = column >= 0 && row >= 0 && column < modules && row < modules;
        const isDark = isIn && bitmap[row + 4]?.[column + 4] === true;
        // On a light page the code is light on dark.
        if (isIn) png.data.fill(isDark ? page : 255 - page, 4 * (y * side + x), 4 * (y * side + x) + 3);
        png.data[4 * (y * side + x) + 3] = 255;
      }
    }
    assert.deepEqual(await readQrFromImage(new Uint8Array(PNG.sync.write(png))), [link], `page ${page}`);
  }
});

test("DOR-03 a large JPEG comes small first, as the average of the large one, which shows small codes", async () => {
  const [width, height] = [2_400, 1_800];
  const data = new Uint8Array(4 * width * height).fill(255);
  const [left, top] = [1_500, 900];
  pixels(bitmap).forEach((row, y) => {
    row.forEach((dark, x) => {
      if (dark) data.fill(0, 4 * ((top + y) * width + left + x), 4 * ((top + y) * width + left + x) + 3);
    });
  });
  const file = new Uint8Array(jpeg.encode({ width, height, data }, 80).data);
  const looks: Picture[] = [];
  for await (const picture of readPictures(file)) looks.push(picture);
  const [small, large, ...others] = looks;
  assert.ok(small !== undefined && large !== undefined && others.length === 0);
  assert.deepEqual([small.small, small.luma.width, small.luma.height], [true, width / 2, height / 2]);
  assert.deepEqual([large.small, large.luma.width, large.luma.height], [false, width, height]);
  let difference = 0;
  halved(large.luma).data.forEach((value, index) => (difference += Math.abs(value - (small.luma.data[index] ?? 0))));
  assert.ok(difference / small.luma.data.length < 1, `${difference}`);
  assert.deepEqual(await readQrFromImage(file), [link]);
});

test("DOR-05 an animation is looked through until the invite comes", async () => {
  const invite = `https://any.example/i#Cgo${"Aa0-_Zz9".repeat(8)}`;
  const [menu, code] = [qrBitmap("https://menu.example/".padEnd(invite.length, "x")), qrBitmap(invite)];
  assert.ok((await readQrFromImage(gif(pixels(menu), pixels(code)))).includes(invite));
});

test("DOR-04 kinds that are not read are named, with what to do", async () => {
  const files: Readonly<Record<string, [head: string, says: RegExp]>> = {
    heic: ["\0\0\0\x18ftypheic\0\0\0\0mif1heic", /HEIC photo.*JPEG/],
    tiff: ["II*\0", /TIFF.*PNG/],
    jp2: ["\0\0\0\x0cjP  ", /JPEG 2000.*PNG/],
    jxl: ["\xff\x0a", /JPEG XL.*PNG/],
    pdf: ["%PDF-1.7", /PDF.*did not write.*screenshot/],
    video: ["\0\0\0\x18ftypmp42\0\0\0\0isommp42", /video.*screenshot/],
    zip: ["PK\x03\x04", /ZIP archive.*picture/],
    psd: ["8BPS", /Photoshop.*PNG/],
  };
  for (const [kind, [head, message]] of Object.entries(files)) {
    const bytes = concatBytes(Uint8Array.from(Buffer.from(head, "latin1")), new Uint8Array(64));
    assert.equal(imageKind(bytes), kind);
    await assert.rejects(readQrFromImage(bytes), { code: "INVITE_NO_QR", message });
  }
  const foreign = utf8('<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>');
  await assert.rejects(readQrFromImage(foreign), { code: "INVITE_NO_QR", message: /Latchkey wrote.*PNG/ });
});

test("TRU-18 sizes that GIF, BMP, WebP and AVIF files state are bounded before anything is decoded", async () => {
  const size = 0xffff;
  const large = bmp([[true]]).slice();
  new DataView(large.buffer).setInt32(18, 0x7fffffff, true);
  const bombs = [
    concatBytes(utf8("GIF89a"), Uint8Array.of(...uint16(size), ...uint16(size), 0, 0, 0), new Uint8Array(40)),
    large,
    concatBytes(
      utf8("RIFF\0\0\0\0WEBPVP8X"),
      new Uint8Array(8),
      Uint8Array.of(255, 255, 255, 255, 255, 255),
      new Uint8Array(8),
    ),
    concatBytes(utf8("RIFF\0\0\0\0WEBPVP8L"), Uint8Array.of(0, 0, 0, 0, 0x2f, 255, 255, 255, 255), new Uint8Array(8)),
    concatBytes(utf8("\0\0\0\x18ftypavif\0\0\0\0ispe\0\0\0\0"), new Uint8Array(8).fill(0x7f), new Uint8Array(8)),
  ];
  for (const bomb of bombs) {
    await assert.rejects(readQrFromImage(bomb), { code: "INVITE_NO_QR", message: /larger than/ });
  }
});
