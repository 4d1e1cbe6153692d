import assert from "node:assert/strict";
import {
  createExternalCommit,
  encodeMlsMessage,
  equalBytes,
  fromHex,
  LatchkeyError,
  toHex,
  verifyGroupInfo,
  type CryptoProvider,
  type Extension,
  type ExternalCommitOptions,
  type ExternalCommitPolicy,
  type KeyPackage,
  type Proposal,
  type ProposalKind,
  type ProposalOrRef,
  type VerifiedGroupInfo,
} from "@latchkey/mls";

import { nodeCrypto } from "@latchkey/mls/node";
import { interimTranscriptHash, TreeDraft, zeroSecret } from "@latchkey/mls/internals";
import {
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  installationLeaf,
  membershipInsert,
  readGroupState,
  verifyInstallationKeyPackage,
  XMTP_CIPHER_SUITE,
} from "@latchkey/xmtp";
// The builders below have no legal use, so the engine does not offer them: the tests reach behind its entry point.
import { buildCommit } from "../../packages/mls/src/group/build-commit.ts";
import { protect } from "../../packages/mls/src/group/protect.ts";
import { loadState } from "../../packages/mls/src/group/state.ts";
import { configOf, epochOf, groupOf, publishRaw, type Device, type Parts } from "./support.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const EMPTY = new Uint8Array(0);

const ALL_KINDS: readonly ProposalKind[] = ["external_init", "add", "remove", "psk", "app_data_update"];
/** What an attacker's own engine lets pass. */
const ANYTHING: ExternalCommitPolicy = { byValue: new Set(ALL_KINDS), maxProposals: 1_000 };

/** A payload for one component, in an external commit. */
export interface RawUpdate {
  readonly componentId: number;
  readonly update: Uint8Array;
}

/** What an external commit without any of the client's checks says; by default what an honest joiner's would. */
export interface RawJoin extends Pick<ExternalCommitOptions, "adds" | "psks" | "resync"> {
  /** The inbox that the credential names. */
  readonly inboxId?: string;
  readonly sequenceId?: bigint;
  readonly tag?: Uint8Array;
  /** In place of a provider that does what it is asked to; see `garblingFor`. */
  readonly crypto?: CryptoProvider;
  readonly failedInstallations?: readonly string[];
  /** In place of the joiner's registration; told what that would be. */
  readonly updates?: (registration: RawUpdate) => readonly RawUpdate[];
}

