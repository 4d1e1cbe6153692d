import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeExact, Reader } from "../codec/reader.ts";
import { encode, Writer } from "../codec/writer.ts";
import { MLS_LIMITS } from "../limits.ts";
import { nextContext } from "../group/next-epoch.ts";
import { asLeafIndex, directPath, leafNodeIndex, nodeWidth, type NodeIndex } from "../tree/math.ts";
import { decodeTreeChanges } from "../tree/node.ts";
import { decodeAppDataDictionary, encodeAppDataDictionary } from "./app-data.ts";
import {
  decodeExtensions,
  decodeRequiredCapabilities,
  encodeExtensions,
  encodeRequiredCapabilities,
} from "./extension.ts";
import { decodeExternalSenders, encodeExternalSenders } from "./external-sender.ts";
import { checkCiphertextLength } from "./private-message.ts";
import { decodePreSharedKeyId } from "./proposal.ts";
import { decodeGroupSecrets, decodeWelcome, encodeGroupSecrets, encodeWelcome } from "./welcome.ts";

const EMPTY = new Uint8Array(0);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** What is read when it has `limit` entries and refused when it has one more. */
function assertLimit(limit: number, decode: (count: number) => unknown): void {
  decode(limit);
  assert.throws(() => decode(limit + 1), { code: "DECODE" });
}

describe("lists have as many entries as their limit allows, and not one more", () => {
  test("extensions, required capabilities, external senders, app data", () => {
    assertLimit(MLS_LIMITS.maxExtensions, (count) =>
      decodeExact(
        encode(
          numbers(count).map((type) => ({ type, data: EMPTY })),
          encodeExtensions,
        ),
        decodeExtensions,
      ),
    );
    assertLimit(MLS_LIMITS.maxCapabilities, (count) => {
      const none = { extensionTypes: [], proposalTypes: [], credentialTypes: [] };
      for (const name of Object.keys(none)) {
        decodeRequiredCapabilities(encodeRequiredCapabilities({ ...none, [name]: numbers(count) }));
      }
    });
    const sender = { signatureKey: EMPTY, credential: { kind: "basic", identity: EMPTY } } as const;
    assertLimit(MLS_LIMITS.maxExternalSenders, (count) =>
      decodeExternalSenders(encodeExternalSenders(numbers(count).map(() => sender))),
    );
    assertLimit(MLS_LIMITS.maxAppDataEntries, (count) =>
      decodeAppDataDictionary(encodeAppDataDictionary(new Map(numbers(count).map((id) => [id, EMPTY])))),
    );
  });

  test("secrets and PSKs of a Welcome", () => {
    const secret = { newMember: EMPTY, encryptedGroupSecrets: { kemOutput: EMPTY, ciphertext: EMPTY } };
    assertLimit(MLS_LIMITS.maxLeaves, (count) => {
      const secrets = numbers(count).map(() => secret);
      const welcome = { cipherSuite: 1, secrets, encryptedGroupInfo: EMPTY };
      return decodeExact(encode(welcome, encodeWelcome), decodeWelcome);
    });
    const psk = { kind: "external", pskId: EMPTY, nonce: EMPTY } as const;
    assertLimit(MLS_LIMITS.maxProposals, (count) => {
      const psks = numbers(count).map(() => psk);
      return decodeGroupSecrets(encodeGroupSecrets({ joinerSecret: EMPTY, pathSecret: undefined, psks }));
    });
  });

  test("nodes of a ratchet tree, which is then found to be blank", () => {
    const blanks = (count: number) => encode(new Uint8Array(count), (writer, bytes) => writer.opaque(bytes));
    const most = 2 * MLS_LIMITS.maxLeaves - 1;
    assert.throws(() => decodeTreeChanges(blanks(most)), { code: "DECODE", message: /blank/ });
    assert.throws(() => decodeTreeChanges(blanks(most + 1)), { code: "DECODE", message: /more than/ });
  });

  test("a vector has as many bytes as the limit allows, which is told before they are looked for", () => {
    const { maxVectorBytes } = MLS_LIMITS;
    const whole = encode(new Uint8Array(maxVectorBytes), (writer, bytes) => writer.opaque(bytes));
    assert.equal(decodeExact(whole, (reader) => reader.opaque()).length, maxVectorBytes);
    const writer = new Writer();
    writer.varint(maxVectorBytes + 1);
    for (const read of [
      (reader: Reader) => reader.opaque(),
      (reader: Reader) => reader.vector((inner) => inner.u8()),
    ]) {
      assert.throws(() => read(new Reader(writer.view())), { code: "DECODE", message: /limit/ });
    }
    const small = encode(new Uint8Array(5), (inner, bytes) => inner.opaque(bytes));
    assert.equal(new Reader(small).opaque(5).length, 5);
    assert.throws(() => new Reader(small).opaque(4), { code: "DECODE", message: /limit/ });
  });

  test("items of a vector end where it ends", () => {
    const bytes = Uint8Array.of(3, 0, 1, 0, 2);
    assert.throws(() => new Reader(bytes).vector((inner) => inner.u16()), { code: "DECODE" });
    const reader = new Reader(bytes);
    assert.deepEqual(
      reader.vector((inner) => inner.u8()),
      [0, 1, 0],
    );
    assert.equal(reader.remaining, 1);
  });
});

