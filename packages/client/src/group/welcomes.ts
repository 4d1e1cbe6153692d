import { LatchkeyError, MlsGroup, peekMlsMessage } from "@latchkey/mls";
import { decodeMlsCredential, unwrapWelcome, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import type { ClientContext } from "../context.ts";
import { clientError, isOurTrouble } from "../errors.ts";
import { bundleFor, rotateKeyPackage } from "../identity/key-packages.ts";
import type { GroupRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import { readTopic, type WelcomeEnvelope } from "../transport/transport.ts";
import { checkMembership } from "./check-membership.ts";
import { writeRows, type GroupCore } from "./group-core.ts";

/**
 * Reads the Welcomes for this installation and opens the groups they lead to; then, when there was one, gives the
 * next inviter a fresh key package. A Welcome that is no good is passed by, as envelopes of groups are.
 */
export async function syncWelcomes(context: ClientContext, signal?: AbortSignal): Promise<GroupCore[]> {
  const { transport, store } = context;
  const position = { topic: context.own.installationKey, afterId: store.identity.get("self")?.welcomeCursor ?? 0n };
  const query: typeof transport.queryWelcomeMessages = (at, stop) => transport.queryWelcomeMessages(at, stop);
  const joined: GroupCore[] = [];
  let seen = false;
  for await (const envelope of readTopic(query, position, signal)) {
    seen = true;
    const core = await receiveWelcome(context, envelope, signal);
    if (core !== undefined) joined.push(core);
  }
  if (seen) await rotateKeyPackage(context, signal);
  return joined;
}

/** Deals with one Welcome; undefined when it leads to no group that is new here. */
async function receiveWelcome(
  context: ClientContext,
  envelope: WelcomeEnvelope,
  signal?: AbortSignal,
): Promise<GroupCore | undefined> {
  if (envelope.id <= (context.store.identity.get("self")?.welcomeCursor ?? 0n)) return undefined;
  let opened: { record: GroupRecord; group: MlsGroup } | undefined;
  try {
    opened = await openWelcome(context, envelope, signal);
  } catch (error) {
    if (!(error instanceof LatchkeyError) || isOurTrouble(error)) throw error;
  }
  const known = opened === undefined ? undefined : context.groups.get(opened.record.groupId);
  const accept = async () => {
    // A Welcome must not replace a group that is alive here: anybody could write one for its id.
    const accepted = known?.active === true ? undefined : opened;
    context.store.transaction((tables) => {
      const self = tables.identity.get("self");
      if (self !== undefined) tables.identity.put({ ...self, welcomeCursor: envelope.id });
      if (accepted !== undefined) writeJoinedGroup(tables, accepted.record, accepted.group.snapshot());
    });
    return accepted === undefined ? undefined : context.groups.adopt(accepted.record);
  };
  return known === undefined ? accept() : known.exclusive(accept);
}

/** Writes a group that begins for this installation, in place of what may be left from an earlier membership. */
export function writeJoinedGroup(
  tables: Tables,
  record: GroupRecord,
  rows: ReadonlyMap<string, Uint8Array | null>,
): void {
  const { groupId } = record;
  tables.groupRows.delete(groupId);
  tables.pendingCommits.delete(groupId);
  tables.outbox.delete(groupId);
  tables.followUps.delete(groupId);
  tables.groups.put(record);
  writeRows(tables, groupId, rows);
}

async function openWelcome(
  context: ClientContext,
  envelope: WelcomeEnvelope,
  signal: AbortSignal | undefined,
): Promise<{ record: GroupRecord; group: MlsGroup }> {
  if (envelope.isPointer) {
    throw clientError("GROUP_UNSUPPORTED", "a Welcome is wrapped in a way that this client never announced");
  }
  const bundle = bundleFor(context, envelope.hpkePublicKey);
  if (bundle === undefined) throw clientError("KEY_PACKAGE_MISSING", "a Welcome is for a key package that is gone");
  const suite = context.crypto.suite(XMTP_CIPHER_SUITE);
  const initKeyPair = { privateKey: bundle.initPrivateKey, publicKey: bundle.keyPackage.initKey };
  const { data, welcomeMetadata, wrapperAlgorithm } = envelope;
  const unwrapped = await unwrapWelcome({ suite, initKeyPair, data, welcomeMetadata, wrapperAlgorithm });
  const { group, signer } = await MlsGroup.fromWelcome(context.groupConfig, unwrapped.welcome, [bundle]);
  await checkMembership(context, group, signal);
  const inviter = group.leaf(signer);
  // When our own device joined by invite and brought us along, the proof that members follow is still to come.
  const ownJoin = inviter !== undefined && decodeMlsCredential(inviter.credential) === context.own.inboxId;
  const record: GroupRecord = {
    groupId: group.groupId,
    cursor: unwrapped.messageCursor,
    epochEnteredAtNs: (await commitTime(context, group, unwrapped.messageCursor, signal)) ?? envelope.createdNs,
    createdAtNs: envelope.createdNs,
    status: ownJoin ? "pending" : "confirmed",
    active: 1n,
  };
  return { record, group };
}

/**
 * Envelope time of the commit that a Welcome names, so that the epoch begins at the same time for those who come by
 * Welcome as for those who were there: the age limit of invites must not depend on it. Undefined without such a commit.
 */
async function commitTime(
  context: ClientContext,
  group: MlsGroup,
  commitId: bigint,
  signal: AbortSignal | undefined,
): Promise<bigint | undefined> {
  if (commitId <= 0n) return undefined;
  const { items } = await context.transport.queryGroupMessages(
    { topic: group.groupId, afterId: commitId - 1n },
    signal,
  );
  const commit = items.find(({ id }) => id === commitId);
  if (commit === undefined) return undefined;
  const { contentKind, epoch } = peekMlsMessage(commit.data);
  return contentKind === "commit" && epoch === group.epoch - 1n ? commit.createdNs : undefined;
}
