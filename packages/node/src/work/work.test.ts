import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clone, create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  addAccountUpdate,
  createInboxUpdate,
  deriveInboxId,
  identityUpdateText,
  InstallationKey,
  localWallet,
} from "@latchkey/xmtp";
import {
  IdentityActionSchema,
  IdentityUpdateSchema,
  SignatureSchema,
  type IdentityAction,
  type IdentityUpdate,
} from "@latchkey/xmtp/proto";
import { connect, startNode } from "../testing/support.ts";
import { createIdentityJudge } from "./identity-judge.ts";

const wallet = (seed: number) => localWallet(new Uint8Array(32).fill(seed));
const key = (seed: number) => new InstallationKey(new Uint8Array(32).fill(seed));

/** An update whose every action is signed by the wallet, additions by the installation as well. */
async function signed(seed: number, actions: IdentityAction[], clientTimestampNs: bigint): Promise<IdentityUpdate> {
  const inboxId = deriveInboxId(wallet(seed).identifier, 1n);
  const update = create(IdentityUpdateSchema, { inboxId, clientTimestampNs, actions });
  const text = identityUpdateText(update);
  const bytes = await wallet(seed).signMessage(text);
  const byWallet = create(SignatureSchema, { signature: { case: "erc191", value: { bytes } } });
  for (const { kind } of update.actions) {
    if (kind.case === "revoke") kind.value.recoveryIdentifierSignature = byWallet;
    if (kind.case !== "add" || kind.value.newMemberIdentifier?.kind.case !== "installationPublicKey") continue;
    const added = installations.get(kind.value.newMemberIdentifier.kind.value[0] ?? 0);
    assert.ok(added);
    const value = { bytes: added.sign(text), publicKey: added.publicKey };
    kind.value.existingMemberSignature = byWallet;
    kind.value.newMemberSignature = create(SignatureSchema, { signature: { case: "installationKey", value } });
  }
  return update;
}

/** By the first byte of their public keys. */
const installations = new Map<number, InstallationKey>();
for (let seed = 10; installations.size < 40; seed++) {
  const made = key(seed);
  const [first = 0] = made.publicKey;
  if (!installations.has(first)) installations.set(first, made);
}

const add = ({ publicKey }: InstallationKey) =>
  create(IdentityActionSchema, {
    kind: {
      case: "add",
      value: { newMemberIdentifier: { kind: { case: "installationPublicKey", value: publicKey } } },
    },
  });
const revoke = (publicKey: Uint8Array) =>
  create(IdentityActionSchema, {
    kind: { case: "revoke", value: { memberToRevoke: { kind: { case: "installationPublicKey", value: publicKey } } } },
  });

async function verifiedSeconds(metricsUrl: string): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  return Number(/^latchkey_node_verification_seconds_total (\S+)$/m.exec(text)?.[1]);
}

function codeOf(error: unknown): string | null {
  assert.ok(error instanceof ConnectError);
  return error.metadata.get("x-latchkey-error");
}

