import { requireBytes } from "@latchkey/mls";

/** Picture files in which a QR code is looked for. */
export type ReadImageKind = "png" | "jpeg" | "gif" | "bmp" | "webp" | "avif" | "svg" | "pdf";

/** Kinds of files that are known by their name only. */
export type OtherImageKind = "heic" | "tiff" | "jp2" | "jxl" | "psd" | "video" | "zip";

/** Picture files that are told from each other. */
export type ImageKind = ReadImageKind | OtherImageKind;

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/** Brands of an ISO media file (ISO/IEC 14496-12, `ftyp`) whose pictures these are. */
const BRANDS: Readonly<Record<string, ImageKind>> = {
  avif: "avif",
  avis: "avif",
  heic: "heic",
  heix: "heic",
  hevc: "heic",
  hevx: "heic",
  heim: "heic",
  heis: "heic",
  mif1: "heic",
  msf1: "heic",
  "jp2 ": "jp2",
  isom: "video",
  iso2: "video",
  mp41: "video",
  mp42: "video",
  avc1: "video",
  "M4V ": "video",
  "qt  ": "video",
  "3gp4": "video",
  "3gp5": "video",
};

const SIGNATURES: readonly (readonly [ImageKind, string])[] = [
  ["png", "\x89PNG\r\n\x1a\n"],
  ["jpeg", "\xff\xd8\xff"],
  ["gif", "GIF87a"],
  ["gif", "GIF89a"],
  ["tiff", "II*\0"],
  ["tiff", "MM\0*"],
  ["jp2", "\0\0\0\x0cjP  "],
  ["jp2", "\xff\x4f\xff\x51"],
  ["jxl", "\xff\x0a"],
  ["jxl", "\0\0\0\x0cJXL "],
  ["pdf", "%PDF-"],
  ["psd", "8BPS"],
  ["video", "\x1aE\xdf\xa3"],
  ["zip", "PK\x03\x04"],
];

/** The kind of picture file that the bytes begin like; no invite payload begins like one. */
export function imageKind(bytes: Uint8Array): ImageKind | undefined {
  return kindOf(requireBytes()(bytes, "bytes"));
}

function kindOf(bytes: Uint8Array): ImageKind | undefined {
  const head = latin1(bytes, 0, 512);
  const [known] = SIGNATURES.find(([, signature]) => head.startsWith(signature)) ?? [];
  if (known !== undefined) return known;
  if (head.startsWith("RIFF") && head.slice(8, 12) === "WEBP") return "webp";
  if (head.slice(4, 8) === "ftyp") return mediaKind(bytes, head);
  // The size of the header stands behind the size of the file: text that begins with BM has other values there.
  if (head.startsWith("BM") && [12, 40, 52, 56, 64, 108, 124].includes(bytes[14] ?? 0) && bytes[15] === 0) return "bmp";
  return /^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--[^>]*-->\s*)?(?:<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]/.test(head)
    ? "svg"
    : undefined;
}

/** The first known brand: the major one, then the compatible ones. AVIF files may name the general brand first. */
function mediaKind(bytes: Uint8Array, head: string): ImageKind | undefined {
  const size = Math.min(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), head.length);
  const brands = [head.slice(8, 12)];
  for (let at = 16; at + 4 <= size; at += 4) brands.push(head.slice(at, at + 4));
  const kinds = brands.map((brand) => BRANDS[brand]).filter((kind) => kind !== undefined);
  return kinds.find((kind) => kind === "avif") ?? kinds.find((kind) => kind !== "video") ?? kinds[0];
}
