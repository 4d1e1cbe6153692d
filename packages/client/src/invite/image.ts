/** Image files that are searched for a QR code. */
export type ImageKind = "png" | "jpeg";

const SIGNATURES: readonly (readonly [ImageKind, readonly number[]])[] = [
  ["png", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["jpeg", [0xff, 0xd8, 0xff]],
];

/** Which image file the bytes begin like; no invite payload and no text begins like one. */
export function imageKind(bytes: Uint8Array): ImageKind | undefined {
  return SIGNATURES.find(([, signature]) => signature.every((value, index) => bytes[index] === value))?.[0];
}
