import assert from "node:assert/strict";
import { test } from "node:test";
import { clone, create } from "@bufbuild/protobuf";
import { LatchkeyError } from "@latchkey/mls";
import type { Environment } from "@latchkey/client";
import { generatedSigner } from "@latchkey/client/node";
import { addInstallationUpdate, createInboxUpdate, InstallationKey, type WalletSigner } from "@latchkey/xmtp";
import { IdentityUpdateSchema, SignatureSchema, type IdentityUpdate } from "@latchkey/xmtp/proto";
import { epochOf, World, type Wrap } from "./support.ts";

type Verify = NonNullable<Environment["transport"]["verifyContractSignatures"]>;

const TIME_NS = 1_700_000_000_000_000_000n;

/** `update` with the wallet's signature as a smart-contract wallet would give it, on chain 1. */
function asContract(update: IdentityUpdate, wallet: WalletSigner): IdentityUpdate {
  const changed = clone(IdentityUpdateSchema, update);
  const accountId = `eip155:1:${wallet.identifier}`;
  const value = { accountId, blockNumber: 7n, signature: new Uint8Array(96).fill(1) };
  const signature = create(SignatureSchema, { signature: { case: "erc6492", value } });
  for (const { kind } of changed.actions) {
    if (kind.case === "createInbox") kind.value.initialIdentifierSignature = signature;
    if (kind.case === "add") kind.value.existingMemberSignature = signature;
  }
  return changed;
}

const freshKey = () => new InstallationKey(crypto.getRandomValues(new Uint8Array(32)));

/** The inbox of a smart-contract wallet, as a node has it that asks the chain. */
async function contractInbox(): Promise<IdentityUpdate> {
  const wallet = generatedSigner();
  const update = await createInboxUpdate({ wallet, nonce: 1n, installation: freshKey(), timestampNs: TIME_NS });
  return asContract(update, wallet);
}

/** A node that has further updates at the ends of logs, and answers about contracts as `verify` does. */
function withContracts(further: readonly IdentityUpdate[], verify?: Verify): Wrap {
  return (environment) => {
    const { transport } = environment;
    const wrapped: Environment["transport"] = {
      ...transport,
      verifyContractSignatures: verify,
      async getIdentityUpdates(requests, signal) {
        const answers = await transport.getIdentityUpdates(requests, signal);
        return answers.map((entries, index) => {
          const { inboxId, afterSequenceId } = requests[index] ?? { inboxId: "", afterSequenceId: 0n };
          const update = further.find((candidate) => candidate.inboxId === inboxId);
          const sequenceId = 1_000n;
          if (update === undefined || afterSequenceId >= sequenceId) return entries;
          return [...entries, { sequenceId, serverTimestampNs: 1n, update }];
        });
      },
    };
    return { ...environment, transport: wrapped };
  };
}

const unable: readonly [string, Verify | undefined][] = [
  ["has no such method", undefined],
  ["does not know the method", () => Promise.reject(new LatchkeyError("NODE_REJECTED", "unimplemented"))],
  ["says that it asks no chain", (questions) => Promise.resolve(questions.map(() => false))],
];

test("TRU-13 an inbox that the node does not verify is refused by name before anything is committed", async (t) => {
  const world = await World.start(t);
  const member = await world.device("member");
  const contract = await contractInbox();
  for (const [index, [title, verify]] of unable.entries()) {
    const wrap = withContracts([contract], verify);
    const { client } = await world.device(`admin-${index}`, { wrap });
    const refusal = { code: "INBOX_UNVERIFIABLE", data: { inboxIds: [contract.inboxId] } };
    const both = [member.client.inboxId, contract.inboxId];
    await assert.rejects(client.conversations.createGroup(both), refusal, title);
    assert.deepEqual(client.conversations.list(), []);
    const group = await client.conversations.createGroup([member.client.inboxId]);
    const before = epochOf(group);
    await assert.rejects(group.addMembers([contract.inboxId]), refusal, title);
    assert.deepEqual(epochOf(group), before);
  }
});

test("TRU-13 a member or a joiner that gained such a wallet is named, and keeps nobody else from being followed", async (t) => {
  const world = await World.start(t);
  const further: IdentityUpdate[] = [];
  const wrap = withContracts(further);
  const admin = await world.device("admin", { wrap });
  const [first, second] = [await world.device("first"), await world.device("second")];
  const joiner = await world.device("joiner", { wrap });
  const group = await admin.client.conversations.createGroup([first.client.inboxId, second.client.inboxId]);
  const invite = await group.createInvite();
  const add = async ({ signer, client }: typeof first, installation: InstallationKey) =>
    addInstallationUpdate({ wallet: signer, inboxId: client.inboxId, installation, timestampNs: TIME_NS });
  for (const device of [first, joiner]) further.push(asContract(await add(device, freshKey()), device.signer));
  await world.device("second-again", { signer: second.signer });
  await assert.rejects(group.updateInstallations(), {
    code: "INBOX_UNVERIFIABLE",
    data: { inboxIds: [first.client.inboxId] },
  });
  const followed = group.members().find(({ inboxId }) => inboxId === second.client.inboxId);
  assert.equal(followed?.installations.length, 2);

  const before = epochOf(group);
  await assert.rejects(joiner.client.conversations.joinByInvite(invite.url), {
    code: "INBOX_UNVERIFIABLE",
    data: { inboxIds: [joiner.client.inboxId] },
  });
  await group.sync();
  assert.deepEqual(epochOf(group), before);
});

test("TRU-13 a node that asks the chain is asked once, and its answer is kept with the update", async (t) => {
  const world = await World.start(t);
  const contract = await contractInbox();
  const asked: Parameters<Verify>[0][number][] = [];
  let answer: Verify = () => Promise.reject(new LatchkeyError("NODE_UNREACHABLE", "no answer", { retryable: true }));
  const wrap = withContracts([contract], (questions) => {
    asked.push(...questions);
    return answer(questions);
  });
  const admin = await world.device("admin", { wrap });
  const create = () => admin.client.conversations.createGroup([contract.inboxId]);
  await assert.rejects(create(), { code: "NODE_UNREACHABLE" });
  answer = (questions) => Promise.resolve(questions.map(() => true));
  // It was verified, and has a device that nobody can add.
  await assert.rejects(create(), { code: "KEY_PACKAGE_MISSING" });
  await world.restart(admin, wrap);
  await assert.rejects(create(), { code: "KEY_PACKAGE_MISSING" });
  assert.equal(asked.length, 2);
  const [question] = asked;
  assert.ok(question !== undefined);
  assert.match(question.accountId, /^eip155:1:0x[0-9a-f]{40}$/);
  assert.equal(question.blockNumber, 7n);
  assert.equal(question.hash.length, 32);
  assert.equal(question.signature.length, 96);
});
