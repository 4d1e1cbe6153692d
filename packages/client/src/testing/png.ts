import { concatBytes } from "@latchkey/mls";

/** What a header may state, true or not. */
export interface StatedPng {
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  readonly colourType: number;
  readonly interlace?: number;
}

/** Contents of IHDR. */
export function pngHeader({ width, height, bitDepth, colourType, interlace = 0 }: StatedPng): Uint8Array {
  const content = new Uint8Array(13);
  const view = new DataView(content.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  content.set([bitDepth, colourType, 0, 0, interlace], 8);
  return content;
}

/** A PNG file of these chunks, whatever they are; checksums are 0. */
export function pngFile(...chunks: readonly (readonly [type: string, content: Uint8Array])[]): Uint8Array {
  const parts = chunks.map(([type, content]) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, content.length);
    return concatBytes(length, new TextEncoder().encode(type), content, new Uint8Array(4));
  });
  return concatBytes(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), ...parts);
}
