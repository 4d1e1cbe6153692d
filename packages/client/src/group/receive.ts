import {
  equalBytes,
  LatchkeyError,
  peekMlsMessage,
  ValidationError,
  type AppDataChanges,
  type LeafNode,
  type Received,
  type VerifiedCommit,
} from "@latchkey/mls";
import {
  appDataUpdatesOf,
  applyAppDataUpdates,
  checkMessageFraming,
  joinReceiptCodec,
  leafInboxId,
  mergeAppData,
  MissingIdentityError,
  requiredIdentities,
  validateExternalCommit,
  validateMemberCommit,
} from "@latchkey/xmtp";
import { verdictOn } from "../store/defects.ts";
import { clientError } from "../errors.ts";
import { endedEpoch } from "./ended-epoch.ts";
import { renewalAfterForeign, writeRenewal } from "./renewal-journal.ts";
import type { IdentitiesAt } from "../identity/identity-view.ts";
import { judgeEnvelope } from "../identity/judge-envelope.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { GroupRecord, MessageRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import { surplus } from "../store/surplus.ts";
import type { Envelope } from "../transport/transport.ts";
import type { GroupCore } from "./group-core.ts";
import { forgetLeavers } from "./leave-requests.ts";
import { CommitNotAppliedError } from "./hints.ts";
import { acceptsLateAdditions } from "./installations.ts";
import { keepMessage } from "./message-ids.ts";
import { messageRecord, senderOf } from "./message.ts";
import { failAllQueued } from "./outbox.ts";
import { isRefuted, recordParted } from "./parted.ts";
import { wordOf } from "./words.ts";
import { epochStart, isOwnCommit, messageHash, receiveOwnCommit, receiveOwnMessage } from "./own-echo.ts";

/** Moves behind the envelope. A commit of the present epoch that does not end it keeps strangers out until they are told. */
function advance(core: GroupCore, { id, data }: Envelope): Pick<GroupRecord, "cursor" | "contestedId"> {
  const { cursor, contestedId } = core.record;
  return {
    cursor: id > cursor ? id : cursor,
    contestedId: endedEpoch(data) === core.mls.epoch ? id : contestedId,
  };
}

/**
 * Deals with envelopes of the group's log, inside of `exclusive`; those that change nothing are one transaction.
 *
 * What is refused for good is recorded and passed by, so that no sender can stop a group; what may go well later
 * (network, identity log) and failures of the store are thrown, and the envelope is read again next time.
 */
export async function receiveEnvelopes(
  core: GroupCore,
  envelopes: readonly Envelope[],
  signal?: AbortSignal,
): Promise<void> {
  try {
    for (const envelope of envelopes) await receiveEnvelope(core, envelope, signal);
  } finally {
    core.flush();
  }
}

async function receiveEnvelope(core: GroupCore, envelope: Envelope, signal: AbortSignal | undefined): Promise<void> {
  if (envelope.id <= core.record.cursor || !core.active) return;
  const hash = messageHash(core.context, envelope.data);
  try {
    if (await receiveOwnCommit(core, envelope, hash, signal)) return;
    if (receiveOwnMessage(core, envelope, hash)) return;
    await receiveForeign(core, envelope, signal);
  } catch (error) {
    const { groupId, context } = core;
    const verdict = verdictOn(context, { groupId, id: envelope.id }, error, signal);
    core.pass(advance(core, envelope), { envelope, error: verdict });
    if (!isOwnCommit(core, hash)) return;
    // Nothing of a commit that members refuse may follow it: its Welcomes lead nowhere.
    core.step({ write: (tables) => tables.pendingCommits.delete(groupId) });
    core.settlePendingCommit(verdict);
  }
}

