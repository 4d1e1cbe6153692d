import { MlsGroup, peekMlsMessage, ValidationError } from "@latchkey/mls";
import { decodeMlsCredential, isMigrated, readOneshot, type ReaddRequest } from "@latchkey/xmtp";
import { WelcomePointerWrapperAlgorithm } from "@latchkey/xmtp/proto";
import type { Apart } from "../apart.ts";
import type { GroupsContext } from "./group-registry.ts";
import { verdictOn } from "../store/defects.ts";
import { clientError } from "../errors.ts";
import { rotateKeyPackage } from "../identity/key-packages.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { IdentityRecord, ReaddRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import { surplus } from "../store/surplus.ts";
import { resumePages, type WelcomeEnvelope } from "../transport/transport.ts";
import { admitWelcome } from "./admit-welcome.ts";
import { checkMembership } from "./check-membership.ts";
import type { GroupCore } from "./group-core.ts";
import { newGroupRecord } from "./group-record.ts";
import { senderOf } from "./message.ts";
import { readdOf } from "./readd-requests.ts";
import { openEnvelope, type OpenedWelcome } from "./welcome-content.ts";
import type { WelcomedGroup } from "./welcome-rules.ts";

/**
 * Reads the Welcomes for this installation and opens the groups they lead to; then, when there was one, gives the
 * next inviter a fresh key package. A Welcome that is no good is passed by, as envelopes of groups are; one that is to be
 * read again keeps the cursor where it is, and no later one from being opened.
 */
export function syncWelcomes(
  context: GroupsContext,
  apart: Apart,
  signal: AbortSignal | undefined,
): Promise<GroupCore[]> {
  return context.welcomeTurn.run(() => syncInTurn(context, apart, signal), signal);
}

async function syncInTurn(context: GroupsContext, apart: Apart, signal: AbortSignal | undefined): Promise<GroupCore[]> {
  const { transport, store, welcomesAhead } = context;
  const joined: GroupCore[] = [];
  const receive = (envelope: WelcomeEnvelope, isNext: boolean) =>
    apart.run(async () => {
      const core = await receiveWelcome(context, envelope, isNext, signal);
      if (core !== undefined) joined.push(core);
    });
  for (const { id, ...record } of store.waitingWelcomes.list()) {
    await receive({ kind: "pointer", id, ...record, wrapperAlgorithm: POINTER_ALGORITHM }, true);
  }
  const { afterId, checkedId } = welcomePosition(context);
  const onChecked = (isThere: boolean) => {
    const write = isThere ? { welcomeCheckedId: afterId } : { welcomeCursor: checkedId };
    store.transaction((tables) => moveTo(tables, write));
  };
  const position = { topic: context.own.installationKey, afterId, checkedId, onChecked };
  const query: typeof transport.queryWelcomeMessages = (at, stop) => transport.queryWelcomeMessages(at, stop);
  let isNext = true;
  let seen = false;
  for await (const page of resumePages(query, position, signal)) {
    for (const envelope of page) {
      if (envelope.id <= welcomePosition(context).afterId) continue;
      if (welcomesAhead.has(envelope.id)) {
        if (isNext) store.transaction((tables) => moveBehind(tables, envelope));
      } else if (await receive(envelope, isNext)) {
        seen = true;
        if (!isNext) welcomesAhead.add(envelope.id);
      } else isNext = false;
    }
  }
  if (isNext) welcomesAhead.clear();
  if (seen) await apart.run(() => rotateKeyPackage(context, signal));
  return joined;
}

/** Pointers come with this wrapping only; one that said something else is not kept. */
const POINTER_ALGORITHM = WelcomePointerWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6;

function welcomePosition({ store }: GroupsContext): { readonly afterId: bigint; readonly checkedId: bigint } {
  const self = store.identity.get("self");
  return { afterId: self?.welcomeCursor ?? 0n, checkedId: self?.welcomeCheckedId ?? 0n };
}

function moveTo({ identity }: Tables, position: Partial<IdentityRecord>): void {
  const self = identity.get("self");
  if (self !== undefined) identity.put({ ...self, ...position });
}

