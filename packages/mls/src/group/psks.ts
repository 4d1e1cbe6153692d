import { equalBytes } from "../bytes.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { ValidationError } from "../errors.ts";
import type { PreSharedKeyId } from "../messages/proposal.ts";
import { derivePskSecret } from "../schedule/psk.ts";
import type { GroupConfig } from "./config.ts";
import type { ResolvedProposal } from "./proposals.ts";
import type { GroupState } from "./state.ts";

/** Usage of a resumption PSK that a commit may bring (RFC 9420 §8.4). */
const APPLICATION = 1;

/** Where PSKs come from: the application, and this group's own past. */
export interface PskSource {
  readonly suite: CipherSuite;
  readonly config: Pick<GroupConfig, "externalPsk">;
  /** Undefined for a member that only just joins. */
  readonly state?: Pick<GroupState, "head" | "epochs">;
}

function checkPskId(suite: CipherSuite, id: PreSharedKeyId): void {
  if (id.nonce.length !== suite.hashLength) {
    throw new ValidationError("psk-nonce", `a PSK's nonce has ${id.nonce.length} bytes, not ${suite.hashLength}`);
  }
  if (id.kind === "resumption" && id.usage !== APPLICATION) {
    throw new ValidationError("psk-usage", "a PSK of usage reinit or branch stands in a commit of the same group");
  }
}

function findPsk({ config, state }: PskSource, id: PreSharedKeyId): Uint8Array {
  const secret =
    id.kind === "external"
      ? config.externalPsk?.(id.pskId)
      : state !== undefined && equalBytes(id.groupId, state.head.context.groupId)
        ? state.epochs.get(id.epoch)?.resumptionSecret
        : undefined;
  if (secret === undefined) {
    throw new ValidationError("psk-unknown", `the ${id.kind} PSK of a commit is not known to this member`);
  }
  return secret;
}

/** psk_secret of the given PSKs, in order (RFC 9420 §8.4); all zero without any. Throws ValidationError. */
export function resolvePskSecret(source: PskSource, ids: readonly PreSharedKeyId[]): Uint8Array {
  for (const id of ids) checkPskId(source.suite, id);
  return derivePskSecret(
    source.suite,
    ids.map((id) => ({ id, secret: findPsk(source, id) })),
  );
}

/** The PSKs that a list of proposals brings, in order. */
export function pskIdsOf(proposals: readonly Pick<ResolvedProposal, "proposal">[]): PreSharedKeyId[] {
  return proposals.flatMap(({ proposal }) => (proposal.kind === "psk" ? [proposal.psk] : []));
}
