import { CLIENT_LIMITS } from "../../limits.ts";
import { checkSize } from "./picture-size.ts";
import { damaged, PictureRefusal, tooLarge } from "./refusal.ts";

/** A component of a frame: how often it is sampled, and its quantization table. */
export interface JpegComponent {
  readonly id: number;
  readonly across: number;
  readonly down: number;
  readonly quantization: number;
}

/** The frame header of a JPEG file (ITU-T T.81, B.2.2). */
export interface JpegFrame {
  readonly progressive: boolean;
  /** Whether it is coded with arithmetic codes, not Huffman's. */
  readonly arithmetic: boolean;
  readonly width: number;
  readonly height: number;
  readonly components: readonly JpegComponent[];
}

/** A marker segment: its code and contents, and for a scan its coded data. */
export interface JpegSegment {
  readonly code: number;
  readonly content: Uint8Array;
  readonly data: Uint8Array;
}

/** A JPEG file whose structure was checked. */
export interface JpegParts {
  readonly frame: JpegFrame;
  /** The segments up to the end of the first picture, without the frame. */
  readonly segments: readonly JpegSegment[];
}

export const DHT = 0xc4;
export const DAC = 0xcc;
export const SOS = 0xda;
export const DQT = 0xdb;
export const DRI = 0xdd;
export const APP14 = 0xee;
const EOI = 0xd9;

/** Start of frame: all of C0 to CF but DHT, JPG and DAC. */
const FRAMES: ReadonlySet<number> = new Set([
  0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf,
]);
/** Frames that are read: sequential and progressive, with Huffman codes and with arithmetic ones. */
const READ_FRAMES: ReadonlySet<number> = new Set([0xc0, 0xc1, 0xc2, 0xc9, 0xca]);
const PROGRESSIVE: ReadonlySet<number> = new Set([0xc2, 0xca]);
const FIRST_ARITHMETIC = 0xc9;

/** Segments of a file: cameras write some dozens, profiles and thumbnails make some hundreds. */
const MAX_SEGMENTS = 4_096;

/**
 * Walks the segments of a JPEG file and checks them, before anything is decoded: one frame of a kind that is read, its sides
 * and pixels within `CLIENT_LIMITS`, then at most `maxJpegScans` scans. What stands behind the first picture of the file is
 * not looked at; a file that was cut ends with its last scan. Throws PictureRefusal.
 */
export function walkJpeg(bytes: Uint8Array): JpegParts {
  let frame: JpegFrame | undefined;
  const segments: JpegSegment[] = [];
  let scans = 0;
  for (let at = nextMarker(bytes, 2); at !== undefined;) {
    const code = bytes[at] ?? 0;
    if (code === EOI) break;
    const length = uint16(bytes, at + 1);
    const content = bytes.subarray(at + 3, at + 1 + length);
    const next = nextMarker(bytes, at + 1 + length);
    if (length < 2 || segments.length >= MAX_SEGMENTS) throw damaged("JPEG");
    if (FRAMES.has(code)) {
      if (frame !== undefined) throw damaged("JPEG");
      frame = readFrame(code, content);
    } else {
      if (code === SOS) checkScan(frame, ++scans);
      segments.push({
        code,
        content,
        data: bytes.subarray(at + 1 + length, next === undefined ? bytes.length : next - 1),
      });
    }
    at = next;
  }
  if (frame === undefined || scans === 0) throw damaged("JPEG");
  return { frame, segments };
}

/** Where the code of the next marker stands, behind FF; fill bytes, stuffed zeros and restarts are passed by. */
function nextMarker(bytes: Uint8Array, from: number): number | undefined {
  for (let at = bytes.indexOf(0xff, from); at >= 0 && at + 1 < bytes.length; at = bytes.indexOf(0xff, at + 1)) {
    const code = bytes[at + 1] ?? 0;
    if (code > 0x01 && code !== 0xff && !(code >= 0xd0 && code <= 0xd8)) return at + 1;
  }
  return undefined;
}

/** Two bytes as a number, the high one first; 0 for those that are not there. */
export function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
}

function readFrame(code: number, content: Uint8Array): JpegFrame {
  if (!READ_FRAMES.has(code)) {
    throw new PictureRefusal("the JPEG picture is of a kind that hardly any program writes; make a screenshot of it");
  }
  const [height, width, count] = [uint16(content, 1), uint16(content, 3), content[5] ?? 0];
  if (content[0] !== 8 || (count !== 1 && count !== 3 && count !== 4)) throw damaged("JPEG");
  checkSize(width, height);
  const components: JpegComponent[] = [];
  for (let at = 6; at < 6 + 3 * count; at += 3) {
    const sampling = content[at + 1] ?? 0;
    const component = {
      id: content[at] ?? 0,
      across: sampling >> 4,
      down: sampling & 15,
      quantization: content[at + 2] ?? 0,
    };
    const { across, down, quantization } = component;
    if (across < 1 || across > 4 || down < 1 || down > 4 || quantization > 3) throw damaged("JPEG");
    components.push(component);
  }
  return { progressive: PROGRESSIVE.has(code), arithmetic: code >= FIRST_ARITHMETIC, width, height, components };
}

/** Each scan of a progressive picture may walk over all of it, however few bytes it has. */
function checkScan(frame: JpegFrame | undefined, scans: number): void {
  if (frame === undefined) throw damaged("JPEG");
  const { maxJpegScans } = CLIENT_LIMITS;
  if (scans > maxJpegScans) {
    throw tooLarge(`the JPEG picture has more than ${maxJpegScans} layers, which no camera writes`);
  }
}
