import type { QrBitmap } from "../qr-bitmap.ts";

/** How a poster was photographed. */
export interface PhotoOptions {
  readonly width: number;
  readonly height: number;
  /** Side of the code as a share of the picture's shorter side. */
  readonly share: number;
  /** Radians. */
  readonly turn: number;
  /** How much wider the bottom is than the top, as a share. */
  readonly tilt?: number;
  /** Times that every pixel is mixed with its eight neighbours. */
  readonly blur?: number;
  /** Largest error of a pixel, of 255. */
  readonly noise?: number;
}

/** A photo of a code on a patterned wall, lit from one side: four bytes per pixel. The same every time. */
export function photograph(bitmap: QrBitmap, options: PhotoOptions) {
  const { width, height, blur = 0, noise = 0 } = options;
  let shades = wall(bitmap, options);
  for (let pass = 0; pass < blur; pass++) shades = blurred(shades, width, height);
  const data = new Uint8ClampedArray(4 * width * height);
  let seed = 1;
  shades.forEach((shade, index) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    const seen = shade + (seed / 2 ** 30 - 1) * noise;
    data.set([seen, seen, 0.92 * seen, 255], 4 * index);
  });
  return { width, height, data: new Uint8Array(data.buffer) };
}

function wall(bitmap: QrBitmap, { width, height, share, turn, tilt = 0 }: PhotoOptions): Float32Array {
  const module = (Math.min(width, height) * share) / bitmap.length;
  const [sin, cos] = [Math.sin(turn) / module, Math.cos(turn) / module];
  const middle = bitmap.length / 2;
  return Float32Array.from({ length: width * height }, (_, index) => {
    const [x, y] = [index % width, Math.floor(index / width)];
    const nearness = 1 + (tilt * (y - height / 2)) / height;
    const [dx, dy] = [(x - width / 2) * nearness, (y - height / 2) * nearness];
    const dark = bitmap[Math.floor(dy * cos - dx * sin + middle)]?.[Math.floor(dx * cos + dy * sin + middle)];
    const shade = dark === undefined ? 120 + 60 * Math.sin(x / 37) * Math.sin(y / 53) : dark ? 35 : 215;
    return shade * (0.75 + (0.35 * x) / width);
  });
}

function blurred(shades: Float32Array, width: number, height: number): Float32Array {
  return shades.map((_, index) => {
    const [x, y] = [index % width, Math.floor(index / width)];
    let sum = 0;
    for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
      for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
        sum += shades[row * width + column] ?? 0;
      }
    }
    const rows = y === 0 || y === height - 1 ? 2 : 3;
    return sum / (rows * (x === 0 || x === width - 1 ? 2 : 3));
  });
}
