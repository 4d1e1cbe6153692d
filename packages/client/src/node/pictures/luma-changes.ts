import type { Luma } from "./luma.ts";

/** Darkest and brightest value of a picture. */
export function rangeOf(data: Uint8Array): [low: number, high: number] {
  let [low, high] = [255, 0];
  for (const value of data) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** Applies a table of 256 values. */
function mapped({ width, height, data }: Luma, change: (value: number) => number): Luma {
  const table = Uint8Array.from({ length: 256 }, (_, value) => Math.max(0, Math.min(255, change(value))));
  const out = new Uint8Array(data.length);
  for (let index = 0; index < data.length; index++) out[index] = table[data[index] ?? 0] ?? 0;
  return { width, height, data: out };
}

/**
 * Black and white at a share of the range between darkest and brightest: a low one parts a code without a quiet zone from a
 * dark background, a high one from a bright background.
 */
export function thresholded(luma: Luma, share: number): Luma {
  const [low, high] = rangeOf(luma.data);
  const border = low + share * (high - low);
  return mapped(luma, (value) => (value > border ? 255 : 0));
}

/** The full range from black to white: for pictures in the dark. */
export function stretched(luma: Luma): Luma {
  const [low, high] = rangeOf(luma.data);
  return mapped(luma, (value) => ((value - low) * 255) / Math.max(1, high - low));
}

/** Half as wide and high, by averages: takes noise and patterns of a screen out. */
export function halved({ width, height, data }: Luma): Luma {
  const [across, down] = [Math.max(1, width >> 1), Math.max(1, height >> 1)];
  const out = new Uint8Array(across * down);
  for (let y = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      const at = 2 * y * width + 2 * x;
      const right = width > 1 ? 1 : 0;
      const below = height > 1 ? width : 0;
      const sum = (data[at] ?? 0) + (data[at + right] ?? 0) + (data[at + below] ?? 0) + (data[at + below + right] ?? 0);
      out[y * across + x] = sum >> 2;
    }
  }
  return { width: across, height: down, data: out };
}

/** Left and right exchanged, as front cameras show it. */
export function mirrored({ width, height, data }: Luma): Luma {
  const out = data.slice();
  for (let y = 0; y < height; y++) out.subarray(y * width, (y + 1) * width).reverse();
  return { width, height, data: out };
}

/**
 * Turned by 45 degrees, shrunk so that its corners stay in the frame: the first decoder looks along lines and misses codes
 * that stand on a corner.
 */
export function turned({ width, height, data }: Luma): Luma {
  const out = new Uint8Array(width * height).fill(128);
  const step = (width + height) / (2 * Math.min(width, height));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [dx, dy] = [(x - width / 2) * step, (y - height / 2) * step];
      const column = Math.round(dx - dy + width / 2);
      const row = Math.round(dx + dy + height / 2);
      if (column < 0 || row < 0 || column >= width || row >= height) continue;
      out[y * width + x] = data[row * width + column] ?? 0;
    }
  }
  return { width, height, data: out };
}
