/** Order in which the 64 coefficients of a block are written: low frequencies first (ITU-T T.81, figure A.6). */
export const ZIGZAG: Uint8Array = zigzag();

function zigzag(): Uint8Array {
  const order = new Uint8Array(64);
  let [row, column] = [0, 0];
  for (let index = 0; index < 64; index++) {
    order[index] = 8 * row + column;
    const upwards = (row + column) % 2 === 0;
    if (upwards) {
      if (column === 7) row++;
      else if (row === 0) column++;
      else [row, column] = [row - 1, column + 1];
    } else if (row === 7) column++;
    else if (column === 0) row++;
    else [row, column] = [row + 1, column - 1];
  }
  return order;
}

const C1 = Math.cos(Math.PI / 16);
const C2 = Math.cos(Math.PI / 8);
const C3 = Math.cos((3 * Math.PI) / 16);
const C5 = Math.cos((5 * Math.PI) / 16);
const C6 = Math.cos((3 * Math.PI) / 8);
const C7 = Math.cos((7 * Math.PI) / 16);
const C4 = Math.SQRT1_2;

/** Half of a cosine transform of eight values: each pass of the two needs it once for each row or column. */
const work = new Float32Array(64);

/** Transforms eight values at `at`, `at + step`, … in place (ITU-T T.81, A.3.3, by even and odd halves). */
function transform(values: Float32Array, at: number, step: number): void {
  const v0 = values[at] ?? 0;
  const v1 = values[at + step] ?? 0;
  const v2 = values[at + 2 * step] ?? 0;
  const v3 = values[at + 3 * step] ?? 0;
  const v4 = values[at + 4 * step] ?? 0;
  const v5 = values[at + 5 * step] ?? 0;
  const v6 = values[at + 6 * step] ?? 0;
  const v7 = values[at + 7 * step] ?? 0;
  const sum = (v0 + v4) * C4;
  const difference = (v0 - v4) * C4;
  const low = v2 * C2 + v6 * C6;
  const high = v2 * C6 - v6 * C2;
  const even0 = sum + low;
  const even1 = difference + high;
  const even2 = difference - high;
  const even3 = sum - low;
  const odd0 = v1 * C1 + v3 * C3 + v5 * C5 + v7 * C7;
  const odd1 = v1 * C3 - v3 * C7 - v5 * C1 - v7 * C5;
  const odd2 = v1 * C5 - v3 * C1 + v5 * C7 + v7 * C3;
  const odd3 = v1 * C7 - v3 * C5 + v5 * C3 - v7 * C1;
  values[at] = even0 + odd0;
  values[at + step] = even1 + odd1;
  values[at + 2 * step] = even2 + odd2;
  values[at + 3 * step] = even3 + odd3;
  values[at + 4 * step] = even3 - odd3;
  values[at + 5 * step] = even2 - odd2;
  values[at + 6 * step] = even1 - odd1;
  values[at + 7 * step] = even0 - odd0;
}

/** Transforms four values as `transform` does eight. */
function transformFour(values: Float32Array, at: number, step: number): void {
  const v1 = values[at + step] ?? 0;
  const v3 = values[at + 3 * step] ?? 0;
  const low = (values[at] ?? 0) * C4;
  const high = (values[at + 2 * step] ?? 0) * C4;
  const outer = v1 * C2 + v3 * C6;
  const inner = v1 * C6 - v3 * C2;
  values[at] = low + high + outer;
  values[at + step] = low - high + inner;
  values[at + 2 * step] = low - high - inner;
  values[at + 3 * step] = low + high - outer;
}

/** Pixels of a block's side: all, half of them, or a quarter. */
export type BlockSide = 8 | 4 | 2;

/** Where the pixels of a block are written: rows of bytes, `stride` bytes apart. */
export interface BlockTarget {
  readonly bytes: Uint8Array;
  readonly stride: number;
}

/**
 * Turns the 64 coefficients of a block at `from` into brightness at `to`. A side of fewer pixels takes the low frequencies
 * alone, which is the average of the pixels that it leaves out. `quantization` is in the order of the rows.
 */
export function writeBlock(
  coefficients: Int16Array,
  from: number,
  quantization: Uint16Array,
  target: BlockTarget,
  to: number,
  side: BlockSide,
): void {
  const highest = dequantize(coefficients, from, quantization, side);
  const { bytes, stride } = target;
  if (highest === 0) {
    const shade = clamp(128.5 + (work[0] ?? 0) / 8);
    for (let row = 0; row < side; row++) bytes.fill(shade, to + row * stride, to + row * stride + side);
    return;
  }
  if (side === 8) {
    for (let row = 0; 8 * row <= highest; row++) transform(work, 8 * row, 1);
    for (let column = 0; column < 8; column++) transform(work, column, 8);
  } else if (side === 4) {
    for (let row = 0; 8 * row <= highest; row++) transformFour(work, 8 * row, 1);
    for (let column = 0; column < 4; column++) transformFour(work, column, 8);
  } else transformTwo(work);
  for (let row = 0; row < side; row++) {
    const start = to + row * stride;
    for (let column = 0; column < side; column++) {
      bytes[start + column] = clamp(128.5 + (work[8 * row + column] ?? 0) / 4);
    }
  }
}

/** Fills `work` with the frequencies that a side needs; returns the place of the last one that is not zero. */
function dequantize(coefficients: Int16Array, from: number, quantization: Uint16Array, side: BlockSide): number {
  let highest = 0;
  for (let row = 0; row < 8 * side; row += 8) {
    for (let index = row; index < row + side; index++) {
      const coefficient = coefficients[from + index] ?? 0;
      if (coefficient === 0) work[index] = 0;
      else {
        work[index] = coefficient * (quantization[index] ?? 0);
        highest = index;
      }
    }
  }
  return highest;
}

/** Both passes of two values each. */
function transformTwo(values: Float32Array): void {
  const [mean, across, down, both] = [values[0] ?? 0, values[1] ?? 0, values[8] ?? 0, values[9] ?? 0];
  values[0] = (mean + across + down + both) / 2;
  values[1] = (mean - across + down - both) / 2;
  values[8] = (mean + across - down - both) / 2;
  values[9] = (mean - across - down + both) / 2;
}

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : Math.floor(value);
}
