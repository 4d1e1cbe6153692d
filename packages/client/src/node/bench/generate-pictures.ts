import jpeg from "jpeg-js";
import { PNG } from "pngjs";
import { encodeInvitePayload, toBase64Url } from "@latchkey/xmtp";
import { inviteBitmap, qrBitmap } from "../../invite/qr.ts";
import type { QrBitmap } from "../../qr-bitmap.ts";
import { photograph, type PhotoOptions } from "../../testing/photo.ts";

/** A picture of the generated set: what it shows, and the text that has to be read from it. */
export interface TestPicture {
  readonly name: string;
  readonly file: Uint8Array;
  readonly text: string;
}

/** Pixels of a picture, four bytes each. */
interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

const WIDTH = 640;
const HEIGHT = 480;

/** How a photo is made worse, pixel by pixel. */
type Spoil = (shade: number, x: number, y: number) => number;

const SPOILS: Readonly<Record<string, Spoil>> = {
  clear: (shade) => shade,
  dark: (shade) => 12 + shade * 0.12,
  bright: (shade) => 150 + shade * 0.4,
  inverted: (shade) => 255 - shade,
  glare: (shade, x, y) => shade + Math.max(0, 260 - 2.2 * Math.hypot(x - WIDTH * 0.62, y - HEIGHT * 0.45)),
  shadow: (shade, x) => (x > WIDTH * 0.55 ? shade * 0.35 : shade),
  moire: (shade, x, y) => shade + 38 * Math.sin(x * 1.9) * Math.sin(y * 1.7),
  lines: (shade, _, y) => (y % 3 === 0 ? shade * 0.6 : shade),
};

/** Positions of the camera. */
const VIEWS: readonly Omit<PhotoOptions, "width" | "height">[] = [
  { share: 0.8, turn: 0 },
  { share: 0.45, turn: 0.12 },
  { share: 0.7, turn: 0.5, tilt: 0.15 },
  { share: 0.6, turn: 2.2, tilt: 0.25, blur: 1 },
  { share: 0.7, turn: -0.8, blur: 2, noise: 18 },
  { share: 0.55, turn: 3.1, tilt: -0.2, noise: 30 },
];

function spoiled({ data }: Rgba, spoil: Spoil, mirrored: boolean): Rgba {
  const out = new Uint8Array(data.length).fill(255);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const from = 4 * (y * WIDTH + (mirrored ? WIDTH - 1 - x : x));
      const shade = Math.max(0, Math.min(255, spoil(data[from] ?? 0, x, y)));
      out.fill(shade, 4 * (y * WIDTH + x), 4 * (y * WIDTH + x) + 3);
    }
  }
  return { width: WIDTH, height: HEIGHT, data: out };
}

function pngOf({ width, height, data }: Rgba): Uint8Array {
  const png = new PNG({ width, height });
  png.data.set(data);
  return new Uint8Array(PNG.sync.write(png));
}

function jpegOf(picture: Rgba, quality: number): Uint8Array {
  return new Uint8Array(jpeg.encode(picture, quality).data);
}

/** Two codes beside each other, the second one half as large. */
function beside(large: QrBitmap, small: QrBitmap): QrBitmap {
  const height = 2 * Math.max(large.length, small.length);
  return Array.from({ length: height }, (_, y) => [
    ...Array.from({ length: 2 * large.length }, (_cell, x) => large[y >> 1]?.[x >> 1] === true),
    ...Array.from({ length: small.length }, (_cell, x) => small[y]?.[x] === true),
  ]);
}

/**
 * Makes pictures of a fresh invite: each spoil in each view, as PNG, good and bad JPEG, mirrored ones, and some with another
 * code beside the invite's. They are made one by one, as they are asked for.
 */
export function* generatePictures(random: Uint8Array): Generator<TestPicture> {
  const payload = {
    servicePointer: { kind: "https_url", url: "https://slots.example" },
    externalGroupId: random.slice(0, 16),
    symmetricKey: random.slice(16, 48),
  } as const;
  const start = "https://slots.example/i#";
  const without = encodeInvitePayload({ ...payload, servicePointer: undefined });
  const decimal = BigInt(`0x${Buffer.from(without).toString("hex")}`).toString();
  const codes = [
    { form: "decimal", bitmap: inviteBitmap(payload, start), text: start + decimal },
    { form: "link", bitmap: qrBitmap(start + toBase64Url(encodeInvitePayload(payload))), text: "" },
  ];
  for (const { form, bitmap, text } of codes) {
    const wanted = text === "" ? start + toBase64Url(encodeInvitePayload(payload)) : text;
    for (const [index, view] of VIEWS.entries()) {
      const photo = photograph(bitmap, { ...view, width: WIDTH, height: HEIGHT });
      for (const [spoil, change] of Object.entries(SPOILS)) {
        const name = `${form}, view ${index}, ${spoil}`;
        const picture = spoiled(photo, change, index === 3);
        yield { name: `${name}, PNG`, file: pngOf(picture), text: wanted };
        yield { name: `${name}, JPEG`, file: jpegOf(picture, index % 2 === 0 ? 80 : 30), text: wanted };
      }
    }
    const other = qrBitmap("https://menu.example/summer?table=12");
    for (const turn of [0, 0.3]) {
      const pair = beside(other, bitmap);
      const square = [...pair, ...pair.map((row) => row.map(() => false))];
      const photo = photograph(square, { width: WIDTH * 2, height: HEIGHT * 2, share: 0.9, turn });
      yield { name: `${form} beside another code, turned by ${turn}`, file: pngOf(photo), text: wanted };
    }
  }
}
