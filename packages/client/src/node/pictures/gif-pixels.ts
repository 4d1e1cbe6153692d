import { LumaCanvas, type Backdrop, type Picture } from "./luma.ts";
import { checkSize } from "./picture-size.ts";
import { damaged } from "./refusal.ts";
import { lumaOf } from "./shade.ts";

/** Frames of an animation that are looked at. */
const MAX_FRAMES = 8;
/** Codes of the compression (GIF89a, appendix F): at most 12 bits. */
const MAX_CODES = 4_096;
/** Interlaced rows: first row and step of each of the four passes. */
const PASSES = [
  [0, 8],
  [4, 8],
  [2, 4],
  [1, 2],
] as const;

/**
 * Checks the size of a GIF file: of the screen that it states, and of each frame, which some programs write larger. Returns
 * what holds them all. Throws PictureRefusal.
 */
export function walkGif(bytes: Uint8Array): { readonly width: number; readonly height: number } {
  if (bytes.length < 13) throw damaged("GIF");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
  let at = 13 + tableBytes(bytes[10] ?? 0);
  for (let frames = 0; frames < MAX_FRAMES && at + 10 < bytes.length;) {
    const mark = bytes[at];
    if (mark === 0x21) at = endOfBlocks(bytes, at + 2);
    else if (mark === 0x2c) {
      width = Math.max(width, view.getUint16(at + 1, true) + view.getUint16(at + 5, true));
      height = Math.max(height, view.getUint16(at + 3, true) + view.getUint16(at + 7, true));
      at = endOfBlocks(bytes, at + 11 + tableBytes(bytes[at + 9] ?? 0));
      frames++;
    } else break;
  }
  checkSize(width, height);
  return { width, height };
}

/** Bytes of the table of colours that flags announce. */
function tableBytes(flags: number): number {
  return flags < 0x80 ? 0 : 3 * (2 << (flags & 7));
}

/**
 * Reads the frames of a GIF file as brightness, each laid over those before it, at most eight. A frame is decoded when it is
 * asked for; the pixels of each are bounded by the size that the file states. Throws PictureRefusal.
 */
export function* readGif(bytes: Uint8Array, backdrop: Backdrop): Generator<Picture> {
  const { width, height } = walkGif(bytes);
  const screen = new Uint8Array(width * height).fill(backdrop);
  const flags = bytes[10] ?? 0;
  let at = 13;
  const takeTable = (tableFlags: number): Uint8Array | undefined => {
    const length = tableBytes(tableFlags);
    if (length === 0) return undefined;
    at += length;
    return bytes.subarray(at - length, at);
  };
  const common = takeTable(flags);
  let seeThrough = -1;
  let transparent = false;
  for (let frames = 0; frames < MAX_FRAMES && at < bytes.length;) {
    const mark = bytes[at++];
    if (mark === 0x21) {
      // A graphic control extension states the transparent colour.
      if (bytes[at] === 0xf9 && ((bytes[at + 2] ?? 0) & 1) === 1) seeThrough = bytes[at + 5] ?? -1;
      at = endOfBlocks(bytes, at + 1);
      continue;
    }
    if (mark !== 0x2c || at + 9 > bytes.length) break;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 9);
    const [left, top] = [view.getUint16(0, true), view.getUint16(2, true)];
    const frame = { left, top, width: view.getUint16(4, true), height: view.getUint16(6, true) };
    const frameFlags = view.getUint8(8);
    at += 9;
    const colours = takeTable(frameFlags) ?? common;
    if (colours === undefined || left + frame.width > width || top + frame.height > height) throw damaged("GIF");
    const minBits = bytes[at++] ?? 0;
    const end = endOfBlocks(bytes, at);
    const indices = inflateLzw(joinBlocks(bytes, at, end), minBits, frame.width * frame.height);
    at = end;
    transparent ||= seeThrough >= 0;
    drawFrame(screen, width, frame, indices, shades(colours, seeThrough), (frameFlags & 0x40) > 0);
    seeThrough = -1;
    frames++;
    const canvas = new LumaCanvas(width, height);
    for (let y = 0; y < height; y++) canvas.addPixels(screen.subarray(y * width, (y + 1) * width), 0, 1, y);
    yield { luma: canvas.toLuma(), transparent };
  }
}

