import { equalBytes } from "../bytes.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { ValidationError } from "../errors.ts";
import type { PreSharedKeyId } from "../messages/proposal.ts";
import { derivePskSecret } from "../schedule/psk.ts";
import type { GroupConfig } from "./config.ts";
import type { ResolvedProposal } from "./proposals.ts";
import type { GroupState } from "./state.ts";

/** ResumptionPSKUsage (RFC 9420 §8.4). */
export const PSK_USAGE = { application: 1, reinit: 2, branch: 3 } as const;

/** True for the PSKs that tie a new group to the one it comes from. */
export function isLineage(id: PreSharedKeyId): boolean {
  return id.kind === "resumption" && id.usage !== PSK_USAGE.application;
}

/** Where PSKs come from: the application, and this group's own past. */
export interface PskSource {
  readonly suite: CipherSuite;
  readonly config: Pick<GroupConfig, "externalPsk" | "resumptionPsk">;
  /** True for the first commit of a new group and the Welcome to it, which alone may bring PSKs of its lineage. */
  readonly initial: boolean;
  /** Undefined for a member that only just joins. */
  readonly state?: Pick<GroupState, "head" | "epochs">;
}

function checkPskId({ suite, initial }: PskSource, id: PreSharedKeyId): void {
  if (id.nonce.length !== suite.hashLength) {
    throw new ValidationError("psk-nonce", `a PSK's nonce has ${id.nonce.length} bytes, not ${suite.hashLength}`);
  }
  if (isLineage(id) && !initial) {
    throw new ValidationError("psk-usage", "a PSK of usage reinit or branch stands behind the first commit of a group");
  }
}

function lookUp({ config, state }: PskSource, id: PreSharedKeyId): Uint8Array | undefined {
  if (id.kind === "external") return config.externalPsk?.(id.pskId);
  const own = state !== undefined && equalBytes(id.groupId, state.head.context.groupId);
  const kept = own ? state.epochs.get(id.epoch)?.resumptionSecret : undefined;
  return kept ?? config.resumptionPsk?.(id.groupId, id.epoch);
}

function findPsk(source: PskSource, id: PreSharedKeyId): Uint8Array {
  const secret = lookUp(source, id);
  if (secret === undefined) {
    throw new ValidationError("psk-unknown", `the ${id.kind} PSK of a commit is not known to this member`);
  }
  return secret;
}

/** psk_secret of the given PSKs, in order (RFC 9420 §8.4); all zero without any. Throws ValidationError. */
export function resolvePskSecret(source: PskSource, ids: readonly PreSharedKeyId[]): Uint8Array {
  for (const id of ids) checkPskId(source, id);
  if (ids.filter(isLineage).length > 1) throw new ValidationError("psk-usage", "a new group has more than one origin");
  return derivePskSecret(
    source.suite,
    ids.map((id) => ({ id, secret: findPsk(source, id) })),
  );
}

/** The PSKs that a list of proposals brings, in order. */
export function pskIdsOf(proposals: readonly Pick<ResolvedProposal, "proposal">[]): PreSharedKeyId[] {
  return proposals.flatMap(({ proposal }) => (proposal.kind === "psk" ? [proposal.psk] : []));
}
