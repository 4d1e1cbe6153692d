import { fromHex, LatchkeyError, toHex, type LeafNode } from "@latchkey/mls";
import type { HintRecord } from "../store/records.ts";
import type { Store, Tables } from "../store/store.ts";
import { senderOf } from "./message.ts";
import type { Refusal } from "./refusals.ts";

/*
 * A hint says that this installation may not follow the group. Anybody who knows the group's id can cause one, so that it
 * refuses nothing: it is shown, and lets this installation ask slots once in a while (`parted.ts`).
 */

/** What may be the matter: see `hintOf`. */
export type HintKind = HintRecord["kind"];

/** A reason to doubt that this installation follows the group. */
export interface Hint {
  readonly kind: HintKind;
  /** The newest envelope of that kind. */
  readonly sequenceId: bigint;
  /** The node's clock. */
  readonly sentAtNs: bigint;
  /** Envelopes of that kind since the last message of another member could be read. */
  readonly count: bigint;
  /** Inbox id of the committer, where one is known. */
  readonly committer: string | undefined;
}

/** A group whose hints are listed. */
interface HintedGroup {
  readonly groupId: Uint8Array;
  readonly context: { readonly store: Store };
}

/** A commit of the present epoch whose signatures were good and that could not be applied here. */
export class CommitNotAppliedError extends LatchkeyError {
  /** Inbox id of the committer; undefined for a joiner. */
  readonly committer: string | undefined;

  private constructor(cause: LatchkeyError, committer: string | undefined) {
    const { code, message, rule, data } = cause;
    super(code, message, { cause, data, ...(rule === undefined ? {} : { rule }) });
    this.committer = committer;
  }

  /** Names the committer of a commit that fails; an error that says nothing about the commit stays as it is. */
  static of(error: unknown, committer: LeafNode | undefined): unknown {
    if (!(error instanceof LatchkeyError) || error.scope !== "message") return error;
    return new CommitNotAppliedError(error, committer === undefined ? undefined : senderOf(committer).inboxId);
  }
}

function kindOf(error: LatchkeyError): HintKind | undefined {
  if (error instanceof CommitNotAppliedError) return "commit-not-applied";
  if (error.code === "DEFECT") return "defect";
  return error.rule === "future-epoch" ? "unreadable" : undefined;
}

/** Notes a refusal that makes it doubtful whether this installation follows the group. */
export function noteHint(tables: Tables, groupId: Uint8Array, { envelope, error }: Refusal): void {
  const kind = kindOf(error);
  if (kind === undefined) return;
  const { id, createdNs } = envelope;
  const count = (tables.hints.get(groupId, kind)?.count ?? 0n) + 1n;
  const committer = fromHex((error instanceof CommitNotAppliedError ? error.committer : undefined) ?? "");
  tables.hints.put({ groupId, kind, id, createdNs, count, committer });
}

/** The hints of a group, oldest kind first. */
export function hintsOf({ context, groupId }: HintedGroup): Hint[] {
  return context.store.hints.list(groupId).map(({ kind, id, createdNs, count, committer }) => ({
    kind,
    sequenceId: id,
    sentAtNs: createdNs,
    count,
    committer: committer.length === 0 ? undefined : toHex(committer),
  }));
}
