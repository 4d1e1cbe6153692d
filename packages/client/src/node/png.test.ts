import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { encodeInvitePayload, type InvitePayload } from "@latchkey/xmtp";
import jsqr from "jsqr";
import { PNG } from "pngjs";
import { codeTextOf, inviteBitmap, qrBitmap, qrSvg, qrTerminal, QUIET_ZONE } from "../invite/qr.ts";
import { posterPdf, posterSvg } from "../invite/poster.ts";
import { imageKind } from "../invite/image.ts";
import { readInvite } from "../invite/read-invite.ts";
import { servicePointer } from "../invite/service.ts";
import { STAGES } from "./pictures/find-codes.ts";
import { readPictures } from "./pictures/picture-pixels.ts";
import { encodePng } from "./png.ts";
import { readQrFromImage } from "./read-qr.ts";

const link = `https://latchkey.link/i#${"Aa0-_Zz9".repeat(18)}`;

function payloadAt(service: string): InvitePayload {
  return {
    servicePointer: servicePointer(service),
    externalGroupId: Uint8Array.from({ length: 16 }, (_, index) => 0xf0 + index),
    symmetricKey: Uint8Array.from({ length: 32 }, (_, index) => 255 - 7 * index),
  };
}

function readWithJsqr(png: Uint8Array): string | undefined {
  const { width, height, data } = PNG.sync.read(Buffer.from(png));
  // The package is CommonJS; its types describe the default export of its bundle.
  const decode = jsqr as unknown as typeof jsqr.default;
  return decode(new Uint8ClampedArray(data), width, height)?.data;
}

