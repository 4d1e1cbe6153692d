import { LumaCanvas, type Backdrop, type Picture } from "./luma.ts";
import { passesOf, walkPng } from "./png-chunks.ts";
import { PngRows } from "./png-rows.ts";
import { shadesOf } from "./png-shades.ts";

/**
 * Reads a PNG file as brightness: no more is inflated than its header needs, and one row and one byte a pixel are kept. A
 * file that ends early is read as far as it goes. Throws PictureRefusal.
 */
export async function readPng(bytes: Uint8Array, backdrop: Backdrop): Promise<Picture> {
  const parts = walkPng(bytes);
  const { header } = parts;
  const canvas = new LumaCanvas(header.width, header.height);
  const shades = shadesOf(parts, backdrop);
  const rows = new PngRows(parts);
  try {
    for (const pass of passesOf(header)) {
      const values = new Uint8Array(pass.width);
      rows.beginPass(pass.width);
      for (let row = 0; row < pass.height; row++) {
        const samples = await rows.next();
        if (samples === undefined) break;
        shades.convert(samples, values);
        canvas.addPixels(values, pass.x, pass.stepX, pass.y + row * pass.stepY);
      }
    }
  } finally {
    rows.close();
  }
  return { luma: canvas.toLuma(), transparent: shades.transparent };
}
