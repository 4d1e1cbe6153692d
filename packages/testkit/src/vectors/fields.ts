import { fromHex } from "@latchkey/mls";
import { VectorMismatch } from "./expect.ts";

/** One case of a vector file, or an object inside of one, as JSON gives it. */
export type Fields = Readonly<Record<string, unknown>>;

function wrong(name: string, expected: string): never {
  throw new VectorMismatch(`the field ${name} is not ${expected}`);
}

/** True for a JSON object: neither null nor a list. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A hex string as bytes; throws VectorMismatch, or DecodeError for what is not hex. */
export function bytesField(fields: Fields, name: string): Uint8Array {
  return fromHex(textField(fields, name));
}

/** As `bytesField`; undefined for null and for a field that is not there. */
export function optionalBytesField(fields: Fields, name: string): Uint8Array | undefined {
  return fields[name] === null || fields[name] === undefined ? undefined : bytesField(fields, name);
}

export function textField(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === "string" ? value : wrong(name, "a string");
}

/** An unsigned integer that JSON carries exactly. */
export function numberField(fields: Fields, name: string): number {
  const value = fields[name];
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : wrong(name, "a whole number");
}

export function fieldsField(fields: Fields, name: string): Fields {
  const value = fields[name];
  return isFields(value) ? value : wrong(name, "an object");
}

export function listField(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  return Array.isArray(value) ? value : wrong(name, "a list");
}

/** A list of objects. */
export function fieldsListField(fields: Fields, name: string): readonly Fields[] {
  const value = listField(fields, name);
  return value.every(isFields) ? value : wrong(name, "a list of objects");
}
