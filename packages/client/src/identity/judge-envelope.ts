import { MissingIdentityError, type IdentityPoint } from "@latchkey/xmtp";
import { clientError, shortId } from "../errors.ts";
import type { IdentityDirectory } from "./directory.ts";
import { REVOCATION_NS, type IdentitiesAt } from "./identity-view.ts";

/** Which identity logs an envelope is judged by. */
export interface IdentityNeeds {
  readonly points: readonly IdentityPoint[];
  /** Inboxes whose logs have to be complete up to two minutes before the envelope (IDN-03). */
  readonly fresh?: readonly string[];
  /** Time that the node gave the envelope. */
  readonly envelopeNs: bigint;
}

const NO_IDENTITIES: IdentitiesAt = { identity: () => undefined, settledIdentity: () => undefined };

/**
 * Runs the validators of an envelope on the identity logs that count for it (IDN-01), and settles what they miss (IDN-02).
 * They run without any log first: what breaks a rule of shape or policy is refused before anything is looked up.
 *
 * A missing update is final when a reading says so, and then another one from the beginning of the log. One wrong answer
 * of a node therefore parts nobody.
 *
 * @throws what `judge` throws; IDENTITY_PENDING as long as a missing update may still come; errors of the network.
 */
export async function judgeEnvelope<T>(
  directory: IdentityDirectory,
  { points, fresh = [], envelopeNs }: IdentityNeeds,
  judge: (identities: IdentitiesAt) => T,
  signal: AbortSignal | undefined,
): Promise<T> {
  try {
    return judge(NO_IDENTITIES);
  } catch (error) {
    if (!(error instanceof MissingIdentityError)) throw error;
  }
  // A node that tells no time is as far past the envelope as this reading is.
  const hasWaited = directory.time.sinceSeenNs(envelopeNs) > REVOCATION_NS;
  let view = await directory.lookup(points, { fresh, envelopeNs, signal });
  const unsettled = fresh.find((inboxId) => !view.isSettled(inboxId, envelopeNs));
  if (unsettled !== undefined) throw nodeIsBehind(unsettled);
  const reread = new Set<string>();
  for (;;) {
    try {
      return judge(view.at(envelopeNs));
    } catch (error) {
      if (!(error instanceof MissingIdentityError)) throw error;
      const { point } = error;
      if (!hasWaited && !view.isOver(point, envelopeNs)) throw identityPending(point, envelopeNs);
      if (view.isConfirmed(point, envelopeNs) || reread.has(point.inboxId)) throw error;
      reread.add(point.inboxId);
    }
    view = view.with(await directory.reread([...reread], { envelopeNs, signal }));
  }
}

function identityPending({ inboxId }: IdentityPoint, envelopeNs: bigint) {
  return clientError(
    "IDENTITY_PENDING",
    `a change of the group names an update of inbox ${shortId(inboxId)} that the node does not show yet`,
    { data: { inboxId: shortId(inboxId), untilNs: envelopeNs + REVOCATION_NS } },
  );
}

/** NODE_UNREACHABLE for a log that the node does not serve as far as it is needed. */
export function nodeIsBehind(inboxId: string) {
  return clientError(
    "NODE_UNREACHABLE",
    `the node shows less of the identity log of inbox ${shortId(inboxId)} than it did before, or than is known to exist`,
    { data: { inboxId: shortId(inboxId) } },
  );
}
