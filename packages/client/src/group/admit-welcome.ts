import { fromHex } from "@latchkey/mls";
import type { GroupsContext } from "./group-registry.ts";
import type { Tables } from "../store/store.ts";
import { historyOf } from "./entries.ts";
import type { GroupCore } from "./group-core.ts";
import { dropSurplusClaims, succeed, trustedFlag, writeClaim } from "./histories.ts";
import { readLog } from "./sync.ts";
import { judgeWelcome, type WelcomedGroup, type WelcomeVerdict } from "./welcome-rules.ts";
import { writeJoinedGroup } from "./write-group.ts";

/**
 * Does with a group that a Welcome brought what `welcome-rules.ts` says of it, in one transaction with `note`; returns the
 * group when there is a new one to show.
 */
export async function admitWelcome(
  context: GroupsContext,
  welcomed: WelcomedGroup,
  note: (tables: Tables) => void,
  signal: AbortSignal | undefined,
): Promise<GroupCore | undefined> {
  const known = context.groups.get(welcomed.record.groupId);
  if (known === undefined) return admitNew(context, welcomed, note, signal);
  return known.exclusive(async () => {
    // An installation that was removed and added again reads of the removal first. Nothing leaves it here: the Welcome may
    // be the first sign of another history.
    if (known.active && welcomed.group.epoch > known.mls.epoch) await readLog(known, signal);
    const verdict = await judgeWelcome(context, known, welcomed, signal);
    return admitBeside(context, known, welcomed, verdict, note);
  }, signal);
}

async function admitNew(
  context: GroupsContext,
  welcomed: WelcomedGroup,
  note: (tables: Tables) => void,
  signal: AbortSignal | undefined,
): Promise<GroupCore | undefined> {
  const { record, group } = welcomed;
  const isNew = (await judgeWelcome(context, undefined, welcomed, signal)) === "open";
  context.store.transaction((tables) => {
    note(tables);
    if (!isNew) return;
    writeJoinedGroup(tables, record, group.snapshot());
    tables.histories.put(signedBy(context, welcomed));
  });
  return isNew ? context.groups.adopt(record) : undefined;
}

function signedBy(context: GroupsContext, { record, signer }: WelcomedGroup) {
  return {
    ...historyOf(context, record.groupId),
    welcomedBy: fromHex(signer.inboxId),
    signerKey: fromHex(signer.installationId),
    trusted: 0n,
    proof: undefined,
  };
}

function admitBeside(
  context: GroupsContext,
  known: GroupCore,
  welcomed: WelcomedGroup,
  verdict: WelcomeVerdict,
  note: (tables: Tables) => void,
): GroupCore | undefined {
  if (verdict === "pass" || verdict === "open") {
    context.store.transaction(note);
    return undefined;
  }
  const { groupId } = known;
  const record = context.store.transaction((tables) => {
    note(tables);
    const claim = writeClaim(context, tables, welcomed, welcomed.group.snapshot());
    if (verdict !== "claim")
      return succeed(context, tables, known, claim, verdict, trustedFlag(context, known, welcomed));
    dropSurplusClaims(context, tables, groupId);
    return undefined;
  });
  return record === undefined ? undefined : context.groups.adopt(record);
}
