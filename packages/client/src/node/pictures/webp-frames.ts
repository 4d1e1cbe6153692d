import { damaged } from "./refusal.ts";
import { walkWebp } from "./wasm-sizes.ts";

/** Frames of an animation that are looked at. */
const MAX_FRAMES = 8;
/** Bytes of a frame before its chunks: place, size, duration and flags. */
const FRAME_HEADER_BYTES = 16;
const ALPHA_FLAG = 0x10;

/** A chunk of a RIFF file: its name of four letters and its contents, padded to an even length. */
function chunk(name: string, content: Uint8Array): Uint8Array {
  const head = Buffer.alloc(8);
  head.write(name, "latin1");
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content, new Uint8Array(content.length % 2)]);
}

/** The chunks of a part of a RIFF file. */
function* chunksOf(
  bytes: Uint8Array,
  from: number,
): Generator<{ readonly name: string; readonly content: Uint8Array }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = from; at + 8 <= bytes.length;) {
    const length = view.getUint32(at + 4, true);
    yield {
      name: String.fromCharCode(...bytes.subarray(at, at + 4)),
      content: bytes.subarray(at + 8, at + 8 + length),
    };
    at += 8 + length + (length % 2);
  }
}

/**
 * The first frames of an animated WebP file, each as a file of its own, because the decoder takes no animations; a file with
 * one picture as it is. Sizes of frames are checked. Throws PictureRefusal.
 */
export function* webpFrames(bytes: Uint8Array): Generator<Uint8Array> {
  let frames = 0;
  for (const { name, content } of chunksOf(bytes, 12)) {
    if (name !== "ANMF" || frames >= MAX_FRAMES) continue;
    if (content.length <= FRAME_HEADER_BYTES) throw damaged("WebP");
    const inner = content.subarray(FRAME_HEADER_BYTES);
    const hasAlpha = String.fromCharCode(...inner.subarray(0, 4)) === "ALPH";
    const extended = hasAlpha
      ? chunk("VP8X", Buffer.concat([Uint8Array.of(ALPHA_FLAG, 0, 0, 0), content.subarray(6, 12)]))
      : new Uint8Array(0);
    const file = chunk("RIFF", Buffer.concat([Buffer.from("WEBP"), extended, inner]));
    walkWebp(file);
    frames++;
    yield file;
  }
  if (frames === 0) yield bytes;
}
