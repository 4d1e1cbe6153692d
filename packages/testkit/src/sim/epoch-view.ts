import { createHash } from "node:crypto";
import { toHex, type MlsGroup } from "@latchkey/mls";
import { decodeMlsCredential, readGroupState, type GroupState } from "@latchkey/xmtp";

/** Something is not as it has to be. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** What everybody in one epoch has to agree on. */
export interface EpochView {
  readonly epoch: bigint;
  readonly authenticator: string;
  readonly treeHash: string;
  /** Hash of the whole GroupContext: tree, transcript, app data. */
  readonly context: string;
  /** Installation ids of all leaves. */
  readonly installations: ReadonlySet<string>;
  readonly state: GroupState;
  /** The envelope that began it. */
  readonly beganAt: bigint;
  readonly seenBy: string;
}

/** Throws a Violation of this text unless it holds. */
export function insist(holds: boolean, text: string): asserts holds {
  if (!holds) throw new Violation(text);
}

/** The epoch of an MLS state that a disk holds. Every leaf belongs to a member. */
export function viewOf(mls: MlsGroup, beganAt: bigint, seenBy: string): EpochView {
  const state = readGroupState(mls.appData);
  const installations = new Set<string>();
  for (const { leafNode } of mls.members()) {
    const inboxId = decodeMlsCredential(leafNode.credential);
    insist(state.members.has(inboxId), "a leaf of somebody who is no member");
    installations.add(toHex(leafNode.signatureKey));
  }
  return {
    epoch: mls.epoch,
    authenticator: toHex(mls.epochAuthenticator),
    treeHash: toHex(mls.treeHash),
    context: createHash("sha256").update(mls.contextBytes).digest("hex"),
    installations,
    state,
    beganAt,
    seenBy,
  };
}
