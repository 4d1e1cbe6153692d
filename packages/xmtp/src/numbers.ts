import { DecodeError } from "@latchkey/mls";
import { XMTP_LIMITS } from "./limits.ts";

/** Throws DecodeError with a rule for an id or a time that others wrote and that does not fit 63 bits. */
export function requireInt64(value: bigint, rule: string, what: string): void {
  if (value <= XMTP_LIMITS.maxInt64) return;
  throw new DecodeError(`${what} is ${value}; ids and times are below 2^63`, { rule });
}

/** A time that others wrote, or the sum of two, brought down to the latest one that databases keep. */
export function saturatedNs(ns: bigint): bigint {
  return ns < XMTP_LIMITS.maxInt64 ? ns : XMTP_LIMITS.maxInt64;
}
