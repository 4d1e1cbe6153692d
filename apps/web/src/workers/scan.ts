import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";
import { decodeQR } from "qr/decode.js";

/** Address of the second reader's WebAssembly; the build fills it in. */
declare const ZXING_WASM: string;

/** A picture whose codes are looked for, four bytes a pixel. */
export interface ScanRequest {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
  /** A still picture is worth the second reader; a frame of the camera is followed by the next one. */
  readonly isStill: boolean;
}

let isReady = false;

async function read({ width, height, pixels, isStill }: ScanRequest): Promise<readonly string[]> {
  try {
    return [decodeQR({ width, height, data: pixels })];
  } catch {
    // Nothing that the first reader sees.
  }
  if (!isStill) return [];
  if (!isReady) prepareZXingModule({ overrides: { locateFile: () => ZXING_WASM } });
  isReady = true;
  const image = new ImageData(pixels, width, height);
  const found = await readBarcodes(image, { formats: ["QRCode"], tryHarder: true, maxNumberOfSymbols: 8 });
  return found.filter(({ isValid }) => isValid).map(({ text }) => text);
}

globalThis.onmessage = ({ data }: MessageEvent<ScanRequest>) => {
  void read(data).then(
    (texts) => globalThis.postMessage(texts),
    () => globalThis.postMessage([]),
  );
};