/** Deals with one Welcome; undefined when it leads to no group that is new here. `isNext`: none before it is to be read again. */
async function receiveWelcome(
  context: GroupsContext,
  envelope: WelcomeEnvelope,
  isNext: boolean,
  signal: AbortSignal | undefined,
): Promise<GroupCore | undefined> {
  let opened: WelcomedGroup | undefined;
  let unsupported: Uint8Array | undefined;
  let readd: ReaddRecord | undefined;
  let waits = false;
  try {
    const content = await openEnvelope(context, envelope, signal);
    waits = content === undefined;
    if (content !== undefined) {
      const welcomed = await MlsGroup.fromWelcome(context.groupConfig, content.welcome, [content.bundle]);
      requireUsableId(welcomed.group.groupId);
      if (isMigrated(welcomed.group.appData)) opened = await openGroup(context, envelope, content, welcomed, signal);
      else {
        const oneshot = readOneshot(welcomed.group.context.extensions);
        if (oneshot === undefined) unsupported = welcomed.group.groupId;
        else readd = requestIn(context, oneshot.request, welcomed);
      }
    }
  } catch (error) {
    verdictOn(context, { id: envelope.id }, error, signal);
  }
  const note = (tables: Tables) => {
    if (isNext) moveBehind(tables, envelope);
    keepWaiting(tables, envelope, waits, context.time.bestNs());
    if (unsupported !== undefined) noteUnsupported(tables, unsupported, envelope);
    if (readd !== undefined) tables.readds.put(readd);
  };
  if (opened !== undefined) return admitWelcome(context, opened, note, signal);
  context.store.transaction(note);
  return undefined;
}

/** The request in a Welcome that is itself the message, if its signer may ask for it. */
function requestIn(
  context: GroupsContext,
  request: ReaddRequest | undefined,
  { group, signer }: Awaited<ReturnType<typeof MlsGroup.fromWelcome>>,
): ReaddRecord | undefined {
  const leaf = group.leaf(signer);
  if (request === undefined || leaf === undefined) return undefined;
  return readdOf(context.groups.get(request.groupId), senderOf(leaf), context.clock.nowNs());
}

/** A group has its log under its id: one whose id no node takes is none, and is not kept. */
function requireUsableId({ length }: Uint8Array): void {
  const { maxGroupIdBytes } = CLIENT_LIMITS;
  if (length > 0 && length <= maxGroupIdBytes) return;
  throw clientError("GROUP_UNSUPPORTED", `the id of a group has 1 to ${maxGroupIdBytes} bytes, not ${length}`);
}

function moveBehind(tables: Tables, { id }: WelcomeEnvelope): void {
  const self = tables.identity.get("self");
  if (self !== undefined && self.welcomeCursor < id) tables.identity.put({ ...self, welcomeCursor: id });
}

/** Notes a pointer whose Welcome is not there yet, for as long as its key package is kept; or that it waits no more. */
function keepWaiting({ waitingWelcomes }: Tables, envelope: WelcomeEnvelope, waits: boolean, nowNs: bigint): void {
  const { id, createdNs, hpkePublicKey } = envelope;
  const fresh = nowNs < createdNs + CLIENT_LIMITS.keyPackageRetentionNs;
  if (!waits || !fresh || envelope.kind !== "pointer") {
    waitingWelcomes.delete(id);
    return;
  }
  waitingWelcomes.put({ id, createdNs, hpkePublicKey, welcomePointer: envelope.welcomePointer });
  for (const old of surplus(waitingWelcomes.list(), CLIENT_LIMITS.maxWaitingWelcomes)) waitingWelcomes.delete(old.id);
}

/** Notes a group of the form before app data, so that people learn where they were added. */
function noteUnsupported({ unsupportedGroups }: Tables, groupId: Uint8Array, { createdNs }: WelcomeEnvelope): void {
  unsupportedGroups.put({ groupId, addedAtNs: createdNs });
  const noted = unsupportedGroups.list().sort((a, b) => (a.addedAtNs < b.addedAtNs ? -1 : 1));
  for (const old of surplus(noted, CLIENT_LIMITS.maxUnsupportedGroups)) unsupportedGroups.delete(old.groupId);
}

async function openGroup(
  context: GroupsContext,
  envelope: WelcomeEnvelope,
  { messageCursor }: OpenedWelcome,
  { group, signer }: Awaited<ReturnType<typeof MlsGroup.fromWelcome>>,
  signal: AbortSignal | undefined,
): Promise<WelcomedGroup> {
  await checkMembership(context, group, envelope.createdNs, signal);
  const inviter = group.leaf(signer);
  if (inviter === undefined) throw new ValidationError("signer", "a Welcome is signed by a leaf that is blank");
  const commitNs = await commitTime(context, group, messageCursor, signal);
  // When our own device joined by invite and brought us along, the proof that members follow is still to come.
  const ownJoin = decodeMlsCredential(inviter.credential) === context.own.inboxId;
  const record = newGroupRecord({
    groupId: group.groupId,
    cursor: messageCursor,
    epochEnteredAtNs: commitNs ?? envelope.createdNs,
    createdAtNs: envelope.createdNs,
    status: ownJoin ? "pending" : "confirmed",
    proven: 0n,
  });
  return { record, group, signer: senderOf(inviter), hasCommit: commitNs !== undefined };
}

/**
 * Envelope time of the commit that a Welcome names, so that the epoch begins at the same time for those who come by
 * Welcome as for those who were there: the age limit of invites must not depend on it. Undefined without such a commit.
 */
async function commitTime(
  context: GroupsContext,
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
