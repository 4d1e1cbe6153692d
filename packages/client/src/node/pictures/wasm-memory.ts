import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Section of a WebAssembly module that declares its memory (core specification, 5.5.8). */
const MEMORY_SECTION = 5;
const PAGE_BYTES = 65_536;

/**
 * Reads a WebAssembly file of a package and lowers the memory that it declares at most. The engine then refuses to grow it
 * further, whatever a picture asks the decoder to allocate.
 */
export function wasmWithin(specifier: string, maxBytes: number): Uint8Array<ArrayBuffer> {
  const module = new Uint8Array(readFileSync(fileURLToPath(import.meta.resolve(specifier))));
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < module.length) {
    const section = module[at++];
    const end = number() + at;
    if (section === MEMORY_SECTION) {
      // One memory, with a flag that it has a maximum, and its minimum.
      number();
      if (number() !== 1) break;
      number();
      lower(module.subarray(at, end), Math.floor(maxBytes / PAGE_BYTES));
      return module;
    }
    at = end;
  }
  throw new Error(`${specifier} does not declare the maximum of its memory`);
}

/** Writes a number in as many bytes as are there (LEB128, padded). */
function lower(bytes: Uint8Array, pages: number): void {
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = ((pages >> (7 * index)) & 0x7f) | (index < bytes.length - 1 ? 0x80 : 0);
  }
}
