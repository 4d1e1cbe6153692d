import { deflateSync } from "node:zlib";
import { test } from "node:test";
import { failsWith, NO_TRACES, traces, World } from "./support.ts";
import assert from "node:assert/strict";
import { concatBytes } from "@latchkey/mls";

/** A PNG file of these chunks; checksums are 0. */
function png(...chunks: readonly (readonly [type: string, content: Uint8Array])[]): Uint8Array {
  const parts = chunks.map(([type, content]) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, content.length);
    return concatBytes(length, new TextEncoder().encode(type), content, new Uint8Array(4));
  });
  return concatBytes(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), ...parts);
}

function header(width: number, height: number, interlace: number): Uint8Array {
  const content = new Uint8Array(13);
  const view = new DataView(content.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  content.set([8, 6, 0, 0, interlace], 8);
  return content;
}

/** A JPEG file of 16 × 16 grey pixels with so many scans, each of one byte. */
function jpegOfScans(count: number): Uint8Array {
  const scan = Uint8Array.of(0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0, 0);
  return concatBytes(
    Uint8Array.of(0xff, 0xd8, 0xff, 0xc2, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0),
    ...Array.from({ length: count }, () => scan),
    Uint8Array.of(0xff, 0xd9),
  );
}

test("TRU-18 no call that takes a picture decodes one made to harm: INVITE_NO_QR, and nothing is left of it", async (t) => {
  const world = await World.start(t);
  const { client, ...device } = await world.device("joiner");
  const rows = deflateSync(new Uint8Array(4_000_000));
  const pictures = [
    png(["IHDR", header(0, 100_000_000, 0)], ["IDAT", rows]),
    png(["IHDR", header(8, 3_000_000, 0)], ["IDAT", rows]),
    png(["IHDR", header(1, 24_000_000, 1)], ["IDAT", rows]),
    png(["IHDR", header(4, 4, 0)], ["IHDR", header(100_000, 100_000, 0)], ["IDAT", rows]),
    png(["IHDR", header(100, 100, 1)], ["IDAT", rows]),
    jpegOfScans(100),
  ];
  for (const picture of pictures) {
    await failsWith(client.conversations.previewInvite(picture), "INVITE_NO_QR");
    await failsWith(client.conversations.joinByInvite(picture), "INVITE_NO_QR");
  }
  assert.deepEqual(traces({ client, ...device }), NO_TRACES);
});