describe("the work of verification", () => {
  test("TRU-19 the heaviest legal updates pass: forty devices at once, 512 revocations in one update", async (t) => {
    const { url } = await startNode(t, { limits: { installationsPerInbox: 41 } });
    const { identity } = connect(t, url);
    const identityUpdate = await createInboxUpdate({
      wallet: wallet(1),
      nonce: 1n,
      installation: key(1),
      timestampNs: 1n,
    });
    await identity.publishIdentityUpdate({ identityUpdate });
    const devices = [...installations.values()];
    await identity.publishIdentityUpdate({ identityUpdate: await signed(1, devices.map(add), 2n) });
    const unknown = Array.from({ length: 512 - devices.length }, (_, index) => {
      const publicKey = new Uint8Array(32).fill(7);
      new DataView(publicKey.buffer).setUint32(0, index);
      return publicKey;
    });
    const gone = [...devices.map(({ publicKey }) => publicKey), ...unknown];
    const revocation = await signed(1, gone.map(revoke), 3n);
    assert.ok(toBinary(IdentityUpdateSchema, revocation).length > 50_000);
    await identity.publishIdentityUpdate({ identityUpdate: revocation });
    await identity.publishIdentityUpdate({ identityUpdate: revocation });
    const { inboxId } = identityUpdate;
    const { responses } = await identity.getIdentityUpdates({ requests: [{ inboxId }] });
    assert.equal(responses[0]?.updates.length, 3, "what comes again is known already");
  });

  test("TRU-19 a refused update is refused again without work, and its neighbour is judged by itself", async (t) => {
    const { url, metricsUrl } = await startNode(t);
    const { identity } = connect(t, url);
    const good = await createInboxUpdate({ wallet: wallet(1), nonce: 1n, installation: key(1), timestampNs: 1n });
    const bad = clone(IdentityUpdateSchema, good);
    bad.clientTimestampNs = 10n ** 18n;
    await assert.rejects(identity.publishIdentityUpdate({ identityUpdate: bad }), { code: Code.InvalidArgument });
    const seconds = await verifiedSeconds(metricsUrl);
    assert.ok(seconds > 0);
    for (let index = 0; index < 20; index++)
      await assert.rejects(identity.publishIdentityUpdate({ identityUpdate: bad }), { code: Code.InvalidArgument });
    assert.equal(await verifiedSeconds(metricsUrl), seconds);
    await identity.publishIdentityUpdate({ identityUpdate: good });
  });

  test("RATE_LIMITED: an address that used up its work waits, registers all the same, and others are served", async (t) => {
    const { url } = await startNode(t, {
      trustForwardedFor: true,
      limits: { workBurstMicros: 1, workMicrosPerSecond: 1 },
    });
    const { identity } = connect(t, url);
    const from = (address: string) => ({ headers: { "x-forwarded-for": address } });
    const register = async (seed: number) => {
      const options = { wallet: wallet(seed), nonce: 1n, installation: key(seed), timestampNs: 1n };
      await identity.publishIdentityUpdate({ identityUpdate: await createInboxUpdate(options) }, from("192.0.2.1"));
    };
    for (const seed of [1, 2, 3]) await register(seed);
    const identityUpdate = await signed(1, [...installations.values()].slice(0, 1).map(add), 2n);
    await assert.rejects(identity.publishIdentityUpdate({ identityUpdate }, from("192.0.2.1")), (error) => {
      assert.ok(error instanceof ConnectError && Number(error.metadata.get("retry-after")) >= 1);
      return codeOf(error) === "RATE_LIMITED";
    });
    await identity.publishIdentityUpdate({ identityUpdate }, from("192.0.2.2"));
    await register(4);
  });

  test("IDENTITY_LOG_FULL: an inbox has a bounded number of installations, which may be taken away", async (t) => {
    const { url } = await startNode(t, { limits: { installationsPerInbox: 2 } });
    const { identity } = connect(t, url);
    const identityUpdate = await createInboxUpdate({
      wallet: wallet(1),
      nonce: 1n,
      installation: key(1),
      timestampNs: 1n,
    });
    await identity.publishIdentityUpdate({ identityUpdate });
    const [second, third] = installations.values();
    assert.ok(second !== undefined && third !== undefined);
    const publish = async (action: IdentityAction, timestampNs: bigint) =>
      identity.publishIdentityUpdate({ identityUpdate: await signed(1, [action], timestampNs) });
    await publish(add(second), 2n);
    await assert.rejects(publish(add(third), 3n), (error) => codeOf(error) === "IDENTITY_LOG_FULL");
    await publish(revoke(second.publicKey), 4n);
    await publish(add(third), 5n);
  });

  test("IDENTITY_LOG_FULL: the last updates of an inbox are for what its recovery identifier signs", async (t) => {
    const { url } = await startNode(t, { limits: { identityUpdatesPerInbox: 4, identityUpdatesReserved: 2 } });
    const { identity } = connect(t, url);
    const common = { installation: key(1), timestampNs: 1n };
    const created = await createInboxUpdate({ wallet: wallet(1), nonce: 1n, ...common });
    const { inboxId } = created;
    await identity.publishIdentityUpdate({ identityUpdate: created });
    const addAccount = async (seed: number) =>
      identity.publishIdentityUpdate({
        identityUpdate: await addAccountUpdate({ wallet: wallet(seed), inboxId, ...common }),
      });
    await addAccount(2);
    await assert.rejects(addAccount(3), (error) => codeOf(error) === "IDENTITY_LOG_FULL");
    const [device] = installations.values();
    assert.ok(device !== undefined);
    await identity.publishIdentityUpdate({ identityUpdate: await signed(1, [add(device)], 4n) });
    await identity.publishIdentityUpdate({ identityUpdate: await signed(1, [revoke(key(1).publicKey)], 5n) });
    await assert.rejects(
      signed(1, [revoke(device.publicKey)], 6n).then((identityUpdate) =>
        identity.publishIdentityUpdate({ identityUpdate }),
      ),
      (error) => codeOf(error) === "IDENTITY_LOG_FULL",
    );
  });

  test("an update that is judged behind a newer one, by a log that has grown, leaves the inbox usable", async () => {
    const judge = createIdentityJudge();
    const bounds = { maxUpdates: 256, reservedUpdates: 32, maxInstallations: 10 };
    const created = await createInboxUpdate({ wallet: wallet(1), nonce: 1n, installation: key(1), timestampNs: 1n });
    const { inboxId } = created;
    const updates = [created];
    for (const device of [...installations.values()].slice(0, 4)) {
      updates.push(await signed(1, [add(device)], BigInt(updates.length + 1)));
    }
    const log = updates.map((update, index) => ({
      id: BigInt(index + 1),
      payload: toBinary(IdentityUpdateSchema, update),
    }));
    const ask = (lastId: bigint, update: Uint8Array | undefined) => {
      assert.ok(update !== undefined);
      return judge({ inboxId, lastId, update, entries: log, ...bounds });
    };
    // Two publishers have read the log when it had two and one updates; it has five when both are judged.
    ask(2n, log[2]?.payload);
    ask(1n, log[1]?.payload);
    for (const lastId of [3n, 4n, 2n]) ask(lastId, log[Number(lastId)]?.payload);
  });
});