async function receiveForeign(core: GroupCore, envelope: Envelope, signal: AbortSignal | undefined): Promise<void> {
  checkMessageFraming(peekMlsMessage(envelope.data));
  const received = await core.mls.verify(envelope.data);
  switch (received.kind) {
    case "application":
      receiveApplication(core, envelope, received, await isRevoked(core, received.senderLeaf, envelope));
      break;
    case "proposal":
      core.step({ change: received.change, record: advance(core, envelope) });
      break;
    case "commit":
      await receiveCommit(core, envelope, received.commit, signal);
      break;
    case "future":
      throw new ValidationError("future-epoch", "a message is of an epoch that this member has not reached");
    case "own":
      if (received.isForeign) recordParted(core, "own-envelope", advance(core, envelope));
      else core.pass(advance(core, envelope));
      break;
    case "stale":
    case "duplicate":
      core.pass(advance(core, envelope));
      break;
  }
}

/**
 * Keys of past epochs are kept for what was on its way when the epoch ended, but whoever was removed by then has them too:
 * from the removal on, in the order of the log, nothing of theirs is taken, old epoch or not.
 */
function isMember({ mls }: GroupCore, { signatureKey }: LeafNode): boolean {
  return mls.findBySignatureKey(signatureKey) !== undefined;
}

/** Whether a message was stamped after the revocation of its sender's installation, as far as that is known. */
function isRevoked({ context }: GroupCore, sender: LeafNode, { createdNs }: Envelope): Promise<boolean> {
  const { inboxId, installationId } = senderOf(sender);
  return context.directory.isRevokedAt(inboxId, installationId, createdNs);
}

/** Throws NOT_A_MEMBER for a sender that was removed, or revoked. */
function requireMember(core: GroupCore, sender: LeafNode, revoked: boolean): void {
  if (!isMember(core, sender)) {
    throw clientError("NOT_A_MEMBER", "the sender was removed from the group before this message arrived");
  }
  if (!revoked) return;
  throw clientError("NOT_A_MEMBER", "the sender's installation was revoked before this message arrived", {
    rule: "MessageOfRevokedInstallation",
  });
}

function receiveApplication(
  core: GroupCore,
  envelope: Envelope,
  received: Received & { kind: "application" },
  revoked: boolean,
): void {
  const { change, senderLeaf, data } = received;
  const word = isMember(core, senderLeaf) && !revoked ? wordOf(core, senderLeaf, received.epoch) : undefined;
  const record = { ...advance(core, envelope), ...word?.record };
  let message: MessageRecord | undefined;
  try {
    requireMember(core, senderLeaf, revoked);
    message = messageRecord(core, envelope, senderOf(senderLeaf), data);
  } catch (error) {
    // The message key is used up whatever the content is worth: the change has to be kept.
    if (!(error instanceof LatchkeyError)) throw error;
    core.pass({}, { envelope, error });
  }
  core.step({
    change,
    record,
    write: (tables) => {
      word?.write(tables);
      if (message !== undefined && message.contentType !== joinReceiptCodec.type) {
        keepMessage(core, tables, message);
      }
    },
  });
  core.receipts.noteMessage(received.epoch, senderOf(senderLeaf).inboxId);
}

/** Counts with each, and reads when there are too many: a quarter of them goes, so that this is rare. */
function forgetOldAdmissions({ admissions }: Tables, groupId: Uint8Array): void {
  const { maxAdmissions } = CLIENT_LIMITS;
  if (admissions.count(groupId) <= maxAdmissions) return;
  for (const old of surplus(admissions.list(groupId), maxAdmissions * 0.75)) admissions.delete(groupId, old.id);
}

/** Who came in by which slot, and when: to be shown to people. The slot is that of the policy the commit was judged by. */
function recordAdmission(core: GroupCore, tables: Tables, envelope: Envelope, { pathLeaf }: VerifiedCommit): void {
  const { policy } = core.state;
  if (pathLeaf === undefined || policy === undefined) return;
  tables.admissions.put({
    groupId: core.groupId,
    id: envelope.id,
    inboxId: senderOf(pathLeaf).inboxId,
    externalGroupId: policy.externalGroupId,
    admittedAtNs: envelope.createdNs,
  });
  forgetOldAdmissions(tables, core.groupId);
}

