import { concatBytes, equalBytes, toHex, type MlsGroup } from "@latchkey/mls";
import {
  COMPONENT,
  readPolicy,
  slotCredential,
  slotCredentialV1,
  slotWriteSecret,
  type ExternalCommitPolicyV1,
} from "@latchkey/xmtp";
import type { ClientContext } from "./client-context.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { SlotCredentialsRecord } from "../store/records.ts";
import type { SlotCredentials } from "../transport/slot-service.ts";

const BYTES = 32;

function split(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length / BYTES }, (_, at) => bytes.subarray(BYTES * at, BYTES * (at + 1)));
}

function secretOf(context: ClientContext, mls: MlsGroup, policy: ExternalCommitPolicyV1): Uint8Array {
  const key = policy.symmetricKey?.material ?? new Uint8Array(0);
  return slotWriteSecret(context.crypto.suite(mls.cipherSuite), key, policy.externalGroupId);
}

/** What is remembered of a slot, newest first: nothing of the slots before it. */
function rememberedOf(context: ClientContext, groupId: Uint8Array, externalGroupId: Uint8Array) {
  const record = context.store.slotCredentials.get(groupId);
  const isSame = record !== undefined && equalBytes(record.externalGroupId, externalGroupId);
  return isSame
    ? { secrets: split(record.secrets), credentials: split(record.credentials) }
    : { secrets: [], credentials: [] };
}

/**
 * The row to write with a commit: the write secret of the key that was in force before it, in front of those before. A
 * commit may replace the key while the slot stays, and then the slot takes uploads by the old credential only, until
 * somebody has put the new one in its place. Undefined when there is nothing new to remember.
 */
export function credentialsToRemember(
  context: ClientContext,
  groupId: Uint8Array,
  before: MlsGroup,
): SlotCredentialsRecord | undefined {
  const policy = readPolicy(before.appData.get(COMPONENT.externalCommitPolicy));
  if (policy?.allowExternalCommit !== true) return undefined;
  const { externalGroupId } = policy;
  const known = rememberedOf(context, groupId, externalGroupId);
  const secret = secretOf(context, before, policy);
  if (known.secrets[0] !== undefined && equalBytes(known.secrets[0], secret)) return undefined;
  const secrets = [secret, ...known.secrets].slice(0, CLIENT_LIMITS.maxSlotCredentials);
  const credentials = known.credentials.slice(0, CLIENT_LIMITS.maxSlotCredentials - secrets.length);
  return { groupId, externalGroupId, secrets: concatBytes(...secrets), credentials: concatBytes(...credentials) };
}

/** What admits to writing the slot of a policy, at each of its services; undefined for a member that shows nothing. */
export type SlotCredentialsAt = ((origin: string) => SlotCredentials) | undefined;

/**
 * What this member can show to write the slot of the active policy. Each credential is of use at one service only, but for
 * those of version 1, which are shown to the services of the policy when theirs is refused.
 */
export function slotCredentials(
  context: ClientContext,
  groupId: Uint8Array,
  mls: MlsGroup,
  policy: ExternalCommitPolicyV1,
): SlotCredentialsAt {
  if (context.slotCredentials === false) return undefined;
  const suite = context.crypto.suite(mls.cipherSuite);
  const secret = secretOf(context, mls, policy);
  const known = rememberedOf(context, groupId, policy.externalGroupId);
  const before = known.secrets.filter((one) => !equalBytes(one, secret));
  return (origin) => {
    const current = slotCredential(suite, secret, origin);
    const earlier = [
      slotCredentialV1(suite, secret),
      ...before.flatMap((one) => [slotCredential(suite, one, origin), slotCredentialV1(suite, one)]),
      ...known.credentials,
    ];
    const distinct = [...new Map(earlier.map((one) => [toHex(one), one])).values()];
    return { current, currentHash: suite.hash(current), earlier: distinct };
  };
}
