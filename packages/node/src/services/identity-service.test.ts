import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { createContextValues, createHandlerContext } from "@connectrpc/connect";
import { createInboxUpdate, InstallationKey, localWallet } from "@latchkey/xmtp";
import { IdentityApi, PublishIdentityUpdateRequestSchema } from "@latchkey/xmtp/proto";
import { openSqliteStore } from "../storage/sqlite/store.ts";
import { cleanUp, runtimeOf, temporaryDirectory } from "../testing/support.ts";
import { createIdentityService } from "./identity-service.ts";

test("IDENTITY_CONFLICT: an update that others always overtake ends as retryable, after a bounded number of tries", async (t) => {
  const nowNs = (): bigint => 1n;
  const store = openSqliteStore({ dataDir: temporaryDirectory(t), maxBytes: 0, clock: nowNs });
  cleanUp(t, () => store.close());
  let attempts = 0;
  const append = async (): Promise<"conflict"> => {
    attempts++;
    return "conflict";
  };
  const service = createIdentityService(runtimeOf({ ...store, identity: { ...store.identity, append } }, nowNs));
  const wallet = localWallet(new Uint8Array(32).fill(1));
  const installation = new InstallationKey(new Uint8Array(32).fill(1));
  const identityUpdate = await createInboxUpdate({ wallet, nonce: 1n, installation, timestampNs: 1n });
  const context = createHandlerContext({
    service: IdentityApi,
    method: IdentityApi.method.publishIdentityUpdate,
    protocolName: "test",
    requestMethod: "POST",
    url: "http://test",
    contextValues: createContextValues(),
  });
  const request = create(PublishIdentityUpdateRequestSchema, { identityUpdate });
  await assert.rejects(async () => service.publishIdentityUpdate(request, context), {
    code: "IDENTITY_CONFLICT",
    retryable: true,
  });
  assert.equal(attempts, 8);
});
