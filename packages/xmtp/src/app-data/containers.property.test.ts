import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError, LatchkeyError } from "@latchkey/mls";
import fc from "fast-check";
import { decodeInvitePayload } from "../invite/payload.ts";
import { peekBlob } from "../invite/blob.ts";
import { BYTES_KEY, COMPONENT_ID_KEY, INBOX_ID_KEY, type KeyCodec } from "./keys.ts";
import { decodeMembershipEntry } from "./membership.ts";
import { applyMapDelta, decodeMapDelta, decodeTlsMap, encodeMapDelta, encodeTlsMap } from "./tls-map.ts";
import { applySetDelta, decodeSetDelta, decodeTlsSet, encodeSetDelta, encodeTlsSet } from "./tls-set.ts";

const seed = Number(process.env["LATCHKEY_SEED"] ?? 20_251_123);
console.log(`property seed ${seed} (LATCHKEY_SEED)`);

function check<T>(property: fc.IProperty<T>): void {
  fc.assert(property, { seed, numRuns: 200 });
}

const bytes = fc.uint8Array({ maxLength: 40 });
const inboxId = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((id) => Buffer.from(id).toString("hex"));
const componentId = fc.integer({ min: 0, max: 0xffff });

function mapLaws<K extends string | number>(codec: KeyCodec<K>, key: fc.Arbitrary<K>): void {
  const map = fc.array(fc.tuple(key, bytes), { maxLength: 12 }).map((entries) => new Map(entries));
  check(
    fc.property(map, (entries) => {
      const encoded = encodeTlsMap(codec, entries);
      const decoded = decodeTlsMap(codec, encoded);
      assert.deepEqual(new Map([...decoded].sort()), new Map([...entries].sort()));
      assert.deepEqual(encodeTlsMap(codec, decoded), encoded);
    }),
  );
  check(
    fc.property(map, map, (before, after) => {
      const delta = [
        ...[...before.keys()].map((gone) => ({ op: "delete" as const, key: gone })),
        ...[...after].map(([added, value]) => ({ op: "insert" as const, key: added, value })),
      ];
      const read = decodeMapDelta(codec, encodeMapDelta(codec, delta));
      assert.deepEqual(read, delta);
      const component = encodeTlsMap(codec, before);
      const expected = encodeTlsMap(codec, after);
      assert.deepEqual(applyMapDelta(codec, component, read), expected);
      // The same from bytes that were never seen before, and once more from the outcome.
      const applied = applyMapDelta(codec, component.slice(), read);
      assert.deepEqual(applied, expected);
      assert.deepEqual(decodeTlsMap(codec, applied), decodeTlsMap(codec, applied.slice()));
    }),
  );
}

test("maps: decode after encode is the identity, encodings are canonical, deltas lead where they say", () => {
  mapLaws(INBOX_ID_KEY, inboxId);
  mapLaws(COMPONENT_ID_KEY, componentId);
  mapLaws(
    BYTES_KEY,
    fc.uint8Array({ maxLength: 5 }).map((key) => Buffer.from(key).toString("hex")),
  );
});

test("sets: decode after encode is the identity, encodings are canonical, deltas lead where they say", () => {
  const set = fc.array(inboxId, { maxLength: 12 }).map((keys) => new Set(keys));
  check(
    fc.property(set, set, (before, after) => {
      const encoded = encodeTlsSet(INBOX_ID_KEY, before);
      assert.deepEqual(encodeTlsSet(INBOX_ID_KEY, decodeTlsSet(INBOX_ID_KEY, encoded)), encoded);
      assert.deepEqual([...decodeTlsSet(INBOX_ID_KEY, encoded)], [...before].sort());
      const delta = [
        ...[...before].map((key) => ({ op: "remove" as const, key })),
        ...[...after].map((key) => ({ op: "insert" as const, key })),
      ];
      const read = decodeSetDelta(INBOX_ID_KEY, encodeSetDelta(INBOX_ID_KEY, delta));
      assert.deepEqual(applySetDelta(INBOX_ID_KEY, before, read), after);
    }),
  );
});

test("decoders answer any bytes with a value or a typed error", () => {
  const decoders = [
    (input: Uint8Array) => decodeTlsMap(INBOX_ID_KEY, input),
    (input: Uint8Array) => decodeTlsMap(COMPONENT_ID_KEY, input),
    (input: Uint8Array) => decodeMapDelta(INBOX_ID_KEY, input),
    (input: Uint8Array) => decodeTlsSet(INBOX_ID_KEY, input),
    (input: Uint8Array) => decodeSetDelta(BYTES_KEY, input),
    decodeMembershipEntry,
  ];
  const anything = fc.uint8Array({ maxLength: 120 });
  check(
    fc.property(anything, (input) => {
      for (const decoder of decoders) {
        try {
          decoder(input);
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
      }
      for (const decoder of [decodeInvitePayload, peekBlob]) {
        try {
          decoder(input);
        } catch (error) {
          assert.ok(error instanceof LatchkeyError, String(error));
        }
      }
    }),
  );
});

test("whatever a map decoder accepts is the canonical encoding of what it gives", () => {
  const mutated = fc
    .tuple(fc.array(fc.tuple(componentId, bytes), { maxLength: 4 }), fc.nat(), fc.nat({ max: 255 }))
    .map(([entries, place, value]) => {
      const encoded = encodeTlsMap(COMPONENT_ID_KEY, new Map(entries)).slice();
      encoded[place % encoded.length] = value;
      return encoded;
    });
  check(
    fc.property(mutated, (input) => {
      let decoded;
      try {
        decoded = decodeTlsMap(COMPONENT_ID_KEY, input);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
        return;
      }
      assert.deepEqual(encodeTlsMap(COMPONENT_ID_KEY, decoded), input);
    }),
  );
});
