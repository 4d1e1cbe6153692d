import { ArithmeticBlocks, ArithmeticConditioning } from "./jpeg-arithmetic-blocks.ts";
import { HuffmanBlocks } from "./jpeg-huffman-blocks.ts";
import { JpegHuffman } from "./jpeg-huffman.ts";
import { writeBlock, ZIGZAG, type BlockSide } from "./jpeg-idct.ts";
import { readScan, type ScanComponent, type ScanRange } from "./jpeg-scan.ts";
import {
  APP14,
  DAC,
  DHT,
  DQT,
  DRI,
  SOS,
  uint16,
  walkJpeg,
  type JpegComponent,
  type JpegFrame,
  type JpegSegment,
} from "./jpeg-segments.ts";
import { LumaCanvas, SMALL_PIXELS, type Luma, type Picture } from "./luma.ts";
import { damaged, tooLarge } from "./refusal.ts";

/** Blocks that all scans of a picture may walk over: sixteen scans of one with 64 megapixels. */
const MAX_BLOCK_VISITS = 16_000_000;

/**
 * Reads the brightness of a JPEG file, sequential or progressive; colours are not decoded. Takes two bytes for each pixel.
 * A large picture comes small first, which takes half of the time. A file that was cut is read as far as it goes. Throws
 * PictureRefusal.
 */
export function* readJpeg(bytes: Uint8Array): Generator<Picture> {
  const { frame, segments } = walkJpeg(bytes);
  const decoder = new JpegDecoder(frame, brightComponent(frame, segments));
  for (const segment of segments) decoder.apply(segment);
  const { width, height } = frame;
  const small = width * height > 4 * SMALL_PIXELS ? 2 : 4;
  if (width * height > SMALL_PIXELS) yield { luma: decoder.toLuma(small), transparent: false, small: true };
  yield { luma: decoder.toLuma(8), transparent: false, small: false };
}

/** The component that shows a code best: Y of YCbCr, G of RGB, K of CMYK. */
function brightComponent({ components }: JpegFrame, segments: readonly JpegSegment[]): number {
  if (components.length !== 3) return components.length - 1;
  const adobe = segments.find(({ code, content }) => code === APP14 && content.length >= 12);
  const namedRgb = components.every(({ id }, index) => id === "RGB".charCodeAt(index));
  return adobe?.content[11] === 0 || (adobe === undefined && namedRgb) ? 1 : 0;
}

class JpegDecoder {
  readonly #frame: JpegFrame;
  readonly #components: readonly Omit<ScanComponent, "dc" | "ac" | "dcTable" | "acTable">[];
  readonly #conditioning = new ArithmeticConditioning();
  readonly #bright: number;
  readonly #mcusAcross: number;
  readonly #mcusDown: number;
  readonly #quantization: (Uint16Array | undefined)[] = [];
  readonly #tables = new Map<number, JpegHuffman>();
  #restartInterval = 0;
  #visits = 0;