async function receiveCommit(
  core: GroupCore,
  envelope: Envelope,
  commit: VerifiedCommit,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { mls, context } = core;
  const external = commit.sender.kind === "new_member_commit";
  const appData = mls.appData;
  const needed = requiredIdentities(commit, appData);
  const { createdNs: envelopeNs } = envelope;
  const common = { commit, appData, leaves: mls, envelopeTimeNs: envelopeNs };
  const judge = (identities: IdentitiesAt): AppDataChanges => {
    if (external) validateExternalCommit({ ...common, ...identities, epochStartNs: core.record.epochEnteredAtNs });
    const changes = applyAppDataUpdates(appData, appDataUpdatesOf(commit));
    if (!external) validateMemberCommit({ ...common, ...identities, newAppData: mergeAppData(appData, changes) });
    return changes;
  };
  const joiner = external && commit.pathLeaf !== undefined ? leafInboxId(commit.pathLeaf) : undefined;
  const fresh = joiner === undefined ? [] : [joiner];
  const sender = commit.sender.kind === "member" ? mls.leaf(commit.sender.leafIndex) : undefined;
  const needs = { points: needed, fresh, envelopeNs };
  const changes = await judgeEnvelope(context.directory, needs, judge, signal).catch((error: unknown) => {
    // Native members follow such a commit, so that the group may have gone on without this installation.
    const mayBeFollowed = error instanceof MissingIdentityError && sender !== undefined && !acceptsLateAdditions(core);
    throw mayBeFollowed ? CommitNotAppliedError.of(error, sender) : error;
  });
  const staged = await mls.stage(commit, { appData: changes }).catch((error: unknown) => {
    throw CommitNotAppliedError.of(error, sender);
  });
  if (staged.selfRemoved && isReadded(core, commit)) {
    recordParted(core, "readded", advance(core, envelope));
    return;
  }
  const word = sender === undefined ? undefined : wordOf(core, sender, mls.epoch);
  const renewal = staged.selfRemoved ? "over" : renewalAfterForeign(core, commit, changes);
  core.step({
    change: staged,
    record: {
      ...advance(core, envelope),
      ...epochStart(envelope),
      // Whoever came in behind a refused commit cannot know that they did, and leaves no blob before they do.
      ...(external && core.record.contestedId > 0n ? { contestedId: envelope.id } : {}),
      ...(isRefuted(core) ? { status: "confirmed" as const } : {}),
      ...word?.record,
      lastCommitId: envelope.id,
      ...(staged.selfRemoved ? { status: "removed" as const, active: 0n } : {}),
    },
    write: (tables) => {
      word?.write(tables);
      if (external) recordAdmission(core, tables, envelope, commit);
      writeRenewal(tables, core.groupId, renewal);
      // Somebody else's commit ended the epoch that our own one rested on.
      tables.pendingCommits.delete(core.groupId);
      if (!staged.selfRemoved) return;
      failAllQueued(tables, core.groupId, "NOT_A_MEMBER");
      tables.leaveRequests.delete(core.groupId);
      tables.joins.delete(core.groupId);
    },
  });
  core.settlePendingCommit("lost");
  if (external && envelopeNs > core.lastJoinNs) core.lastJoinNs = envelopeNs;
  forgetLeavers(core);
  if (sender !== undefined) core.receipts.noteMessage(commit.context.epoch, senderOf(sender).inboxId);
  else if (commit.pathLeaf !== undefined) oweReceipt(core, commit.pathLeaf);
}

/** Whether the commit that removes this installation adds it again: it has to come back by the Welcome. */
function isReadded({ context }: GroupCore, { added }: VerifiedCommit): boolean {
  return added.some(({ keyPackage }) => equalBytes(keyPackage.leafNode.signatureKey, context.own.installationKey));
}

/** Somebody joined: who is surely in the group itself can prove to them that members follow. */
function oweReceipt(core: GroupCore, joiner: LeafNode): void {
  if (core.context.joinReceipts === false || core.record.status !== "confirmed") return;
  core.receipts.noteJoin({ epoch: core.mls.epoch, inboxId: senderOf(joiner).inboxId });
}