/** Reads with zbarimg, where the system has it. */
function readWithZbar(png: Uint8Array): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), "latchkey-zbar-"));
  try {
    const file = join(directory, "code.png");
    writeFileSync(file, png);
    const { error, stdout } = spawnSync("zbarimg", ["--quiet", "--raw", file], { encoding: "utf8" });
    return error === undefined ? stdout.trimEnd() : undefined;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function readWithStage(name: string, png: Uint8Array): Promise<readonly string[]> {
  for await (const { luma } of readPictures(png))
    return (await STAGES.find((stage) => stage.name === name)?.read(luma)) ?? [];
  return [];
}

test("the code in a PNG is read by our decoder and by an independent one", async () => {
  const png = encodePng(qrBitmap(link));
  assert.equal(imageKind(png), "png");
  assert.deepEqual(await readQrFromImage(png), [link]);
  assert.equal(readWithJsqr(png), link);
});

describe("DOR-08 the code of an invite", () => {
  const hosts: [host: string, modules: number][] = [
    ["a.example", 37],
    ["fifteen.example", 37],
    ["sixteen1.example", 41],
    [`${"long".repeat(7)}1.example`, 41],
  ];
  for (const [host, modules] of hosts) {
    test(`has ${modules} modules for a host of ${host.length} characters, and four decoders read it`, async (t) => {
      const payload = payloadAt(`https://${host}`);
      const bitmap = inviteBitmap(payload, `https://${host}/i#`);
      assert.equal(bitmap.length - 2 * QUIET_ZONE, modules);
      const { text, digits } = codeTextOf(payload, `https://${host}/i#`);
      assert.match(`${text}${digits}`, /^https:\/\/[a-z0-9.]+\/i#\d+$/);
      const png = encodePng(bitmap);
      assert.deepEqual(await readWithStage("qr", png), [text + digits]);
      assert.deepEqual(await readWithStage("zxing", png), [text + digits]);
      assert.equal(readWithJsqr(png), text + digits);
      const zbar = readWithZbar(png);
      if (zbar === undefined) t.diagnostic("zbarimg is not installed: three decoders were tried");
      else assert.equal(zbar, text + digits);
      assert.deepEqual(encodeInvitePayload(readInvite(text + digits)), encodeInvitePayload(payload));
    });
  }

  test("holds the bytes of the copied link, whatever its pointer and start are", () => {
    const payloads = [
      payloadAt("https://slots.example"),
      payloadAt("https://slots.example/base"),
      payloadAt("http://127.0.0.1:5556"),
      { ...payloadAt("https://slots.example"), servicePointer: undefined },
      {
        ...payloadAt("https://slots.example"),
        servicePointer: { kind: "opaque", bytes: new Uint8Array([0]) } as const,
      },
    ];
    const starts = [
      "latchkey:",
      "https://slots.example/i#",
      "http://127.0.0.1:5556/i#",
      "https://Other.example/A?b=C#",
    ];
    for (const payload of payloads) {
      for (const start of starts) {
        const { text, digits } = codeTextOf(payload, start);
        assert.deepEqual(encodeInvitePayload(readInvite(text + digits)), encodeInvitePayload(payload), start);
      }
    }
  });

  test("is drawn at any scale, and as SVG with a title and a size", async () => {
    const bitmap = inviteBitmap(payloadAt("https://a.example"), "https://a.example/i#");
    for (const scale of [2, 3, 8, 20]) {
      const png = encodePng(bitmap, scale);
      assert.equal(PNG.sync.read(Buffer.from(png)).width, bitmap.length * scale);
      assert.match((await readQrFromImage(png))[0] ?? "", /^https:\/\/a\.example\/i#\d+$/);
    }
    const svg = qrSvg(bitmap);
    assert.match(svg, /role="img" width="360" height="360" viewBox="0 0 45 45"/);
    assert.match(svg, /<title>/);
    assert.match((await readQrFromImage(new TextEncoder().encode(svg)))[0] ?? "", /^https:\/\/a\.example\/i#\d+$/);
  });
});

test("DOR-08 a poster states what it is, and its code is read: SVG, and PDF where the system can draw it", async (t) => {
  const bitmap = inviteBitmap(payloadAt("https://a.example"), "https://a.example/i#");
  const facts = { name: "Reading <circle> & tea", expiresAtNs: 1_800_000_000_000_000_000n, opensAt: "a.example" };
  const svg = posterSvg(bitmap, facts);
  assert.match(
    svg,
    /Reading &#60;circle&#62; &#38; tea.*Scan to join.*Open until 2027-01-15 08:00 UTC\..*Opens at a\.example/s,
  );
  assert.match((await readQrFromImage(new TextEncoder().encode(svg)))[0] ?? "", /^https:\/\/a\.example\/i#\d+$/);
  assert.doesNotMatch(posterSvg(bitmap, { ...facts, name: undefined }), /Reading/);
  const pdf = posterPdf(bitmap, facts);
  const text = Buffer.from(pdf).toString("latin1");
  assert.match(text, /^%PDF-1\.4\n.*\(Reading <circle> & tea\) Tj.*%%EOF\n$/s);
  const [, start = "0"] = /startxref\n(\d+)/.exec(text) ?? [];
  assert.ok(text.slice(Number(start)).startsWith("xref\n"));
  const drawn = spawnSync("pdftoppm", ["-png", "-r", "100", "-"], { input: pdf, maxBuffer: 64 * 1024 * 1024 });
  if (drawn.error !== undefined) t.diagnostic("pdftoppm is not installed: the PDF was not drawn");
  else assert.match((await readQrFromImage(drawn.stdout))[0] ?? "", /^https:\/\/a\.example\/i#\d+$/);
});

/** A picture of a terminal of 80 columns with these lines, in cells that are not quite twice as high as wide. */
function screenshot(lines: readonly string[], ink: number, paper: number): Uint8Array {
  const [across, down] = [9, 20];
  const png = new PNG({ width: 80 * across, height: (lines.length + 2) * down });
  for (let y = 0; y < png.height; y++) {
    const line = Array.from(lines[Math.floor(y / down) - 1] ?? "");
    const half = y % down < down / 2 ? "▀" : "▄";
    for (let x = 0; x < png.width; x++) {
      const block = line[Math.floor(x / across)] ?? " ";
      const at = 4 * (y * png.width + x);
      png.data.fill(block === "█" || block === half ? ink : paper, at, at + 3);
      png.data[at + 3] = 255;
    }
  }
  return new Uint8Array(PNG.sync.write(png));
}

test("DOR-08 lines of a terminal are read by four decoders, as black blocks on white and as white ones on black", async (t) => {
  const payload = payloadAt("https://fifteen.example");
  const start = "https://fifteen.example/i#";
  const { text, digits } = codeTextOf(payload, start);
  const lines = qrTerminal(inviteBitmap(payload, start))
    .replaceAll(/\u001b\[[0-9;]*m/g, "")
    .trimEnd()
    .split("\n");
  // The lower margin is white space.
  const blocks = [...lines, ...Array.from({ length: 23 - lines.length }, () => " ".repeat(45))];
  const reversed = blocks.map((line) => Array.from(line, (block) => "█▄▀ "[" ▀▄█".indexOf(block)]).join(""));
  for (const png of [screenshot(blocks, 20, 245), screenshot(reversed, 230, 12)]) {
    assert.deepEqual(await readWithStage("qr", png), [text + digits]);
    assert.deepEqual(await readWithStage("zxing", png), [text + digits]);
    assert.equal(readWithJsqr(png), text + digits);
    const zbar = readWithZbar(png);
    if (zbar === undefined) t.diagnostic("zbarimg is not installed: three decoders were tried");
    else assert.equal(zbar, text + digits);
  }
});

test("a terminal shows the same modules as the bitmap", () => {
  const bitmap = qrBitmap(link);
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
