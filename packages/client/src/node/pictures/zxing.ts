import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";
import type { Luma } from "./luma.ts";
import { wasmWithin } from "./wasm-memory.ts";

/** Memory of the decoder in bytes: `maxLumaPixels` in one byte each, and its own copies. */
const MAX_MEMORY_BYTES = 160 * 1024 * 1024;

/** Codes of one picture: a wall of posters has some. */
const MAX_CODES = 16;

let prepared: Promise<unknown> | undefined;

/** Returns the texts of all QR codes that ZXing finds: rotated, mirrored, light on dark. Its module comes from the package. */
export async function readWithZxing({ width, height, data }: Luma): Promise<string[]> {
  prepared ??= prepareZXingModule({
    overrides: { wasmBinary: wasmWithin("zxing-wasm/reader/zxing_reader.wasm", MAX_MEMORY_BYTES).buffer },
    fireImmediately: true,
  });
  await prepared;
  // A portable grey map is what the decoder takes in one byte a pixel.
  const file = Buffer.concat([Buffer.from(`P5\n${width} ${height}\n255\n`), data]);
  const found = await readBarcodes(file, { formats: ["QRCode"], maxNumberOfSymbols: MAX_CODES, tryHarder: true });
  return found.filter(({ isValid }) => isValid).map(({ text }) => text);
}
