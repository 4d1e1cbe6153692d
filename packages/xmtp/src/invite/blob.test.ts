import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { encodeMlsMessage, groupContextBytes, type GroupContext, type GroupInfo } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { asLeafIndex } from "@latchkey/mls";
import { XMTP_LIMITS } from "../limits.ts";
import { EncryptedGroupInfoBlobSchema, type EncryptedGroupInfoBlobV1Schema } from "../proto.ts";
import { XMTP_CIPHER_SUITE } from "../protocol.ts";
import { hex, present, seed, TEST_TIME_NS } from "../testing/inboxes.ts";
import { groupStateHash, peekBlob, unwrapGroupInfo, wrapGroupInfo } from "./blob.ts";
import { compareCandidates, selectCandidates } from "./candidates.ts";
import { encodeGroupInfoHints } from "./group-info-hints.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const key = seed(1);

function contextAt(epoch: bigint, mark = 0): GroupContext {
  return {
    version: 1,
    cipherSuite: XMTP_CIPHER_SUITE,
    groupId: new Uint8Array(16),
    epoch,
    treeHash: new Uint8Array(32).fill(mark),
    confirmedTranscriptHash: new Uint8Array(32),
    extensions: [],
  };
}

/** A GroupInfo that decodes; nobody signed it. */
function groupInfoBytes(context: GroupContext, logCursor?: bigint): Uint8Array {
  const confirmationTag = new Uint8Array(32);
  const message: GroupInfo = {
    context,
    extensions: encodeGroupInfoHints({ logCursor }),
    confirmationTag,
    signer: asLeafIndex(0),
    signature: new Uint8Array(64),
  };
  return encodeMlsMessage({ wireFormat: "group_info", message });
}

function blobAt(
  epoch: bigint,
  options: { mark?: number; expiresAtNs?: bigint; claim?: bigint; key?: Uint8Array; logCursor?: bigint } = {},
) {
  const context = contextAt(epoch, options.mark);
  return wrapGroupInfo({
    suite,
    key: options.key ?? key,
    groupInfo: groupInfoBytes(context, options.logCursor),
    epoch: options.claim ?? epoch,
    groupStateHash: groupStateHash(suite, groupContextBytes(context)),
    expiresAtNs: options.expiresAtNs ?? 0n,
  });
}

/** The blob with some fields replaced, as somebody without the key could upload it. */
function altered(blob: Uint8Array, change: MessageInitShape<typeof EncryptedGroupInfoBlobV1Schema>): Uint8Array {
  const { version } = fromBinary(EncryptedGroupInfoBlobSchema, blob);
  const { nonce, ciphertext, epoch, groupStateHash: hash, expiresAtNs } = present(version.value);
  const value = { nonce, ciphertext, epoch, ...(hash && { groupStateHash: hash }), expiresAtNs, ...change };
  return toBinary(
    EncryptedGroupInfoBlobSchema,
    create(EncryptedGroupInfoBlobSchema, { version: { case: "v1", value } }),
  );
}

function fieldsOf(blob: Uint8Array) {
  return present(fromBinary(EncryptedGroupInfoBlobSchema, blob).version.value);
}

const refused = (rule: string) => ({ name: "JoinError", code: "INVITE_NO_CANDIDATE", retryable: true, rule });
const open = (blob: Uint8Array, nowNs?: bigint) =>
  unwrapGroupInfo(blob, key, nowNs === undefined ? { suite } : { suite, nowNs });