  constructor(frame: JpegFrame, bright: number) {
    this.#frame = frame;
    this.#bright = bright;
    const maxAcross = Math.max(...frame.components.map(({ across }) => across));
    const maxDown = Math.max(...frame.components.map(({ down }) => down));
    this.#mcusAcross = Math.ceil(frame.width / (8 * maxAcross));
    this.#mcusDown = Math.ceil(frame.height / (8 * maxDown));
    this.#components = frame.components.map(({ across, down }, index) => {
      const stride = this.#mcusAcross * across;
      return {
        across,
        down,
        width: Math.ceil((frame.width * across) / (8 * maxAcross)),
        height: Math.ceil((frame.height * down) / (8 * maxDown)),
        stride,
        coefficients: index === bright ? new Int16Array(64 * stride * this.#mcusDown * down) : undefined,
      };
    });
  }

  apply({ code, content, data }: JpegSegment): void {
    if (code === DQT) this.#readQuantization(content);
    if (code === DHT) this.#readHuffman(content);
    if (code === DAC) this.#conditioning.apply(content);
    if (code === DRI) this.#restartInterval = uint16(content, 0);
    if (code === SOS) this.#readScan(content, data);
  }

  #readQuantization(content: Uint8Array): void {
    for (let at = 0; at < content.length;) {
      const [wide, id] = [(content[at] ?? 0) >> 4 > 0, (content[at] ?? 0) & 3];
      const table = new Uint16Array(64);
      at++;
      for (const place of ZIGZAG) {
        table[place] = wide ? uint16(content, at) : (content[at] ?? 0);
        at += wide ? 2 : 1;
      }
      this.#quantization[id] = table;
    }
  }

  #readHuffman(content: Uint8Array): void {
    for (let at = 0; at + 17 <= content.length;) {
      const counts = content.subarray(at + 1, at + 17);
      const total = counts.reduce((sum, count) => sum + count, 0);
      if (total > 256) throw damaged("JPEG");
      this.#tables.set(content[at] ?? 0, new JpegHuffman(counts, content.subarray(at + 17, at + 17 + total)));
      at += 17 + total;
    }
  }

  #readScan(content: Uint8Array, data: Uint8Array): void {
    const count = content[0] ?? 0;
    const components: ScanComponent[] = [];
    for (let index = 0; index < count; index++) {
      const [id, tables] = [content[1 + 2 * index], content[2 + 2 * index] ?? 0];
      const component = this.#components[this.#frame.components.findIndex((each) => each.id === id)];
      if (component === undefined) throw damaged("JPEG");
      const [dcTable, acTable] = [(tables >> 4) & 3, tables & 3];
      const [dc, ac] = [this.#tables.get(dcTable), this.#tables.get(0x10 | acTable)];
      components.push({ ...component, dc, ac, dcTable, acTable });
    }
    const range = readRange(content.subarray(1 + 2 * count), this.#frame.progressive, count);
    if (components.every(({ coefficients }) => coefficients === undefined)) return;
    this.#countVisits(components);
    const blocks = this.#frame.arithmetic
      ? new ArithmeticBlocks(data, components.length, range, this.#conditioning)
      : new HuffmanBlocks(data, components.length, range);
    readScan(blocks, components, {
      mcusAcross: this.#mcusAcross,
      mcusDown: this.#mcusDown,
      restartInterval: this.#restartInterval,
    });
  }

  #countVisits(components: readonly ScanComponent[]): void {
    const blocks = components.reduce((sum, { across, down }) => sum + across * down, 0);
    this.#visits += blocks * this.#mcusAcross * this.#mcusDown;
    if (this.#visits > MAX_BLOCK_VISITS) throw tooLarge("the JPEG picture has too many layers for its size");
  }

  /** The picture with so many pixels for each eight of the file. */
  toLuma(side: BlockSide): Luma {
    const component = this.#components[this.#bright];
    const { quantization: table } = this.#frame.components[this.#bright] ?? { quantization: 0 };
    const quantization = this.#quantization[table];
    if (component?.coefficients === undefined || quantization === undefined) throw damaged("JPEG");
    const { coefficients, stride, height } = component;
    const [pixelsAcross, pixelsDown] = pixelSize(this.#frame, this.#bright, side);
    const canvas = new LumaCanvas(pixelsAcross, pixelsDown);
    const rows = { bytes: new Uint8Array(side * side * stride), stride: side * stride };
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < stride; column++) {
        writeBlock(coefficients, 64 * (row * stride + column), quantization, rows, side * column, side);
      }
      for (let line = 0; line < Math.min(side, pixelsDown - side * row); line++) {
        const start = rows.stride * line;
        canvas.addPixels(rows.bytes.subarray(start, start + pixelsAcross), 0, 1, side * row + line);
      }
    }
    return canvas.toLuma();
  }
}

/** Pixels of a component, which may be sampled less often than others, when each block has so many on a side. */
function pixelSize({ width, height, components }: JpegFrame, index: number, side: BlockSide): [number, number] {
  const share = (of: keyof Pick<JpegComponent, "across" | "down">) =>
    ((components[index]?.[of] ?? 1) * side) / (8 * Math.max(...components.map((component) => component[of])));
  return [Math.ceil(width * share("across")), Math.ceil(height * share("down"))];
}

function readRange(content: Uint8Array, progressive: boolean, count: number): ScanRange {
  const [first = 0, last = 63, approximation = 0] = content;
  if (!progressive) return { progressive, first: 0, last: 63, high: 0, low: 0 };
  const range = { progressive, first, last, high: approximation >> 4, low: approximation & 15 };
  const sound = first === 0 ? last === 0 : count === 1 && first <= last && last <= 63;
  if (!sound || range.low > 13 || count < 1 || count > 4) throw damaged("JPEG");
  return range;
}