describe("numbers from the wire", () => {
  test("leaf indices are whole, not negative, and below the limit (CVE-2026-17507)", () => {
    for (const value of [0, MLS_LIMITS.maxLeaves - 1]) assert.equal(asLeafIndex(value), value);
    for (const value of [-1, 0.5, Number.NaN, MLS_LIMITS.maxLeaves, 2 ** 31, 2 ** 32 - 1]) {
      assert.throws(() => asLeafIndex(value), { code: "DECODE" });
    }
  });

  test("MLS_STATE: there is no path from a node outside of the tree", () => {
    assert.equal(directPath(leafNodeIndex(asLeafIndex(3)), 4).length, 2);
    for (const outside of [leafNodeIndex(asLeafIndex(4)), nodeWidth(4) as NodeIndex]) {
      assert.throws(() => directPath(outside, 4), { code: "MLS_STATE" });
    }
  });

  test("epoch: the last epoch number is reached and not passed", () => {
    const context = {
      version: 1,
      cipherSuite: 1,
      groupId: EMPTY,
      epoch: 2n ** 64n - 2n,
      treeHash: EMPTY,
      confirmedTranscriptHash: EMPTY,
      extensions: [],
    };
    const last = nextContext(context, EMPTY, []);
    assert.equal(last.epoch, 2n ** 64n - 1n);
    assert.throws(() => nextContext(last, EMPTY, []), { rule: "epoch" });
  });

  test("resumption PSKs have one of three usages", () => {
    const read = (usage: number) =>
      decodeExact(Uint8Array.of(2, usage, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), decodePreSharedKeyId);
    for (const usage of [1, 2, 3]) assert.equal(read(usage).kind, "resumption");
    for (const usage of [0, 4]) assert.throws(() => read(usage), { code: "DECODE" });
    assert.throws(() => decodeExact(Uint8Array.of(3, 0, 0), decodePreSharedKeyId), { code: "DECODE" });
  });

  test("a ciphertext has at least the bytes of a tag", () => {
    const message = {
      groupId: EMPTY,
      epoch: 0n,
      contentKind: "application",
      authenticatedData: EMPTY,
      encryptedSenderData: EMPTY,
    } as const;
    checkCiphertextLength({ ...message, ciphertext: new Uint8Array(16) });
    assert.throws(() => checkCiphertextLength({ ...message, ciphertext: new Uint8Array(15) }), { code: "DECODE" });
  });
});
