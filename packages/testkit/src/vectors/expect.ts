import { type CipherSuite, equalBytes, LatchkeyError, type SignatureCheck } from "@latchkey/mls";

/** The engine computed something other than the vector states (code `VECTOR_MISMATCH`). */
export class VectorMismatch extends LatchkeyError {
  constructor(message: string) {
    super("VECTOR_MISMATCH", message);
  }
}

/** Throws VectorMismatch unless the condition, worded as a fact, holds. */
export function expectTrue(fact: string, condition: boolean): void {
  if (!condition) throw new VectorMismatch(`expected that ${fact}`);
}

/** Throws VectorMismatch unless both are the same number, string or undefined. */
export function expectSame<T extends number | string | undefined>(name: string, actual: T, stated: T): void {
  if (actual !== stated) throw new VectorMismatch(`${name} is ${String(actual)}; the vector states ${String(stated)}`);
}

/** Throws VectorMismatch, naming the first byte that differs, unless the bytes are equal. */
export function expectBytes(name: string, actual: Uint8Array | undefined, stated: Uint8Array): void {
  if (actual === undefined) throw new VectorMismatch(`${name} is absent`);
  if (equalBytes(actual, stated)) return;
  const at = stated.findIndex((byte, index) => byte !== actual[index]);
  const where = at === -1 ? stated.length : at;
  throw new VectorMismatch(
    `${name} differs from byte ${where} on (${actual.length} bytes computed, ${stated.length} stated)`,
  );
}

/** Throws VectorMismatch unless the signature is good. */
export async function expectSignature(name: string, suite: CipherSuite, check: SignatureCheck): Promise<void> {
  expectTrue(`the signature of ${name} is valid`, await suite.verify(check));
}
