import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromHex } from "../bytes.ts";
import { DecodeError } from "../errors.ts";
import { decodeMlsMessage, encodeMlsMessage, peekMlsMessage } from "../messages/mls-message.ts";
import { createExternalCommit } from "../group/mls-group.ts";
import { GROUP_ID, groupOf, LEAF, newConfig } from "../testing/groups.ts";
import { verifyGroupInfo } from "../group/verify-group-info.ts";
import { decodeExact, Reader } from "./reader.ts";
import { encode, Writer } from "./writer.ts";
import { MAX_VARINT, varintLength } from "./varint.ts";

const SEED = 0x1a7c4;
console.log(`codec.property.test.ts: seed ${SEED}`);
const parameters = { seed: SEED, numRuns: 300 };

/** Bytes whose lengths lie around the borders of the varint and of the writer's buffer. */
const opaque = fc
  .oneof(fc.nat(70), fc.integer({ min: 250, max: 260 }), fc.integer({ min: 16_380, max: 16_390 }))
  .map((length) => new Uint8Array(length).fill(0xab));

describe("the TLS codec", () => {
  test("reads back what it wrote, whatever the lengths", () => {
    const item = fc.record(
      { a: opaque, b: fc.bigInt(0n, 2n ** 64n - 1n), c: fc.option(fc.nat(0xffffffff)) },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 6 }), (items) => {
        const bytes = encode(items, (writer) =>
          writer.vector(items, (inner, { a, b, c }) => {
            inner.opaque(a);
            inner.u64(b);
            inner.optional(c ?? undefined, (some, value) => some.u32(value));
          }),
        );
        const back = decodeExact(bytes, (reader) =>
          reader.vector((inner) => ({
            a: inner.opaque(),
            b: inner.u64(),
            c: inner.optional((some) => some.u32()) ?? null,
          })),
        );
        assert.deepEqual(back, items);
      }),
      parameters,
    );
  });

  test("accepts a length in its shortest form only, and none with the prefix 11", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_VARINT }), (value) => {
        const writer = new Writer();
        writer.varint(value);
        const bytes = writer.finish();
        assert.equal(new Reader(bytes).varint(), value);
        if (bytes.length === 4) return;
        const longer =
          bytes.length === 1 ? Uint8Array.of(0x40, value) : Uint8Array.of(0x80, 0, value >> 8, value & 0xff);
        assert.throws(() => new Reader(longer).varint(), DecodeError);
      }),
      parameters,
    );
    assert.throws(() => new Reader(Uint8Array.of(0xc0, 0, 0, 0)).varint(), DecodeError);
    assert.throws(() => {
      new Writer().varint(MAX_VARINT + 1);
    }, DecodeError);
    for (const value of [-1, 0.5, Number.NaN]) assert.throws(() => varintLength(value), DecodeError);
  });

  test("refuses trailing bytes, early ends and presence bytes other than 0 and 1", () => {
    assert.throws(() => decodeExact(Uint8Array.of(1, 2), (reader) => reader.u8()), DecodeError);
    assert.throws(() => decodeExact(Uint8Array.of(5, 1), (reader) => reader.opaque()), DecodeError);
    assert.throws(() => new Reader(Uint8Array.of(2, 0)).optional((inner) => inner.u8()), DecodeError);
  });
});

describe("decodeMlsMessage", () => {
  async function samples(): Promise<Uint8Array[]> {
    const [ann] = await groupOf(["ann", "bob"]);
    assert.ok(ann !== undefined);
    const info = await ann.group.exportGroupInfo();
    const { message } = await createExternalCommit(await newConfig("zoe"), await verifyGroupInfo(ann.config, info), {
      leaf: LEAF,
    });
    const { message: sealed } = await ann.group.encryptApplication(new Uint8Array(40));
    return [info, message, sealed, (await ann.group.createCommit()).message];
  }

  test("is canonical: what it decodes encodes to the same bytes", async () => {
    for (const bytes of await samples()) assert.deepEqual(encodeMlsMessage(decodeMlsMessage(bytes)), bytes);
  });

  test("peekMlsMessage reads of each kind what decodeMlsMessage does, and of others what they are", async () => {
    const headers = (await samples()).map(peekMlsMessage);
    const first = { groupId: GROUP_ID, epoch: 1n, contentKind: undefined, sender: undefined };
    assert.deepEqual(headers, [
      { ...first, wireFormat: "group_info" },
      { ...first, wireFormat: "public_message", contentKind: "commit", sender: { kind: "new_member_commit" } },
      { ...first, wireFormat: "private_message", contentKind: "application" },
      { ...first, wireFormat: "private_message", contentKind: "commit" },
    ]);
    const unplaced = { ...first, groupId: undefined, epoch: undefined };
    assert.deepEqual(peekMlsMessage(fromHex("00010005")), { ...unplaced, wireFormat: "key_package" });
    assert.deepEqual(peekMlsMessage(fromHex("00010003")), { ...unplaced, wireFormat: "welcome" });
  });

  test("throws nothing but DecodeError, for any damage to a real message", async () => {
    for (const bytes of await samples()) {
      const damage = fc.record({
        at: fc.nat(bytes.length - 1),
        byte: fc.nat(255),
        end: fc.oneof(fc.constant(bytes.length), fc.nat(bytes.length)),
      });
      fc.assert(
        fc.property(damage, ({ at, byte, end }) => {
          const damaged = bytes.slice(0, end);
          if (at < end) damaged[at] = byte;
          for (const decode of [decodeMlsMessage, peekMlsMessage]) {
            try {
              decode(damaged);
            } catch (error) {
              assert.ok(error instanceof DecodeError, String(error));
            }
          }
        }),
        parameters,
      );
    }
  });
});
