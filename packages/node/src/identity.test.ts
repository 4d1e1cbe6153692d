import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clone, equals, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { toHex, utf8 } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  addInstallationUpdate,
  createInboxUpdate,
  createInstallationKeyPackage,
  deriveInboxId,
  encodeMlsCredential,
  InstallationKey,
  localWallet,
  revokeInstallationUpdate,
} from "@latchkey/xmtp";
import { GetIdentityUpdatesResponseSchema, IdentifierKind, IdentityUpdateSchema } from "@latchkey/xmtp/proto";
import { connect, PROTOCOLS, startNode, temporaryDirectory } from "./testing/support.ts";

const TIMESTAMP = 1_700_000_000_000_000_000n;

async function person(seed: number) {
  const wallet = localWallet(new Uint8Array(32).fill(seed));
  const installation = new InstallationKey(new Uint8Array(32).fill(seed));
  const inboxId = deriveInboxId(wallet.identifier, 1n);
  const created = await createInboxUpdate({ wallet, nonce: 1n, installation, timestampNs: TIMESTAMP });
  return { wallet, installation, inboxId, created };
}

function isRefused(error: unknown, latchkeyCode: string, code = Code.InvalidArgument): boolean {
  assert.ok(error instanceof ConnectError);
  assert.deepEqual([error.metadata.get("x-latchkey-error"), error.code], [latchkeyCode, code]);
  return true;
}

