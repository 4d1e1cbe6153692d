import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { invalidRequest, requireAtMost } from "../errors.ts";

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** Deepest nesting of messages; the requests of both services have at most 7 levels. */
const MAX_DEPTH = 16;

/** Bytes of the longest varint of 64 bits, and of the longest tag or length. */
const VARINT_BYTES = 10;
const LENGTH_BYTES = 5;

/** How one field must look on the wire. */
interface FieldShape {
  readonly wireType: number;
  /** Wire type of the elements where a list may be packed. */
  readonly packed?: number;
  /** The schema of a nested message. */
  readonly message?: DescMessage;
}

const shapes = new WeakMap<DescMessage, ReadonlyMap<number, FieldShape>>();

/**
 * Counts the fields of a serialized message, nested ones included, before anything is decoded: each costs the decoder
 * an object at most, so the count bounds time and memory.
 * @throws NodeError `REQUEST_TOO_LARGE` when there are more than `limit`, `REQUEST_INVALID` for bytes that are no message
 */
export function scanProtobuf(schema: DescMessage, bytes: Uint8Array, limit: number): void {
  new Scan(bytes, limit).message(schema, bytes.length, 0);
}

class Scan {
  readonly #bytes: Uint8Array;
  readonly #limit: number;
  #at = 0;
  #fields = 0;

  constructor(bytes: Uint8Array, limit: number) {
    this.#bytes = bytes;
    this.#limit = limit;
  }

  message(schema: DescMessage, end: number, depth: number): void {
    if (depth > MAX_DEPTH) throw malformed();
    const known = shapesOf(schema);
    while (this.#at < end) {
      this.#count(1);
      const tag = this.#number(end);
      const number = Math.floor(tag / 8);
      const wireType = tag % 8;
      if (number === 0) throw malformed();
      this.#field(known.get(number), wireType, end, depth);
    }
  }

  /** A known field of another wire type is refused: the decoder would read it by the schema and see other fields. */
  #field(shape: FieldShape | undefined, wireType: number, end: number, depth: number): void {
    const packed = shape?.packed !== undefined && wireType === DELIMITED;
    if (shape !== undefined && shape.wireType !== wireType && !packed) throw malformed();
    if (wireType !== DELIMITED) {
      this.#scalar(wireType, end);
      return;
    }
    const length = this.#number(end);
    const stop = this.#at + length;
    if (stop > end) throw malformed();
    if (shape?.message !== undefined) this.message(shape.message, stop, depth + 1);
    else if (packed) while (this.#at < stop) this.#element(shape.packed, stop);
    else this.#at = stop;
  }

  #element(wireType: number, end: number): void {
    this.#count(1);
    this.#scalar(wireType, end);
  }

  #scalar(wireType: number, end: number): void {
    if (wireType === VARINT) this.#skipVarint(end);
    else if (wireType === FIXED64) this.#skip(8, end);
    else if (wireType === FIXED32) this.#skip(4, end);
    else throw malformed(); // Groups: no schema of proto3 has them.
  }

  #count(fields: number): void {
    this.#fields += fields;
    if (this.#fields > this.#limit) requireAtMost("the request", this.#fields, this.#limit, "fields");
  }

  #skip(length: number, end: number): void {
    this.#at += length;
    if (this.#at > end) throw malformed();
  }

  #skipVarint(end: number): void {
    for (let length = 1; length <= VARINT_BYTES && this.#at < end; length++) {
      if ((this.#bytes[this.#at++] ?? 0) < 0x80) return;
    }
    throw malformed();
  }

  /** A tag or a length: at most 32 bits. */
  #number(end: number): number {
    let value = 0;
    for (let length = 0; length < LENGTH_BYTES && this.#at < end; length++) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * 2 ** (7 * length);
      if (byte < 0x80) {
        if (value >= 2 ** 32) break;
        return value;
      }
    }
    throw malformed();
  }
}

function malformed() {
  return invalidRequest("the request is no message of its method");
}

function shapesOf(schema: DescMessage): ReadonlyMap<number, FieldShape> {
  let known = shapes.get(schema);
  if (known === undefined) {
    known = new Map(schema.fields.map((field) => [field.number, shapeOf(field)]));
    shapes.set(schema, known);
  }
  return known;
}

function shapeOf(field: DescField): FieldShape {
  switch (field.fieldKind) {
    case "message":
      return { wireType: DELIMITED, message: field.message };
    case "enum":
      return { wireType: VARINT };
    case "scalar":
      return { wireType: wireTypeOf(field.scalar) };
    case "list":
      if (field.listKind === "message") return { wireType: DELIMITED, message: field.message };
      return listShape(field.listKind === "enum" ? VARINT : wireTypeOf(field.scalar));
    case "map":
      throw new Error(`${field.name} is a map, which no request of the node has`);
  }
}

function listShape(wireType: number): FieldShape {
  return wireType === DELIMITED ? { wireType } : { wireType, packed: wireType };
}

function wireTypeOf(scalar: ScalarType): number {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return DELIMITED;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return FIXED64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return FIXED32;
    default:
      return VARINT;
  }
}
