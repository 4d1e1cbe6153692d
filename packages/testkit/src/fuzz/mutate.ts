import { concatBytes } from "@latchkey/mls";
import type { SeededRandom } from "../random.ts";

/** Integers at which sizes, indices and signs go wrong. */
export const EDGES = [0, 1, 2, 63, 64, 255, 256, 16383, 16384, 65535, 2 ** 17, 2 ** 30 - 1, 2 ** 30, 2 ** 31 - 1];
const HIGH_EDGES = [2 ** 31, 2 ** 31 + 1, 2 ** 32 - 2, 2 ** 32 - 1];
const WIDE_EDGES = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
/** First bytes that are at the borders of a varint's forms, or small enumeration values. */
const EDGE_BYTES = [0, 1, 2, 3, 4, 5, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff];
const LONGEST_INSERTION = 600;

function withBytesAt(bytes: Uint8Array, at: number, written: Uint8Array, replaced = written.length): Uint8Array {
  return concatBytes(bytes.subarray(0, at), written, bytes.subarray(Math.min(bytes.length, at + replaced)));
}

function unsigned(value: number, length: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes.slice(8 - length);
}

function varint(value: number): Uint8Array {
  if (value < 0x40) return Uint8Array.of(value);
  if (value < 0x4000) return unsigned(value + 0x4000, 2);
  return unsigned(value + 2 ** 31, 4);
}

type Mutation = (bytes: Uint8Array, random: SeededRandom, other: Uint8Array) => Uint8Array;

/** Blind damage: what a line, a disk or somebody without a key does to a message. */
const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "flip a bit": (bytes, random) => {
    const copy = bytes.slice();
    const at = random.int(copy.length);
    if (copy.length > 0) copy[at] = (copy[at] ?? 0) ^ (1 << random.int(8));
    return copy;
  },
  "set a byte": (bytes, random) =>
    withBytesAt(
      bytes,
      random.int(bytes.length),
      Uint8Array.of(random.chance(0.5) ? random.int(256) : random.pick(EDGE_BYTES)),
    ),
  truncate: (bytes, random) => bytes.slice(0, random.int(bytes.length)),
  "cut out": (bytes, random) => withBytesAt(bytes, random.int(bytes.length), new Uint8Array(0), 1 + random.int(40)),
  insert: (bytes, random) =>
    withBytesAt(
      bytes,
      random.int(bytes.length + 1),
      new Uint8Array(random.int(LONGEST_INSERTION)).fill(random.int(256)),
      0,
    ),
  repeat: (bytes, random) => {
    const from = random.int(bytes.length);
    return withBytesAt(bytes, from, bytes.slice(from, from + random.int(200)), 0);
  },
  splice: (bytes, random, other) =>
    concatBytes(bytes.subarray(0, random.int(bytes.length + 1)), other.subarray(random.int(other.length + 1))),
  "edge integer": (bytes, random) => {
    const length = random.pick([2, 4, 8]);
    const value = random.pick([...EDGES, ...HIGH_EDGES]) % 2 ** (8 * Math.min(length, 6));
    return withBytesAt(bytes, random.int(bytes.length), unsigned(value, length));
  },
  "edge length": (bytes, random) => {
    const value = random.pick([bytes.length, bytes.length - 1, ...EDGES.filter((edge) => edge < 2 ** 30)]);
    return withBytesAt(bytes, random.int(bytes.length), varint(value), 1);
  },
};

const NAMES = Object.keys(MUTATIONS);

/** One to three kinds of damage, and their names; `other` is the message that pieces are taken from. */
export function mutateBytes(
  bytes: Uint8Array,
  random: SeededRandom,
  other: Uint8Array,
): { readonly bytes: Uint8Array; readonly how: string } {
  const names: string[] = [];
  let mutated = bytes;
  for (let left = 1 + random.int(3); left > 0; left--) {
    const name = random.pick(NAMES);
    names.push(name);
    mutated = MUTATIONS[name]?.(mutated, random, other) ?? mutated;
  }
  return { bytes: mutated, how: names.join(", ") };
}

interface Place {
  readonly path: string;
  readonly value: unknown;
  readonly put: (value: unknown) => void;
}

/** A copy of a decoded value down to its bytes, and every place in it where something can be put. */
function copyWithPlaces(value: unknown, path: string, put: Place["put"], places: Place[]): unknown {
  let copy: unknown = value;
  if (value instanceof Uint8Array) copy = value.slice();
  else if (Array.isArray(value)) {
    const items: unknown[] = [];
    value.forEach((item: unknown, index) => {
      items.push(copyWithPlaces(item, `${path}[${index}]`, (other) => (items[index] = other), places));
    });
    copy = items;
  } else if (typeof value === "object" && value !== null) {
    const fields: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(value)) {
      fields[name] = copyWithPlaces(field, `${path}.${name}`, (other) => (fields[name] = other), places);
    }
    copy = fields;
  }
  const isMutable = Array.isArray(copy) || copy instanceof Uint8Array || ["number", "bigint"].includes(typeof copy);
  if (isMutable) places.push({ path, value: copy, put });
  return copy;
}

function otherList(list: readonly unknown[], random: SeededRandom): unknown[] {
  const at = random.int(list.length);
  switch (random.int(5)) {
    case 0:
      return list.filter((_, index) => index !== at);
    case 1:
      return [...list, ...list.slice(at, at + 1)];
    case 2:
      return random.shuffle(list);
    case 3:
      return [];
    default:
      return Array.from({ length: 300 }, () => list[at]).filter((item) => item !== undefined);
  }
}

function otherValue(value: unknown, random: SeededRandom): unknown {
  if (typeof value === "number") return random.chance(0.3) ? value + 1 : random.pick([...EDGES, ...HIGH_EDGES]);
  if (typeof value === "bigint") return random.chance(0.3) ? value + 1n : random.pick(WIDE_EDGES);
  if (Array.isArray(value)) return otherList(value, random);
  if (!(value instanceof Uint8Array)) return value;
  if (random.chance(0.2)) return new Uint8Array(random.pick([0, 1, 31, 33, 64, 65, 1000, 20_000]));
  return mutateBytes(value, random, value).bytes;
}

/**
 * A copy of a decoded value with one to three of its numbers, lists or byte strings replaced: what somebody with a key
 * can send, every length of it right.
 */
export function mutateValue<T>(value: T, random: SeededRandom): { readonly value: T; readonly how: string } {
  const places: Place[] = [];
  let copy: unknown;
  copy = copyWithPlaces(value, "", (other) => (copy = other), places);
  const hows: string[] = [];
  for (let left = 1 + random.int(3); left > 0 && places.length > 0; left--) {
    const { path, value: before, put } = random.pick(places);
    hows.push(path);
    put(otherValue(before, random));
  }
  return { value: copy as T, how: hows.join(", ") };
}