describe("IdentityApi", () => {
  for (const protocol of PROTOCOLS) {
    test(`NODE ${protocol}: an inbox is registered, found by its wallet, and extended`, async (t) => {
      const { url } = await startNode(t);
      const { identity } = connect(t, url, protocol);
      const { wallet, inboxId, created } = await person(1);
      await identity.publishIdentityUpdate({ identityUpdate: created });
      const installation = new InstallationKey(new Uint8Array(32).fill(7));
      const added = await addInstallationUpdate({ wallet, inboxId, installation, timestampNs: TIMESTAMP + 1n });
      await identity.publishIdentityUpdate({ identityUpdate: added });

      const { responses } = await identity.getIdentityUpdates({
        requests: [{ inboxId }, { inboxId: "0".repeat(64) }, { inboxId, sequenceId: 1n }],
      });
      assert.deepEqual(
        responses.map((response) => response.inboxId),
        [inboxId, "0".repeat(64), inboxId],
      );
      const logs = responses.map(({ updates }) => updates.map(({ sequenceId }) => sequenceId));
      assert.deepEqual(logs, [[1n, 2n], [], [2n]]);
      const stored = responses[0]?.updates[0]?.update;
      assert.ok(stored !== undefined && equals(IdentityUpdateSchema, stored, created));
      assert.ok((responses[0]?.updates[0]?.serverTimestampNs ?? 0n) > TIMESTAMP);

      const kinds = [IdentifierKind.UNSPECIFIED, IdentifierKind.ETHEREUM, IdentifierKind.PASSKEY];
      const found = await identity.getInboxIds({
        requests: [
          ...kinds.map((identifierKind) => ({ identifier: wallet.identifier, identifierKind })),
          { identifier: "0x00" },
        ],
      });
      assert.deepEqual(
        found.responses.map((response) => response.inboxId),
        [inboxId, inboxId, undefined, undefined],
      );
      assert.equal(found.responses[0]?.identifier, wallet.identifier);
    });
  }

  test("NODE JSON answers hold the same updates as those in protobuf", async (t) => {
    const { url } = await startNode(t);
    const { identity } = connect(t, url);
    const { inboxId, created } = await person(1);
    await identity.publishIdentityUpdate({ identityUpdate: created });
    const answer = await fetch(`${url}/xmtp.identity.api.v1.IdentityApi/GetIdentityUpdates`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ requests: [{ inboxId }] }),
    });
    const { responses } = fromJson(GetIdentityUpdatesResponseSchema, (await answer.json()) as JsonValue);
    const [update] = responses[0]?.updates ?? [];
    assert.ok(update?.update !== undefined && equals(IdentityUpdateSchema, update.update, created));
  });

  test("NODE the same update again succeeds and is stored once, also after a restart", async (t) => {
    const dataDir = temporaryDirectory(t);
    const { inboxId, created } = await person(1);
    const before = await startNode(t, { dataDir });
    const { identity } = connect(t, before.url);
    await Promise.all([1, 2, 3].map(() => identity.publishIdentityUpdate({ identityUpdate: created })));
    await before.close();
    const after = connect(t, (await startNode(t, { dataDir })).url).identity;
    await after.publishIdentityUpdate({ identityUpdate: created });
    const { responses } = await after.getIdentityUpdates({ requests: [{ inboxId }] });
    assert.equal(responses[0]?.updates.length, 1);
  });

  test("NODE updates of one inbox published at once are all stored, in an order that replays", async (t) => {
    const { url } = await startNode(t);
    const { identity } = connect(t, url);
    const { wallet, inboxId, created } = await person(1);
    await identity.publishIdentityUpdate({ identityUpdate: created });
    const updates = await Promise.all(
      [11, 12, 13, 14].map((seed) => {
        const installation = new InstallationKey(new Uint8Array(32).fill(seed));
        return addInstallationUpdate({ wallet, inboxId, installation, timestampNs: TIMESTAMP + BigInt(seed) });
      }),
    );
    await Promise.all(updates.map((identityUpdate) => identity.publishIdentityUpdate({ identityUpdate })));
    const { responses } = await identity.getIdentityUpdates({ requests: [{ inboxId }] });
    assert.equal(responses[0]?.updates.length, 5);
  });

  test("NODE updates that do not verify or are not allowed are refused and leave log and index as they were", async (t) => {
    const { url } = await startNode(t);
    const { identity } = connect(t, url);
    const owner = await person(1);
    const stranger = await person(2);
    const publish = (identityUpdate: typeof owner.created) => identity.publishIdentityUpdate({ identityUpdate });

    const add = { wallet: owner.wallet, inboxId: owner.inboxId, timestampNs: TIMESTAMP + 1n };
    const early = await addInstallationUpdate({ ...add, installation: stranger.installation });
    await assert.rejects(publish(early), (error) => isRefused(error, "IDENTITY_NOT_CREATED"));
    await publish(owner.created);

    const foreign = await addInstallationUpdate({
      ...add,
      wallet: stranger.wallet,
      installation: stranger.installation,
    });
    await assert.rejects(publish(foreign), (error) => isRefused(error, "IDENTITY_MISSING_EXISTING_MEMBER"));
    const otherTime = clone(IdentityUpdateSchema, early);
    otherTime.clientTimestampNs += 1_000_000_000n;
    await assert.rejects(publish(otherTime), { code: Code.InvalidArgument });
    await assert.rejects(publish({ ...owner.created, inboxId: "nonsense" }), (error) =>
      isRefused(error, "REQUEST_INVALID"),
    );
    await assert.rejects(identity.publishIdentityUpdate({}), (error) => isRefused(error, "REQUEST_INVALID"));
    const created = await createInboxUpdate({ ...owner, nonce: 1n, timestampNs: TIMESTAMP + 5_000_000_000n });
    await assert.rejects(publish(created), (error) => isRefused(error, "IDENTITY_MULTIPLE_CREATE"));

    const revoke = await revokeInstallationUpdate({ ...add, installationId: owner.installation.id });
    await publish(revoke);
    const { responses } = await identity.getIdentityUpdates({ requests: [{ inboxId: owner.inboxId }] });
    assert.equal(responses[0]?.updates.length, 2);
    const found = await identity.getInboxIds({ requests: [{ identifier: stranger.wallet.identifier }] });
    assert.equal(found.responses[0]?.inboxId, undefined);
  });

  test("NODE a full identity log refuses more, and still accepts what it has", async (t) => {
    const { url } = await startNode(t, { limits: { identityUpdatesPerInbox: 2 } });
    const { identity } = connect(t, url);
    const { wallet, inboxId, created } = await person(1);
    const updates = [created];
    for (const seed of [3, 4]) {
      const installation = new InstallationKey(new Uint8Array(32).fill(seed));
      updates.push(
        await addInstallationUpdate({ wallet, inboxId, installation, timestampNs: TIMESTAMP + BigInt(seed) }),
      );
    }
    const [first, second, third] = updates.map(
      (identityUpdate) => () => identity.publishIdentityUpdate({ identityUpdate }),
    );
    await first?.();
    await second?.();
    await assert.rejects(
      async () => third?.(),
      (error) => isRefused(error, "IDENTITY_LOG_FULL", Code.FailedPrecondition),
    );
    await second?.();
  });

  test("NODE signatures of smart-contract wallets are answered one by one as not valid, with the reason", async (t) => {
    const { url } = await startNode(t);
    const { identity } = connect(t, url);
    const { responses } = await identity.verifySmartContractWalletSignatures({ signatures: [{}, {}] });
    assert.deepEqual(
      responses.map(({ isValid }) => isValid),
      [false, false],
    );
    assert.match(responses[0]?.error ?? "", /smart-contract/);
  });

  test("LIMIT look-ups are bounded in number and in the bytes of their answer", async (t) => {
    const { url } = await startNode(t, { limits: { lookupEntries: 3, pageBytes: 1_000 } });
    const { identity, mls } = connect(t, url);
    const { inboxId, created } = await person(1);
    await identity.publishIdentityUpdate({ identityUpdate: created });
    const too = { code: Code.InvalidArgument };
    const four = Array.from({ length: 4 }, () => ({ inboxId }));
    await assert.rejects(identity.getIdentityUpdates({ requests: four }), too);
    await assert.rejects(
      identity.getIdentityUpdates({ requests: four.slice(1) }),
      too,
      "three logs exceed 1 000 bytes",
    );
    await assert.rejects(identity.getInboxIds({ requests: four.map(() => ({})) }), too);
    await assert.rejects(identity.getInboxIds({ requests: [{ identifier: "x".repeat(600) }] }), too);
    await assert.rejects(mls.fetchKeyPackages({ installationKeys: four.map(() => utf8("key")) }), too);
    await assert.rejects(mls.getNewestGroupMessage({ groupIds: four.map(() => utf8("group")) }), too);
  });
});

