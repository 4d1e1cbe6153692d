import type { LatchkeyError } from "@latchkey/mls";
import { clientError } from "../errors.ts";

const SMALLEST = -(2n ** 63n);
const LARGEST = 2n ** 63n - 1n;

function misuse(text: string): LatchkeyError {
  return clientError("STORE_FAILED", text, { scope: "defect" });
}

/** STORE_FAILED for a row that is written or deleted outside of a transaction. */
export function outsideOfTransaction(): LatchkeyError {
  return misuse("a row was written outside of a transaction; use the tables inside of `transaction` only");
}

/** STORE_FAILED for a transaction inside of another one. */
export function nestedTransaction(): LatchkeyError {
  return misuse("a transaction was begun inside another one; use the tables of the outer one");
}

/** Throws STORE_FAILED for an integer that needs more than 64 bits with its sign. */
export function refuseLarge(value: bigint): void {
  if (value >= SMALLEST && value <= LARGEST) return;
  throw misuse("the integer of a row needs more than 64 bits; it has to lie between -2^63 and 2^63 - 1");
}

/** CLIENT_CLOSED, for every call behind `close`. */
export function storeClosed(cause?: Error): LatchkeyError {
  return clientError("CLIENT_CLOSED", "the client is closed; create it again", cause === undefined ? {} : { cause });
}