/** A provider that encrypts to a shared secret of its own invention whatever is meant for one public key. */
export function garblingFor(publicKey: Uint8Array): CryptoProvider {
  const garbled = new Proxy(suite, {
    get(target, name) {
      const dh = (privateKey: Uint8Array, to: Uint8Array) =>
        equalBytes(to, publicKey) ? Promise.resolve(target.randomBytes(32)) : target.dh(privateKey, to);
      const value: unknown = name === "dh" ? dh : Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  return {
    suite: (id) => (id === XMTP_CIPHER_SUITE ? garbled : nodeCrypto.suite(id)),
    supports: (id) => nodeCrypto.supports(id),
    randomBytes: (length) => nodeCrypto.randomBytes(length),
  };
}

/** The values that updates lead to; where they lead nowhere the value stays, because members stop before they compare. */
function valuesAfter(info: VerifiedGroupInfo, updates: readonly RawUpdate[]): ReadonlyMap<number, Uint8Array | null> {
  try {
    return applyAppDataUpdates(
      info.appData,
      updates.map(({ componentId, update }) => appDataUpdate(componentId, update)),
    );
  } catch (error) {
    if (!(error instanceof LatchkeyError)) throw error;
    return new Map(updates.map(({ componentId }) => [componentId, info.appData.get(componentId) ?? EMPTY]));
  }
}

/** Builds an external commit that is whole and rightly signed, whatever it says. */
export async function rawExternalCommit(
  device: Device,
  groupInfo: Uint8Array,
  join: RawJoin = {},
): Promise<Uint8Array> {
  const info = await verifyGroupInfo({ crypto: join.crypto ?? nodeCrypto }, groupInfo);
  const inboxId = join.inboxId ?? device.client.inboxId;
  const [log] = await device.environment.transport.getIdentityUpdates([{ inboxId, afterSequenceId: 0n }]);
  const update = membershipInsert({
    inboxId,
    sequenceId: join.sequenceId ?? log?.at(-1)?.sequenceId ?? 0n,
    failedInstallations: join.failedInstallations ?? [],
    externalGroupId: join.tag ?? readGroupState(info.appData).policy?.externalGroupId ?? new Uint8Array(16),
  });
  const registration = { componentId: COMPONENT.groupMembership, update };
  const updates = join.updates?.(registration) ?? [registration];
  const config = {
    ...configOf(device, inboxId),
    ...(join.crypto === undefined ? {} : { crypto: join.crypto }),
    externalCommitPolicy: ANYTHING,
    externalPsk: () => new Uint8Array(32),
  };
  const { message } = await createExternalCommit(config, info, {
    leaf: installationLeaf(inboxId),
    adds: join.adds ?? [],
    ...(join.psks === undefined ? {} : { psks: join.psks }),
    ...(join.resync === undefined ? {} : { resync: join.resync }),
    appDataUpdates: updates,
    appData: valuesAfter(info, updates),
  });
  return message;
}

const NOTHING_APPLIED = {
  added: [],
  removed: [],
  newKeys: [],
  extensions: [],
  touchedComponents: new Set<number>(),
  optionalTypes: [],
  checks: [],
};

export function byValue(proposal: Proposal): ProposalOrRef {
  return { kind: "proposal", proposal };
}

/** A rightly signed external commit with any list of proposals; what they would do to the group is not even tried. */
export async function forgeExternalCommit(
  device: Device,
  groupInfo: Uint8Array,
  proposals: readonly ProposalOrRef[],
  options: { readonly path?: false } = {},
): Promise<Uint8Array> {
  const info = await verifyGroupInfo({ crypto: nodeCrypto }, groupInfo);
  const draft = new TreeDraft(info.tree);
  const { identity } = configOf(device);
  const built = await buildCommit({
    suite,
    identity,
    draft,
    applied: NOTHING_APPLIED,
    context: info.context,
    contextBytes: info.contextBytes,
    interimTranscriptHash: interimTranscriptHash(suite, info.context.confirmedTranscriptHash, EMPTY),
    extensions: info.context.extensions,
    sender: { kind: "new_member_commit" },
    committer: draft.reserveLeaf(),
    proposals,
    leaf: options.path === false ? undefined : installationLeaf(device.client.inboxId),
    initSecret: suite.randomBytes(32),
    pskSecret: zeroSecret(suite),
    wireFormat: "public_message",
    authenticatedData: EMPTY,
  });
  const { content, auth } = built.message;
  return encodeMlsMessage({ wireFormat: "public_message", message: { content, auth, membershipTag: undefined } });
}

function extensionsAfter(proposals: readonly Proposal[]): readonly Extension[] | undefined {
  return proposals.find((proposal) => proposal.kind === "group_context_extensions")?.extensions;
}

/** A member's commit with any proposals by value, signed and encrypted as that member's client would. */
export async function forgeMemberCommit(
  device: Parts,
  groupId: string,
  proposals: readonly Proposal[],
): Promise<Uint8Array> {
  const rows = device.environment.store.groupRows.list(fromHex(groupId));
  const state = loadState(
    configOf(device),
    rows.map(({ rowKey, value }): [string, Uint8Array] => [rowKey, value]),
  );
  const { head } = state;
  const built = await buildCommit({
    suite,
    identity: state.config.identity,
    draft: new TreeDraft(state.tree),
    applied: NOTHING_APPLIED,
    context: head.context,
    contextBytes: head.contextBytes,
    interimTranscriptHash: head.interimTranscriptHash,
    extensions: extensionsAfter(proposals) ?? head.context.extensions,
    sender: { kind: "member", leafIndex: head.ownLeafIndex },
    committer: head.ownLeafIndex,
    proposals: proposals.map(byValue),
    leaf: installationLeaf(device.client.inboxId),
    initSecret: head.secrets.init,
    pskSecret: zeroSecret(suite),
    wireFormat: "private_message",
    authenticatedData: EMPTY,
  });
  return protect(state, built.message).message;
}

/** A key package of a device, as the node hands it to anybody. */
export async function keyPackageOf(device: Device): Promise<KeyPackage> {
  const [bytes] = await device.environment.transport.fetchKeyPackages([fromHex(device.client.installationId)]);
  if (bytes === undefined) throw new Error(`${device.name} has no key package`);
  return (await verifyInstallationKeyPackage(nodeCrypto, bytes)).keyPackage;
}

/** Everything of a group that a device has on disk and that a commit could change. */
function stateOnDisk(device: Device, groupId: string) {
  const { store } = device.environment;
  const rows = store.groupRows.list(fromHex(groupId)).map(({ rowKey, value }) => `${rowKey}=${toHex(value)}`);
  return { rows: rows.sort(), pending: store.pendingCommits.list().length, followUps: store.followUps.list().length };
}

/** How a refusal is told: the rule alone for COMMIT_REJECTED, or the engine's code with its rule. */
export interface ExpectedRefusal {
  readonly code: string;
  readonly rule?: string;
}

function refusal(expected: string | ExpectedRefusal): ExpectedRefusal {
  return typeof expected === "string" ? { code: "COMMIT_REJECTED", rule: expected } : expected;
}

/**
 * Publishes illegal messages one by one and checks that every member refuses each by its rule, with nothing on its disk
 * changed, and that all go on as before.
 */
export async function allRefuseEach(
  members: readonly Device[],
  groupId: string,
  messages: readonly (readonly [Uint8Array, string | ExpectedRefusal])[],
): Promise<void> {
  const views = members.map((device) => groupOf(device, groupId));
  for (const view of views) await view.sync();
  const snapshot = () => members.map((device) => stateOnDisk(device, groupId));
  const before = {
    epochs: views.map(epochOf),
    disk: snapshot(),
    refusals: views.map((view) => view.rejections().length),
  };
  const [first] = members;
  if (first === undefined) throw new Error("no members");
  for (const [message] of messages) await publishRaw(first, message);
  for (const view of views) await view.sync();
  assert.deepEqual(views.map(epochOf), before.epochs);
  assert.deepEqual(snapshot(), before.disk);
  const expected = messages.map(([, told]) => refusal(told));
  for (const [index, view] of views.entries()) {
    const seen = view.rejections().slice(before.refusals[index]);
    assert.deepEqual(
      seen.map(({ code, rule }) => (rule === undefined ? { code } : { code, rule })),
      expected,
    );
  }
  const text = `still here after ${messages.length}`;
  await views[0]?.send(text);
  for (const view of views) {
    await view.sync();
    assert.equal(view.messages().at(-1)?.text, text);
  }
}

/** As `allRefuseEach`, for one commit. */
export function allRefuse(
  members: readonly Device[],
  groupId: string,
  commit: Uint8Array,
  expected: string | ExpectedRefusal,
): Promise<void> {
  return allRefuseEach(members, groupId, [[commit, expected]]);
}

/** Publishes a join by a stranger who names an update of its log that nobody has published. */
export async function publishUnknownId(stranger: Device, groupInfo: Uint8Array, sequenceId: bigint): Promise<void> {
  await publishRaw(stranger, await rawExternalCommit(stranger, groupInfo, { sequenceId }));
}
