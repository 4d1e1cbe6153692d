import { DecodeError } from "../errors.ts";

/** Largest value of the variable-length integer of RFC 9420 §2.1.2. */
export const MAX_VARINT = 2 ** 30 - 1;

/** Number of bytes the value takes: 1, 2 or 4. */
export function varintLength(value: number): 1 | 2 | 4 {
  if (!Number.isInteger(value) || value < 0 || value > MAX_VARINT) {
    throw new DecodeError(`a vector of ${value} bytes cannot be encoded; the limit is ${MAX_VARINT}`);
  }
  return value < 64 ? 1 : value < 16_384 ? 2 : 4;
}
