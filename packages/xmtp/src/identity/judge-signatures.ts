import { fromBinary } from "@bufbuild/protobuf";
import { IdentityError } from "../errors.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { IdentityUpdateSchema } from "../proto.ts";
import { overruledByRule, type IdentityCurves } from "./identity-curves.ts";
import { encodeSignatureVerdict, type SignatureVerdict } from "./signature-verdict.ts";
import { verifySignature } from "./signature.ts";
import { readIdentityUpdate, type UnverifiedIdentityUpdate } from "./verify-update.ts";

function verdictOn({ text, signatures }: UnverifiedIdentityUpdate, curves: IdentityCurves): SignatureVerdict {
  try {
    return signatures.map((message) => verifySignature(text, message, curves));
  } catch (error) {
    if (error instanceof IdentityError) return "refused";
    throw error;
  }
}

function readUpdate(update: Uint8Array): UnverifiedIdentityUpdate | undefined {
  try {
    return readIdentityUpdate(fromBinary(IdentityUpdateSchema, update));
  } catch {
    return undefined;
  }
}

/**
 * The verdicts on the signatures of a log's updates, as `encodeSignatureVerdict` makes them. Undefined for those that are to
 * be judged elsewhere: malformed ones, and those of smart-contract wallets. Judging ends behind a refusal, and before more
 * signatures than a log may have.
 */
export function judgeSignatures(updates: readonly Uint8Array[], fast: IdentityCurves): (Uint8Array | undefined)[] {
  const curves = overruledByRule(fast);
  let left: number = XMTP_LIMITS.maxIdentitySignatures;
  let isOver = false;
  return updates.map((update) => {
    const unverified = isOver ? undefined : readUpdate(update);
    const signatures = unverified?.signatures ?? [];
    left -= signatures.length;
    isOver ||= unverified === undefined || left < 0;
    if (unverified === undefined || isOver) return undefined;
    if (signatures.some(({ signature }) => signature.case === "erc6492")) return undefined;
    const verdict = verdictOn(unverified, curves);
    isOver = verdict === "refused";
    return encodeSignatureVerdict(update, verdict);
  });
}
