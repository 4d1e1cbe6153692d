import { codeOf } from "../errors.ts";

/** Whether two values are the same: bytes by content, rows and lists by theirs, everything else by identity. */
function isSame(actual: unknown, expected: unknown): boolean {
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) {
    return Object.is(actual, expected);
  }
  if (actual instanceof Uint8Array !== expected instanceof Uint8Array) return false;
  if (Array.isArray(actual) !== Array.isArray(expected)) return false;
  const [left, right] = [actual as Record<string, unknown>, expected as Record<string, unknown>];
  const names = Object.keys(right);
  return (
    Object.keys(left).length === names.length &&
    names.every((name) => Object.hasOwn(left, name) && isSame(left[name], right[name]))
  );
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === "bigint") return `${part}n`;
    return part instanceof Uint8Array ? `bytes ${Array.from(part.subarray(0, 40)).join(" ")}` : part;
  }) as string | undefined;
  return (text ?? String(value)).slice(0, 500);
}

/** Throws unless both are the same, down to the bytes of rows; runs in Node and in browsers. */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  if (!isSame(actual, expected)) throw new Error(`${what}: expected ${shown(expected)}, got ${shown(actual)}`);
}

/** Throws unless the condition holds. */
export function expectTrue(condition: boolean, what: string): void {
  if (!condition) throw new Error(`${what}: does not hold`);
}

/** Runs what has to throw and returns what it threw. */
export function thrownBy(action: () => unknown, what: string): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error(`${what}: nothing was thrown`);
}

/** Throws unless `action` throws an error of the family with this code, and with these fields where they are given. */
export function expectCode(
  action: () => unknown,
  code: string,
  what: string,
  fields: { readonly scope?: string; readonly retryable?: boolean } = {},
): void {
  const error = thrownBy(action, what);
  expectEqual(codeOf(error) ?? String(error), code, what);
  const thrown = error as Record<string, unknown>;
  for (const [name, value] of Object.entries(fields)) expectEqual(thrown[name], value, `${what}, ${name}`);
}
