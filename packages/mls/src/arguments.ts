import { LatchkeyError } from "./errors.ts";

/**
 * Reads one argument of a public call: returns a copy that the application cannot change any more, or throws
 * ARGUMENT_INVALID with the argument's name, never with its value. `name` is how the caller knows it.
 */
export type Check<T> = (value: unknown, name: string) => T;

/** ARGUMENT_INVALID: names the argument and its expected form. */
export function argumentInvalid(name: string, expected: string, cause?: unknown): LatchkeyError {
  const options = { scope: "caller", data: { argument: name } } as const;
  const text = `\`${name}\` has to be ${expected}; nothing was done`;
  return new LatchkeyError("ARGUMENT_INVALID", text, cause === undefined ? options : { ...options, cause });
}

/** A check by a function that returns undefined for what makes no sense; getters and traps may throw anything in it. */
export function check<T>(expected: string, read: (value: unknown, name: string) => T | undefined): Check<T> {
  return (value, name) => {
    let result: T | undefined;
    try {
      result = read(value, name);
    } catch (error) {
      if (error instanceof LatchkeyError && error.code === "ARGUMENT_INVALID") throw error;
      throw argumentInvalid(name, expected, error);
    }
    if (result === undefined) throw argumentInvalid(name, expected);
    return result;
  };
}

/** A text without lone surrogates, because no encoding carries them. */
export const requireText = check("a text of whole Unicode characters", (value) =>
  typeof value === "string" && value.isWellFormed() ? value : undefined,
);

/** `true` or `false`. */
export const requireFlag = check("true or false", (value) => (typeof value === "boolean" ? value : undefined));

/** A function. */
export function requireFunction<F>(): Check<F> {
  return check("a function", (value) => (typeof value === "function" ? (value as F) : undefined));
}

/** An AbortSignal. */
export const requireSignal = check("an AbortSignal", (value) => (value instanceof AbortSignal ? value : undefined));

/** A whole number within bounds, both included. */
export function requireWholeNumber(min: number, max: number): Check<number> {
  return check(`a whole number from ${min} to ${max}`, (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= min && value <= max ? value : undefined,
  );
}

/** A bigint within bounds, both included. */
export function requireBigint(min: bigint, max: bigint, what = "a bigint"): Check<bigint> {
  return check(`${what} from ${min} to ${max}`, (value) =>
    typeof value === "bigint" && value >= min && value <= max ? value : undefined,
  );
}

/** Bytes, copied; `length` when they have to be so many. */
export function requireBytes(length?: number): Check<Uint8Array> {
  const expected = length === undefined ? "a Uint8Array" : `a Uint8Array of ${length} bytes`;
  return check(expected, (value) => {
    // Arrays of another realm, such as a test runner's, are no instances of this one's class.
    const isBytes = ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === "[object Uint8Array]";
    if (!isBytes) return undefined;
    const copy = new Uint8Array(value as Uint8Array);
    return length === undefined || copy.length === length ? copy : undefined;
  });
}

/** One of these values. */
export function requireOneOf<const T>(values: readonly T[]): Check<T> {
  const expected = values.map((value) => `\`${String(value)}\``).join(", ");
  return check(`one of ${expected}`, (value) => values.find((known) => known === value));
}

/** The first check that takes the value. */
export function requireEither<A, B>(expected: string, first: Check<A>, second: Check<B>): Check<A | B> {
  const unless = <T>(one: Check<T>, value: unknown, name: string): T | undefined => {
    try {
      return one(value, name);
    } catch {
      return undefined;
    }
  };
  return check<A | B>(expected, (value, name) => unless(first, value, name) ?? unless(second, value, name));
}

/** An array without holes of at most `max` elements, copied, each checked. */
export function requireList<T>(element: Check<T>, max: number): Check<T[]> {
  return check(`an array of at most ${max} elements`, (value, name) => {
    if (!Array.isArray(value) || value.length > max) return undefined;
    return Array.from({ length: value.length }, (_, index) => element(value[index], `${name}[${index}]`));
  });
}

/** The fields of an object: a check for each, of which `undefined` means that the field may be left out. */
type Fields<T> = { readonly [K in keyof Required<T>]: Check<Required<T>[K] | undefined> };

/** A field that may be left out, or be undefined. */
export function optional<T>(required: Check<T>): Check<T | undefined> {
  return (value, name) => (value === undefined ? undefined : required(value, name));
}

/** The name of an option that nobody knows, as far as it is one. */
function shownName(name: string): string {
  return /^\w{1,64}$/.test(name) ? name : "that option";
}

/** An object with these fields and no other: a misspelt option would otherwise do nothing. It is copied. */
export function requireFields<T extends object>(fields: Fields<T>): Check<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  const expected = `an object${names.length === 0 ? "" : ` with ${names.map((name) => `\`${name}\``).join(", ")}`}`;
  return check(expected, (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const unknown = Object.keys(value).find((name) => !Object.hasOwn(fields, name));
    if (unknown !== undefined)
      throw argumentInvalid(shownName(unknown), `left out, it is not one of ${names.join(", ")}`);
    const entries = names.map((name) => [name, fields[name]((value as Record<string, unknown>)[name], name)]);
    return Object.fromEntries(entries.filter(([, field]) => field !== undefined)) as T;
  });
}

/** An object with these methods, as it is: a part that the application supplies. */
export function requireMethods<T extends object>(...methods: readonly (keyof T & string)[]): Check<T> {
  return check(`an object with the methods ${methods.join(", ")}`, (value) => {
    const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
    const has = (name: string) => typeof (value as Record<string, unknown>)[name] === "function";
    return isObject && methods.every(has) ? (value as T) : undefined;
  });
}
