import type { Luma } from "./luma.ts";
import { rangeOf } from "./luma-changes.ts";

/** Cells of the longer side, in which light and dark are looked for; and pixels of a cell at least. */
const CELLS = 96;
const MIN_CELL = 4;

/** A region is cut out where its sides differ by no more than this factor, and are of this many pixels at least. */
const MAX_RATIO = 1.6;
const MIN_SIDE = 21;

/** Regions that are cut out, the largest first. */
const MAX_REGIONS = 3;

/** Light and dark lie apart by this share of the picture's range. */
const CONTRAST = 0.4;

/** A rectangle of cells or pixels, both ends included. */
interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * Cuts out the regions of a picture that have light and dark in them, as codes have, and lays each on a margin that differs
 * from its surroundings: a code without a quiet zone on a page of its own colour is found then.
 */
export function cutOuts(luma: Luma): Luma[] {
  const cell = Math.max(MIN_CELL, Math.ceil(Math.max(luma.width, luma.height) / CELLS));
  const middle = middleOf(luma.data);
  return regions(luma, cell)
    .map((region) => tightened(luma, middle, inPixels(region, cell, luma)))
    .filter(isSquarish)
    .map(({ box, isDark }) => onMargin(luma, box, isDark ? 255 : 0));
}

function middleOf(data: Uint8Array): number {
  const [low, high] = rangeOf(data);
  return (low + high) / 2;
}

/** Regions of cells that touch each other and have contrast, the largest first. */
function regions({ width, height, data }: Luma, cell: number): Box[] {
  const [across, down] = [Math.ceil(width / cell), Math.ceil(height / cell)];
  const active = activeCells({ width, height, data }, cell, across, down);
  const boxes: Box[] = [];
  for (let start = 0; start < active.length; start++) {
    if (active[start] === 0) continue;
    boxes.push(fill(active, across, start));
  }
  const isPart = ({ left, top, right, bottom }: Box) => left > 0 || top > 0 || right < across - 1 || bottom < down - 1;
  const area = ({ left, top, right, bottom }: Box) => (right - left + 1) * (bottom - top + 1);
  return boxes
    .filter(isPart)
    .sort((a, b) => area(b) - area(a))
    .slice(0, MAX_REGIONS);
}

/** 1 for each cell that has contrast with itself or with its neighbours to the right and below. */
function activeCells({ width, height, data }: Luma, cell: number, across: number, down: number): Uint8Array {
  const lows = new Uint8Array(across * down).fill(255);
  const highs = new Uint8Array(across * down);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / cell) * across;
    for (let x = 0, column = row, left = cell; x < width; x++, left--) {
      if (left === 0) {
        column++;
        left = cell;
      }
      const value = data[y * width + x] ?? 0;
      if (value < (lows[column] ?? 0)) lows[column] = value;
      if (value > (highs[column] ?? 0)) highs[column] = value;
    }
  }
  const [low, high] = rangeOf(data);
  const border = CONTRAST * (high - low);
  return Uint8Array.from(lows, (_, index) => {
    const isLast = index % across === across - 1;
    const near = isLast ? [index, index + across] : [index, index + 1, index + across, index + across + 1];
    const known = near.filter((each) => each < lows.length);
    const contrast =
      Math.max(...known.map((each) => highs[each] ?? 0)) - Math.min(...known.map((each) => lows[each] ?? 0));
    return contrast > border && high > low ? 1 : 0;
  });
}

/** Clears the cells that hang together with one, also over corners; returns what they cover. */
function fill(active: Uint8Array, across: number, start: number): Box {
  let [left, right] = [across, 0];
  let [top, bottom] = [Math.floor(active.length / across), 0];
  const waiting = [start];
  active[start] = 0;
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    const [x, y] = [index % across, Math.floor(index / across)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    for (let near = 0; near < 9; near++) {
      const [nearX, nearY] = [x + (near % 3) - 1, y + Math.floor(near / 3) - 1];
      const other = nearY * across + nearX;
      if (nearX < 0 || nearX >= across || active[other] !== 1) continue;
      active[other] = 0;
      waiting.push(other);
    }
  }
  return { left, top, right, bottom };
}

/** A region in pixels; a cell looks at the neighbours to the right and below. */
function inPixels({ left, top, right, bottom }: Box, cell: number, { width, height }: Luma): Box {
  return {
    left: left * cell,
    top: top * cell,
    right: Math.min(width, (right + 2) * cell) - 1,
    bottom: Math.min(height, (bottom + 2) * cell) - 1,
  };
}

/** The bounds of what differs from a region's frame, and whether the frame is dark. */
function tightened({ width, data }: Luma, middle: number, frame: Box): { box: Box; isDark: boolean } {
  const { left, top, right, bottom } = frame;
  const isBright = (x: number, y: number) => (data[y * width + x] ?? 0) > middle;
  let bright = 0;
  for (let x = left; x <= right; x++) bright += Number(isBright(x, top)) + Number(isBright(x, bottom));
  for (let y = top; y <= bottom; y++) bright += Number(isBright(left, y)) + Number(isBright(right, y));
  const isDark = bright < right - left + bottom - top;
  const box = { left: right, top: bottom, right: left, bottom: top };
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      if (isBright(x, y) !== isDark) continue;
      if (x < box.left) box.left = x;
      if (x > box.right) box.right = x;
      if (y < box.top) box.top = y;
      box.bottom = y;
    }
  }
  return { box, isDark };
}

function isSquarish({ box: { left, top, right, bottom } }: { readonly box: Box }): boolean {
  const [across, down] = [right - left + 1, bottom - top + 1];
  return Math.min(across, down) >= MIN_SIDE && Math.max(across, down) <= MAX_RATIO * Math.min(across, down);
}

/** A part of a picture with a margin of one shade. */
function onMargin({ width, data }: Luma, { left, top, right, bottom }: Box, shade: number): Luma {
  const margin = Math.ceil((right - left + 1) / 6);
  const [across, down] = [right - left + 1 + 2 * margin, bottom - top + 1 + 2 * margin];
  const out = new Uint8Array(across * down).fill(shade);
  for (let y = top; y <= bottom; y++) {
    out.set(data.subarray(y * width + left, y * width + right + 1), (y - top + margin) * across + margin);
  }
  return { width: across, height: down, data: out };
}
