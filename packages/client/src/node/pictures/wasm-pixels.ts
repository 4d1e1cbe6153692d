import decodeAvif, { init as initAvif } from "@jsquash/avif/decode.js";
import decodeWebp, { init as initWebp } from "@jsquash/webp/decode.js";
import { LumaCanvas, type Backdrop, type Picture } from "./luma.ts";
import { damaged, tooLarge } from "./refusal.ts";
import { lumaOf, over } from "./shade.ts";
import { wasmWithin } from "./wasm-memory.ts";

/** Memory of a decoder in bytes: it holds the picture in four bytes a pixel, and its own planes. */
const MAX_MEMORY_BYTES = 192 * 1024 * 1024;

/** What the decoders construct; browsers have it, Node does not. */
class Rgba {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;

  constructor(data: Uint8ClampedArray, width: number, height: number) {
    this.data = data;
    this.width = width;
    this.height = height;
  }
}

/** Kinds of pictures that are decoded by a package's WebAssembly. */
export type WasmKind = "webp" | "avif";

const CODECS = {
  webp: { name: "WebP", init: initWebp, decode: decodeWebp, module: "@jsquash/webp/codec/dec/webp_dec.wasm" },
  avif: { name: "AVIF", init: initAvif, decode: decodeAvif, module: "@jsquash/avif/codec/dec/avif_dec.wasm" },
} as const satisfies Record<WasmKind, unknown>;

const ready = new Set<WasmKind>();

/**
 * Reads a WebP or AVIF file as brightness. The engine bounds the decoder's memory, so that a picture of more than about 20
 * megapixels, or one that lies about its size, ends it. Throws PictureRefusal.
 */
export async function readByWasm(bytes: Uint8Array, kind: WasmKind, backdrop: Backdrop): Promise<Picture> {
  const { name, init, decode, module } = CODECS[kind];
  if (!ready.has(kind)) {
    Object.assign(globalThis, { ImageData: Rgba });
    await init({ wasmBinary: wasmWithin(module, MAX_MEMORY_BYTES).buffer });
    ready.add(kind);
  }
  let pixels: Pick<Rgba, "data" | "width" | "height"> | null;
  try {
    pixels = await decode(new Uint8Array(bytes).buffer);
  } catch (error) {
    // A decoder that ran out of memory is of no use any more.
    if (error instanceof WebAssembly.RuntimeError) throw tooLarge(`the ${name} picture takes too much memory`);
    throw damaged(name, error);
  }
  if (pixels === null) throw damaged(name);
  return pictureOf(pixels, backdrop);
}

function pictureOf({ data, width, height }: Pick<Rgba, "data" | "width" | "height">, backdrop: Backdrop): Picture {
  const canvas = new LumaCanvas(width, height);
  const values = new Uint8Array(width);
  let transparent = false;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 4) {
      const alpha = data[at + 3] ?? 255;
      if (alpha < 255) transparent = true;
      values[x] = over(lumaOf(data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0), alpha, backdrop);
    }
    canvas.addPixels(values, 0, 1, y);
  }
  return { luma: canvas.toLuma(), transparent };
}
