import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fromBinary, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { decodeExact, decodeHpkeCiphertext, decodeMlsMessage, encodeMlsMessage } from "@latchkey/mls";
import { decodeKeyPackage, encode, encodeHpkeCiphertext, encodeKeyPackage, toHex } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { replayIdentityLog } from "./identity/apply-update.ts";
import { followsExternalCommits, installationCapabilities, verifyInstallationKeyPackage } from "./key-package.ts";
import {
  BatchPublishCommitLogRequestSchema,
  BatchQueryCommitLogRequestSchema,
  FetchKeyPackagesRequestSchema,
  GetIdentityUpdatesRequestSchema,
  GetInboxIdsRequestSchema,
  GetNewestGroupMessageRequestSchema,
  PublishIdentityUpdateRequestSchema,
  QueryGroupMessagesRequestSchema,
  QueryWelcomeMessagesRequestSchema,
  SendGroupMessagesRequestSchema,
  SendWelcomeMessagesRequestSchema,
  UploadKeyPackageRequestSchema,
  WelcomeWrapperAlgorithm,
} from "./proto.ts";
import { FOLLOWS_EXTERNAL_COMMITS } from "./protocol.ts";
import { present } from "./testing/inboxes.ts";
import { acceptsWelcomePointers, welcomeKeyOf } from "./welcome/key.ts";

interface Captured {
  readonly from: "native" | "ours";
  /** Of Welcomes: whose key package they are for. */
  readonly to?: "native" | "ours";
  readonly method: string;
  readonly request: string;
}

/** Requests that XMTP's native library and our client sent in the scenarios of `interop/`, the first of each kind. */
const captures = JSON.parse(
  readFileSync(new URL("./captured-requests.json", import.meta.url), "utf8"),
) as readonly Captured[];

const SCHEMAS: Readonly<Record<string, DescMessage>> = {
  BatchPublishCommitLog: BatchPublishCommitLogRequestSchema,
  BatchQueryCommitLog: BatchQueryCommitLogRequestSchema,
  FetchKeyPackages: FetchKeyPackagesRequestSchema,
  GetIdentityUpdates: GetIdentityUpdatesRequestSchema,
  GetInboxIds: GetInboxIdsRequestSchema,
  GetNewestGroupMessage: GetNewestGroupMessageRequestSchema,
  PublishIdentityUpdate: PublishIdentityUpdateRequestSchema,
  QueryGroupMessages: QueryGroupMessagesRequestSchema,
  QueryWelcomeMessages: QueryWelcomeMessagesRequestSchema,
  SendGroupMessages: SendGroupMessagesRequestSchema,
  SendWelcomeMessages: SendWelcomeMessagesRequestSchema,
  UploadKeyPackage: UploadKeyPackageRequestSchema,
};

function bytesOf({ request }: Captured): Uint8Array {
  return new Uint8Array(Buffer.from(request, "base64"));
}

function all<S extends DescMessage>(method: string, schema: S, from?: Captured["from"]): MessageShape<S>[] {
  const found = captures.filter((entry) => entry.method === method && (from === undefined || entry.from === from));
  assert.ok(found.length > 0, `there are captures of ${method}`);
  return found.map((entry) => fromBinary(schema, bytesOf(entry)));
}

