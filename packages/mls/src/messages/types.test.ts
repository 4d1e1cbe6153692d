import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concatBytes, fromHex } from "../bytes.ts";
import { Reader } from "../codec/reader.ts";
import { decodeTreeNode } from "../tree/node.ts";
import { decodeCommit } from "./commit.ts";
import { CREDENTIAL_TYPE, decodeCredential } from "./credential.ts";
import { EXTENSION_TYPE } from "./extension.ts";
import { CONTENT_TYPE, decodeContentKind, decodeSender, WIRE_FORMAT } from "./framing.ts";
import { decodeLeafNode } from "./leaf-node.ts";
import { decodeMlsMessage, peekMlsMessage } from "./mls-message.ts";
import { decodePreSharedKeyId, decodeProposal, PROPOSAL_TYPE } from "./proposal.ts";

test("numbers of types are those of RFC 9420 §6 and §17 and of the extensions draft", () => {
  // Both ends of every other test take them from the same constants, and would agree on wrong ones.
  assert.deepEqual(Object.entries(EXTENSION_TYPE), [
    ["applicationId", 1],
    ["ratchetTree", 2],
    ["requiredCapabilities", 3],
    ["externalPub", 4],
    ["externalSenders", 5],
    ["appDataDictionary", 6],
    ["lastResort", 10],
  ]);
  assert.deepEqual(Object.entries(PROPOSAL_TYPE), [
    ["add", 1],
    ["update", 2],
    ["remove", 3],
    ["psk", 4],
    ["reinit", 5],
    ["external_init", 6],
    ["group_context_extensions", 7],
    ["app_data_update", 8],
    ["app_ephemeral", 9],
    ["self_remove", 10],
  ]);
  assert.deepEqual(CREDENTIAL_TYPE, { basic: 1, x509: 2 });
  assert.deepEqual(CONTENT_TYPE, { application: 1, proposal: 2, commit: 3 });
  assert.deepEqual(WIRE_FORMAT, { public_message: 1, private_message: 2, welcome: 3, group_info: 4, key_package: 5 });
});

describe("types from the wire", () => {
  /** Readers of what starts with a type, with types that there are not, as many bytes wide as they are. */
  const readers: readonly (readonly [name: string, read: (reader: Reader) => unknown, unknown: readonly string[]])[] = [
    ["ProposalOrRef", decodeCommit, ["0100", "0103"]],
    ["credential", decodeCredential, ["0000", "0003", "0101"]],
    ["node", decodeTreeNode, ["00", "03"]],
    ["sender", decodeSender, ["00", "05"]],
    ["content", decodeContentKind, ["00", "04"]],
    ["proposal", decodeProposal, ["0000", "000b", "0101"]],
    ["app-data operation", decodeProposal, ["0008 8000 00", "0008 8000 03"]],
    ["leaf node source", decodeLeafNode, ["00", "04"].map((source) => `00 00 0001 00 0000000000 ${source}`)],
    ["PSK", decodePreSharedKeyId, ["0001", "0301"]],
  ];
  for (const [name, read, unknown] of readers) {
    test(`DECODE: an unknown type of ${name}`, () => {
      for (const start of unknown) {
        const bytes = concatBytes(fromHex(start.replaceAll(" ", "")), new Uint8Array(64));
        assert.throws(() => read(new Reader(bytes)), { code: "DECODE", message: /unknown/ });
      }
    });
  }

  test("DECODE: another protocol version, and wire formats that there are not", () => {
    const message = { not: /not mls10/, unknown: /wire format/ };
    for (const [start, why] of [
      ["00000001", "not"],
      ["00020001", "not"],
      ["00010000", "unknown"],
      ["00010006", "unknown"],
      ["00010101", "unknown"],
    ] as const) {
      const bytes = concatBytes(fromHex(start), new Uint8Array(64));
      for (const read of [decodeMlsMessage, peekMlsMessage]) {
        assert.throws(() => read(bytes), { code: "DECODE", message: message[why] });
      }
    }
  });
});