/** Brightness of each colour; −1 for the transparent one. */
function shades(colours: Uint8Array, seeThrough: number): Int16Array {
  return Int16Array.from({ length: 256 }, (_, index) =>
    index === seeThrough
      ? -1
      : lumaOf(colours[3 * index] ?? 0, colours[3 * index + 1] ?? 0, colours[3 * index + 2] ?? 0),
  );
}

function drawFrame(
  screen: Uint8Array,
  screenWidth: number,
  frame: { readonly left: number; readonly top: number; readonly width: number; readonly height: number },
  indices: Uint8Array,
  table: Int16Array,
  interlaced: boolean,
): void {
  const order: number[] = [];
  if (interlaced) {
    for (const [first, step] of PASSES) for (let row = first; row < frame.height; row += step) order.push(row);
  }
  for (let line = 0; line < frame.height; line++) {
    const base = (frame.top + (order[line] ?? line)) * screenWidth + frame.left;
    for (let x = 0; x < frame.width; x++) {
      const shade = table[indices[line * frame.width + x] ?? 0] ?? 0;
      if (shade >= 0) screen[base + x] = shade;
    }
  }
}

/** Behind the sub-blocks that begin here: each states its length, the last one is empty. */
function endOfBlocks(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && (bytes[at] ?? 0) > 0) at += 1 + (bytes[at] ?? 0);
  return at + 1;
}

function joinBlocks(bytes: Uint8Array, from: number, end: number): Uint8Array {
  const out = new Uint8Array(Math.max(0, end - from));
  let length = 0;
  for (let at = from; at < end - 1; at += 1 + (bytes[at] ?? 0)) {
    const block = bytes.subarray(at + 1, at + 1 + (bytes[at] ?? 0));
    out.set(block, length);
    length += block.length;
  }
  return out.subarray(0, length);
}

/** Decompresses exactly so many indices of colours; those that are missing are 0. */
function inflateLzw(data: Uint8Array, minBits: number, count: number): Uint8Array {
  if (minBits < 2 || minBits > 8) throw damaged("GIF");
  const clear = 1 << minBits;
  const prefixes = new Uint16Array(MAX_CODES);
  const suffixes = Uint8Array.from({ length: MAX_CODES }, (_, code) => code & 0xff);
  const stack = new Uint8Array(MAX_CODES + 1);
  const out = new Uint8Array(count);
  let [bits, held, at, width, next, previous, first] = [0, 0, 0, minBits + 1, clear + 2, -1, 0];
  for (let written = 0; written < count;) {
    while (held < width) {
      if (at >= data.length) return out;
      bits |= (data[at++] ?? 0) << held;
      held += 8;
    }
    const code = bits & ((1 << width) - 1);
    bits >>>= width;
    held -= width;
    if (code === clear) {
      [width, next, previous] = [minBits + 1, clear + 2, -1];
      continue;
    }
    if (code === clear + 1 || code > next || (code === next && previous < 0)) return out;
    let depth = 0;
    let current = code;
    if (code === next) {
      stack[depth++] = first;
      current = previous;
    }
    while (current > clear) {
      stack[depth++] = suffixes[current] ?? 0;
      current = prefixes[current] ?? 0;
    }
    first = current;
    stack[depth++] = first;
    if (previous >= 0 && next < MAX_CODES) {
      prefixes[next] = previous;
      suffixes[next++] = first;
      if (next === 1 << width && width < 12) width++;
    }
    previous = code;
    while (depth > 0 && written < count) out[written++] = stack[--depth] ?? 0;
  }
  return out;
}