describe("requests captured from XMTP's native library and from our client", () => {
  test("each is decoded, and encoded again to the same bytes, with no field unknown", () => {
    for (const entry of captures) {
      const schema = present(SCHEMAS[entry.method]);
      const message = fromBinary(schema, bytesOf(entry));
      assert.deepEqual(toBinary(schema, message), bytesOf(entry), `${entry.from} ${entry.method}`);
      assert.deepEqual(toBinary(schema, message, { writeUnknownFields: false }), bytesOf(entry));
    }
  });

  test("the MLS messages in them are private messages, and encoded again to the same bytes", () => {
    const kinds = new Set<string>();
    for (const { messages } of all("SendGroupMessages", SendGroupMessagesRequestSchema)) {
      for (const { version } of messages) {
        assert.ok(version.case === "v1");
        const message = decodeMlsMessage(version.value.data);
        assert.ok(message.wireFormat === "private_message");
        assert.equal(message.message.groupId.length, 16);
        assert.deepEqual(encodeMlsMessage(message), version.value.data);
        kinds.add(message.message.contentKind);
      }
    }
    assert.deepEqual(kinds, new Set(["application", "proposal", "commit"]));
  });

  test("native key packages are valid, offer X-Wing and pointers, and can what ours can, but follow external commits; the bytes come back", async () => {
    for (const { keyPackage } of all("UploadKeyPackage", UploadKeyPackageRequestSchema, "native")) {
      const bytes = present(keyPackage).keyPackageTlsSerialized;
      const verified = await verifyInstallationKeyPackage(nodeCrypto, bytes);
      assert.deepEqual(encode(decodeExact(bytes, decodeKeyPackage), encodeKeyPackage), bytes);
      const { capabilities } = verified.keyPackage.leafNode;
      for (const kind of ["extensions", "proposals", "credentials", "cipherSuites"] as const) {
        const missing = installationCapabilities[kind].filter((id) => !capabilities[kind].includes(id));
        assert.deepEqual(missing, kind === "extensions" ? [FOLLOWS_EXTERNAL_COMMITS] : []);
      }
      assert.equal(followsExternalCommits(verified.keyPackage.leafNode), false);
      assert.equal(welcomeKeyOf(verified.keyPackage).algorithm, WelcomeWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6);
      assert.equal(acceptsWelcomePointers(verified.keyPackage), true);
    }
  });

  test("identity updates of both sides verify, and lead to the inbox they name", () => {
    for (const { identityUpdate } of all("PublishIdentityUpdate", PublishIdentityUpdateRequestSchema)) {
      const update = present(identityUpdate);
      if (update.actions[0]?.kind.case !== "createInbox") continue;
      const state = present(replayIdentityLog([update]));
      assert.equal(state.inboxId, update.inboxId);
      assert.equal(state.installations().length, 1);
    }
  });

  test("Welcomes, in all four directions: for X-Wing directly, and by pointer to one that is stored", () => {
    const seen = new Set<string>();
    for (const { from, to, method, request } of captures) {
      if (method !== "SendWelcomeMessages") continue;
      const { messages } = fromBinary(SendWelcomeMessagesRequestSchema, bytesOf({ from, method, request }));
      for (const { version } of messages) {
        assert.ok(version.case !== undefined);
        const { hpkePublicKey, wrapperAlgorithm } = version.value;
        if (wrapperAlgorithm === WelcomeWrapperAlgorithm.SYMMETRIC_KEY) {
          seen.add(`${from} stored`);
          assert.equal(version.value.installationKey.length, 32);
          assert.equal(hpkePublicKey.length, 0);
          continue;
        }
        seen.add(`${from} to ${to} ${version.case} ${wrapperAlgorithm}`);
        assert.equal(hpkePublicKey.length, 1216);
        const data = version.case === "v1" ? version.value.data : version.value.welcomePointer;
        const ciphertext = decodeExact(data, decodeHpkeCiphertext);
        assert.equal(ciphertext.kemOutput.length, 1120);
        assert.deepEqual(toHex(encode(ciphertext, encodeHpkeCiphertext)), toHex(data));
      }
    }
    const sides = ["native", "ours"];
    const expected = sides.flatMap((from) => [
      `${from} stored`,
      ...sides.flatMap((to) => ["v1", "welcomePointer"].map((form) => `${from} to ${to} ${form} 2`)),
    ]);
    assert.deepEqual([...seen].sort(), expected.sort());
  });

  test("our key packages are valid, offer what Welcomes to us use, and come back as bytes", async () => {
    for (const { keyPackage } of all("UploadKeyPackage", UploadKeyPackageRequestSchema, "ours")) {
      const bytes = present(keyPackage).keyPackageTlsSerialized;
      const verified = await verifyInstallationKeyPackage(nodeCrypto, bytes);
      assert.deepEqual(encode(decodeExact(bytes, decodeKeyPackage), encodeKeyPackage), bytes);
      assert.equal(welcomeKeyOf(verified.keyPackage).algorithm, WelcomeWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6);
      assert.equal(acceptsWelcomePointers(verified.keyPackage), true);
    }
  });
});
