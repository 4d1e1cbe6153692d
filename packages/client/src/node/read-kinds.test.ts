import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, utf8 } from "@latchkey/mls";
import { imageKind } from "../invite/image.ts";
import { qrBitmap, qrSvg } from "../invite/qr.ts";
import type { QrBitmap } from "../qr-bitmap.ts";
import { readQrFromImage } from "./read-qr.ts";

const link = `https://any.example/i#${"Aa0-_Zz9".repeat(8)}`;
const bitmap = qrBitmap(link);
const SCALE = 4;

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

test("DOR-04 BMP, GIF and our own SVG are read", async () => {
  const files = { bmp: bmp(pixels(bitmap)), gif: gif(pixels(bitmap)), svg: utf8(qrSvg(bitmap)) };
  for (const [kind, file] of Object.entries(files)) {
    assert.equal(imageKind(file), kind);
    assert.deepEqual(await readQrFromImage(file), [link], kind);
  }
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
    pdf: ["%PDF-1.7", /PDF.*screenshot/],
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
