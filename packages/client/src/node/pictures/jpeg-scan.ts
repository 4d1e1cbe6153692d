import type { JpegHuffman } from "./jpeg-huffman.ts";

/** A component as a scan reads it; sizes in blocks of 8 × 8. */
export interface ScanComponent {
  readonly across: number;
  readonly down: number;
  /** Blocks that hold pixels. */
  readonly width: number;
  readonly height: number;
  /** Blocks of a row in `coefficients`, which has whole MCUs. */
  readonly stride: number;
  /** 64 for each block, in the order of rows; undefined where only the bits have to be passed by. */
  readonly coefficients: Int16Array | undefined;
  readonly dc: JpegHuffman | undefined;
  readonly ac: JpegHuffman | undefined;
  /** Numbers of its tables, 0 to 3. */
  readonly dcTable: number;
  readonly acTable: number;
}

/** What a scan holds of the coefficients (ITU-T T.81, B.2.3 and G.1). */
export interface ScanRange {
  readonly progressive: boolean;
  readonly first: number;
  readonly last: number;
  /** Bits that earlier scans brought, 0 for none; and bits that are still missing after this one. */
  readonly high: number;
  readonly low: number;
}

/** Size of the whole scan, in MCUs, and MCUs between two restart markers, 0 for no such markers. */
export interface ScanSize {
  readonly mcusAcross: number;
  readonly mcusDown: number;
  readonly restartInterval: number;
}

/** Reads the blocks of a scan one by one, by one of the two ways of coding. */
export interface BlockReader {
  /** Whether more was read than there is. */
  readonly ended: boolean;
  /** Goes on behind the next restart marker; false where there is none. */
  restart(): boolean;
  /** Reads one block of the component with this index into the 64 coefficients at `at`. Throws PictureRefusal. */
  readBlock(component: ScanComponent, index: number, coefficients: Int16Array, at: number): void;
}

/** Blocks of components that are passed by are written here. */
const nowhere = new Int16Array(64);

/**
 * Reads as many MCUs of a scan as there are into the coefficients of its components; a scan that was cut leaves the rest as
 * it is. Throws PictureRefusal.
 */
export function readScan(blocks: BlockReader, components: readonly ScanComponent[], size: ScanSize): void {
  const { mcusAcross, mcusDown, restartInterval } = size;
  const [single] = components;
  const alone = components.length === 1 && single !== undefined;
  const [across, down] = alone ? [single.width, single.height] : [mcusAcross, mcusDown];
  for (let row = 0, mcu = 0; row < down; row++) {
    for (let column = 0; column < across; column++, mcu++) {
      if (restartInterval > 0 && mcu > 0 && mcu % restartInterval === 0 && !blocks.restart()) return;
      if (blocks.ended) return;
      if (alone) readBlock(blocks, single, 0, row, column);
      else readMcu(blocks, components, row, column);
    }
  }
}

function readMcu(blocks: BlockReader, components: readonly ScanComponent[], mcuRow: number, mcuColumn: number): void {
  for (let index = 0; index < components.length; index++) {
    const component = components[index];
    if (component === undefined) continue;
    const { across, down } = component;
    for (let row = 0; row < down; row++) {
      for (let column = 0; column < across; column++) {
        readBlock(blocks, component, index, mcuRow * down + row, mcuColumn * across + column);
      }
    }
  }
}

function readBlock(blocks: BlockReader, component: ScanComponent, index: number, row: number, column: number): void {
  const { coefficients, stride } = component;
  if (coefficients === undefined) blocks.readBlock(component, index, nowhere, 0);
  else blocks.readBlock(component, index, coefficients, 64 * (row * stride + column));
}