describe("MlsApi: key packages", () => {
  async function keyPackage(seed: number, nowSeconds = BigInt(Math.floor(Date.now() / 1_000))) {
    const { inboxId } = await person(seed);
    const signatureKeyPair = await nodeCrypto.suite(3).generateSignatureKeyPair();
    const identity = { credential: encodeMlsCredential(inboxId), signatureKeyPair };
    const make = () => createInstallationKeyPackage({ crypto: nodeCrypto, identity, inboxId, nowSeconds });
    return { installationKey: signatureKeyPair.publicKey, make };
  }

  for (const protocol of PROTOCOLS) {
    test(`NODE ${protocol}: the latest upload of an installation wins; fetching keeps order and length`, async (t) => {
      const { url } = await startNode(t);
      const { mls } = connect(t, url, protocol);
      const { installationKey, make } = await keyPackage(1);
      const upload = (bytes: Uint8Array) =>
        mls.uploadKeyPackage({ keyPackage: { keyPackageTlsSerialized: bytes }, isInboxIdCredential: true });
      await upload((await make()).bytes);
      const latest = (await make()).bytes;
      await upload(latest);
      const nobody = new Uint8Array(32);
      const { keyPackages } = await mls.fetchKeyPackages({ installationKeys: [nobody, installationKey, nobody] });
      assert.deepEqual(
        keyPackages.map((found) => toHex(found.keyPackageTlsSerialized)),
        ["", toHex(latest), ""],
      );
    });
  }

  test("NODE key packages that do not verify are refused: changed, cut short, expired, missing, too large", async (t) => {
    const { url } = await startNode(t);
    const { mls } = connect(t, url);
    const { installationKey, make } = await keyPackage(1);
    const { bytes } = await make();
    const changed = Uint8Array.from(bytes);
    changed[10] = (changed[10] ?? 0) ^ 1;
    const expired = await (await keyPackage(1, 1_000_000n)).make();
    const bad = [
      changed,
      bytes.subarray(1),
      bytes.subarray(0, -1),
      expired.bytes,
      new Uint8Array(),
      new Uint8Array(70_000),
    ];
    for (const keyPackageTlsSerialized of bad) {
      await assert.rejects(mls.uploadKeyPackage({ keyPackage: { keyPackageTlsSerialized } }), {
        code: Code.InvalidArgument,
      });
    }
    await assert.rejects(mls.uploadKeyPackage({}), { code: Code.InvalidArgument });
    const { keyPackages } = await mls.fetchKeyPackages({ installationKeys: [installationKey] });
    assert.equal(keyPackages[0]?.keyPackageTlsSerialized.length, 0);
  });
});