describe("EncryptedGroupInfoBlob", () => {
  test("it opens with the invite's key; two blobs of the same GroupInfo have different nonces", () => {
    const [first, second] = [blobAt(5n), blobAt(5n)];
    assert.deepEqual(open(first).groupInfo, groupInfoBytes(contextAt(5n)));
    assert.notDeepEqual(fieldsOf(first).nonce, fieldsOf(second).nonce);
    assert.equal(fieldsOf(first).nonce.length, 12);
  });

  test("the AEAD covers epoch, expiry and digest in exactly this order, 48 bytes", () => {
    const blob = blobAt(5n, { expiresAtNs: 9n });
    const { nonce, ciphertext, groupStateHash: hash } = fieldsOf(blob);
    const additionalData = new Uint8Array([...hex("0000000000000005 0000000000000009"), ...present(hash).digest]);
    assert.equal(additionalData.length, 48);
    assert.deepEqual(suite.aeadOpen(key, nonce, additionalData, ciphertext), open(blob).groupInfo);
  });

  test("X82-06 a ciphertext changed in one byte does not open", () => {
    const blob = blobAt(5n);
    const { ciphertext } = fieldsOf(blob);
    for (const place of [0, 50, ciphertext.length - 1]) {
      const changed = ciphertext.slice();
      changed[place] = (changed[place] ?? 0) ^ 1;
      assert.throws(() => open(altered(blob, { ciphertext: changed })), refused("Unwrap"));
    }
    assert.throws(() => open(altered(blob, { ciphertext: new Uint8Array(0) })), refused("Unwrap"));
  });

  test("X82-17 a genuine blob with another expiry, epoch or digest does not open", () => {
    const blob = blobAt(5n, { expiresAtNs: 100n });
    assert.throws(() => open(altered(blob, { expiresAtNs: 0n })), refused("Unwrap"));
    assert.throws(() => open(altered(blob, { epoch: 6n })), refused("Unwrap"));
    assert.throws(() => open(altered(blob, { groupStateHash: { digest: new Uint8Array(32) } })), refused("Unwrap"));
  });

  test("X82-08 a blob past its end is refused when a clock is given, at the very nanosecond", () => {
    const blob = blobAt(5n, { expiresAtNs: 100n });
    assert.equal(open(blob, 99n).expiresAtNs, 100n);
    assert.throws(() => open(blob, 100n), { code: "INVITE_EXPIRED", rule: "Expired" });
    assert.equal(open(blob).epoch, 5n);
    assert.equal(open(blobAt(5n), 2n ** 63n).expiresAtNs, 0n);
  });

  test("each form check refuses by its own name", () => {
    const blob = blobAt(5n);
    const value = { nonce: fieldsOf(blob).nonce, ciphertext: fieldsOf(blob).ciphertext, epoch: 5n };
    const noHash = create(EncryptedGroupInfoBlobSchema, { version: { case: "v1", value } });
    assert.throws(() => open(new Uint8Array(XMTP_LIMITS.maxBlobBytes + 1)), refused("TooLong"));
    assert.throws(() => open(new Uint8Array(XMTP_LIMITS.maxBlobBytes).fill(0xff)), refused("InvalidProtobuf"));
    assert.throws(() => open(hex("ff")), refused("InvalidProtobuf"));
    assert.throws(() => open(hex("1200")), refused("UnsupportedVersion"));
    assert.throws(() => open(altered(blob, { nonce: new Uint8Array(11) })), refused("InvalidNonceLength"));
    assert.throws(() => open(toBinary(EncryptedGroupInfoBlobSchema, noHash)), refused("MissingGroupStateHash"));
    const shortHash = altered(blob, { groupStateHash: { digest: new Uint8Array(31) } });
    assert.throws(() => open(shortHash), refused("InvalidGroupStateHashLength"));
  });

  test("a service reads the claims without a key, and learns of malformed blobs", () => {
    const { epoch, groupStateHash: hash, expiresAtNs } = peekBlob(blobAt(5n, { expiresAtNs: 9n }));
    assert.deepEqual([epoch, expiresAtNs], [5n, 9n]);
    assert.deepEqual(hash, groupStateHash(suite, groupContextBytes(contextAt(5n))));
    assert.throws(() => peekBlob(hex("")), refused("UnsupportedVersion"));
  });

  test("another cipher suite is refused: XIP-82 fixes ChaCha20-Poly1305", () => {
    const other = nodeCrypto.suite(1);
    assert.throws(() => unwrapGroupInfo(blobAt(5n), key, { suite: other }), { code: "GROUP_UNSUPPORTED" });
    const claims = { epoch: 5n, groupStateHash: new Uint8Array(32), expiresAtNs: 0n };
    const wrap = () => wrapGroupInfo({ suite: other, key, groupInfo: new Uint8Array(8), ...claims });
    assert.throws(wrap, { code: "GROUP_UNSUPPORTED" });
  });
});

