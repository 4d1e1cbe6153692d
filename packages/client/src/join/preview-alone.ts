import { LatchkeyError, VerifiedTreeCache, verifyGroupInfo } from "@latchkey/mls";
import { checkJoinable, selectCandidates, XMTP_CIPHER_SUITE, type Candidate, type InvitePayload } from "@latchkey/xmtp";
import { requireParts } from "../identity/require-environment.ts";
import { requireInvite } from "../invite/require-invite.ts";
import type { Environment } from "../identity/environment.ts";
import { clientError } from "../errors.ts";
import { mistypedOr } from "../invite/links/mistyped.ts";
import { findInviteOrImage } from "../invite/read-invite.ts";
import { fetchInTurn, servicesToAsk } from "../invite/service.ts";
import { requireCallOptions, walledWith, type CallOptions } from "../public-calls.ts";
import { previewOf, type InvitePreview } from "./preview.ts";

/** What a look at an invite needs: no store, no node, no identity. */
export type PreviewEnvironment = Pick<Environment, "crypto" | "slots" | "clock"> &
  Partial<Pick<Environment, "readQr" | "resolvePointer" | "loopbackHttp" | "inviteServiceUrl">>;

const requirePreviewEnvironment = requireParts<PreviewEnvironment>("crypto", "slots", "clock");

/** What a look without a client leaves open: whether the group has moved on, and whose installations its members are. */
export type Unchecked = "newer-states" | "identities";

/** A preview, and what only a client can check. */
export interface UncheckedPreview extends InvitePreview {
  readonly unchecked: readonly Unchecked[];
  /** Whether a server has seen the invite; see `inspectInvite`. */
  readonly exposed: boolean;
}

/** An inbox id that no member has. */
const NOBODY = "";

/**
 * Looks at the group that an invite leads to without a client: one request to the invite service, none to the node, and
 * nothing is written. Signatures, tree and policy of the group are verified; see `Unchecked` for the rest.
 *
 * @throws INVITE_MALFORMED, INVITE_NO_QR, INVITE_POINTER_OPAQUE, INVITE_UNKNOWN_SLOT, INVITE_NO_CANDIDATE,
 * INVITE_DISABLED, INVITE_EXPIRED, INVITE_EXHAUSTED, INVITE_ROTATED, GROUP_UNSUPPORTED, NODE_UNREACHABLE, RATE_LIMITED.
 */
export function previewInvite(
  invite: string | Uint8Array,
  environment: PreviewEnvironment,
  options: CallOptions = {},
): Promise<UncheckedPreview> {
  return walledWith(requireCallOptions, options, ({ signal }) =>
    preview(requireInvite(invite, "invite"), requirePreviewEnvironment(environment, "environment"), signal),
  );
}

async function preview(
  invite: string | Uint8Array,
  environment: PreviewEnvironment,
  signal: AbortSignal | undefined,
): Promise<UncheckedPreview> {
  const context = { inviteServiceUrl: undefined, ...environment };
  const { payload, checksum, exposed } = await findInviteOrImage(invite, context.readQr, signal);
  const services = await servicesToAsk(context, payload, signal);
  try {
    const { blobs = [] } = await fetchInTurn(context, services, payload)({ signal });
    const { info, policy } = await firstJoinable(context, payload, blobs);
    return { ...previewOf(info, policy, services[0].url), unchecked: ["newer-states", "identities"], exposed };
  } catch (error) {
    throw mistypedOr(error, checksum);
  }
}

async function firstJoinable(
  { crypto, clock }: PreviewEnvironment,
  payload: InvitePayload,
  blobs: readonly Uint8Array[],
) {
  const suite = crypto.suite(XMTP_CIPHER_SUITE);
  const nowNs = clock.nowNs();
  const { candidates } = selectCandidates({ suite, blobs, key: payload.symmetricKey, nowNs });
  let reason: LatchkeyError | undefined;
  const check = async (blob: Candidate) => {
    const info = await verifyGroupInfo({ crypto, verifiedTrees: new VerifiedTreeCache() }, blob.groupInfo);
    const { policy } = checkJoinable({ info, payload, blob, inboxId: NOBODY, nowNs });
    return { info, policy };
  };
  for (const candidate of candidates) {
    try {
      return await check(candidate);
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error;
      reason ??= error;
    }
  }
  throw (
    reason ?? clientError("INVITE_NO_CANDIDATE", "the service holds nothing that this invite opens; ask for a new link")
  );
}