describe("candidate selection", () => {
  const select = (...blobs: Uint8Array[]) => selectCandidates({ suite, blobs, key, nowNs: TEST_TIME_NS });

  test("X82-14 higher epochs come first, equal ones by hash", () => {
    const { candidates, rejected } = select(blobAt(5n), blobAt(7n, { mark: 1 }), blobAt(7n, { mark: 2 }), blobAt(6n));
    assert.deepEqual(
      candidates.map(({ epoch }) => epoch),
      [7n, 7n, 6n, 5n],
    );
    const [first, second] = candidates;
    assert.ok(compareCandidates(present(first), present(second)) < 0);
    assert.ok(Buffer.compare(present(first).groupStateHash, present(second).groupStateHash) < 0);
    assert.deepEqual(rejected, []);
  });

  test("of one state the furthest read comes first, whoever does not say as if nothing was read", () => {
    const cursors = (...given: (bigint | undefined)[]) => {
      const blobs = given.map((logCursor) => blobAt(7n, logCursor === undefined ? {} : { logCursor }));
      return select(...blobs).candidates.map(({ logCursor }) => logCursor);
    };
    assert.deepEqual(cursors(undefined, 1n, 9n, 2n), [9n, 2n, 1n, 0n]);
    assert.deepEqual(cursors(9n, 2n, undefined, 1n), [9n, 2n, 1n, 0n]);
    const { candidates } = select(blobAt(7n, { logCursor: 9n }), blobAt(8n), blobAt(7n));
    assert.deepEqual(
      candidates.map(({ epoch, logCursor }) => [epoch, logCursor]),
      [
        [8n, 0n],
        [7n, 9n],
        [7n, 0n],
      ],
    );
  });

  test("X82-13 garbage that claims a huge epoch is dropped, the genuine blob is chosen", () => {
    const garbage = altered(blobAt(5n), { epoch: 2n ** 63n, ciphertext: new Uint8Array(1000) });
    const { candidates, rejected } = select(garbage, blobAt(5n), blobAt(9n, { key: seed(2) }));
    assert.deepEqual(
      candidates.map(({ epoch }) => epoch),
      [5n],
    );
    assert.deepEqual(
      rejected.map(({ rule }) => rule),
      ["Unwrap", "Unwrap"],
    );
  });

  test("X82-15 a key holder's blob that lies about epoch or digest is dropped", () => {
    const wrongEpoch = blobAt(5n, { claim: 9n });
    const context = contextAt(5n);
    const groupInfo = groupInfoBytes(context);
    const wrongDigest = wrapGroupInfo({ suite, key, groupInfo, epoch: 5n, groupStateHash: seed(9), expiresAtNs: 0n });
    const { candidates, rejected } = select(wrongEpoch, wrongDigest);
    assert.deepEqual(candidates, []);
    assert.deepEqual(
      rejected.map(({ rule }) => rule),
      ["EpochMismatch", "GroupStateHashMismatch"],
    );
  });

  test("what is no GroupInfo is dropped, decodable or not", () => {
    const wrap = (groupInfo: Uint8Array) =>
      wrapGroupInfo({ suite, key, groupInfo, epoch: 5n, groupStateHash: seed(9), expiresAtNs: 0n });
    const privateMessage = encodeMlsMessage({
      wireFormat: "private_message",
      message: {
        groupId: new Uint8Array(16),
        epoch: 5n,
        contentKind: "commit",
        authenticatedData: new Uint8Array(0),
        encryptedSenderData: new Uint8Array(0),
        ciphertext: new Uint8Array(0),
      },
    });
    const { candidates, rejected } = select(wrap(hex("00")), wrap(privateMessage));
    assert.deepEqual(candidates, []);
    assert.deepEqual(
      rejected.map(({ code, rule }) => [code, rule]),
      [
        ["DECODE", undefined],
        ["INVITE_NO_CANDIDATE", "NotGroupInfo"],
      ],
    );
  });

  test("X82-08 expired blobs are dropped even when the service still serves them", () => {
    const { candidates, rejected } = select(blobAt(5n, { expiresAtNs: TEST_TIME_NS }));
    assert.deepEqual(candidates, []);
    assert.deepEqual(
      rejected.map(({ code }) => code),
      ["INVITE_EXPIRED"],
    );
  });

  test("SEC-11 of too many blobs only the newest are looked at", () => {
    const junk = Array.from({ length: 1000 }, () => hex("ff"));
    const { candidates, rejected } = select(blobAt(9n), ...junk, blobAt(5n));
    assert.deepEqual(
      candidates.map(({ epoch }) => epoch),
      [5n],
    );
    assert.equal(rejected.length, XMTP_LIMITS.maxCandidates - 1);
  });
});
