import { concatBytes, equalBytes, type MlsGroup } from "@latchkey/mls";
import { COMPONENT, readPolicy, slotCredential, type ExternalCommitPolicyV1 } from "@latchkey/xmtp";
import type { ClientContext } from "../context.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { SlotCredentialsRecord } from "../store/records.ts";
import type { SlotCredentials } from "./slots.ts";

const BYTES = 32;

function split(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length / BYTES }, (_, at) => bytes.subarray(BYTES * at, BYTES * (at + 1)));
}

function credentialOf(context: ClientContext, mls: MlsGroup, policy: ExternalCommitPolicyV1): Uint8Array {
  const key = policy.symmetricKey?.material ?? new Uint8Array(0);
  return slotCredential(context.crypto.suite(mls.cipherSuite), key, policy.externalGroupId);
}

/** What is remembered of a slot: nothing of the slots before it. */
function rememberedOf(context: ClientContext, groupId: Uint8Array, externalGroupId: Uint8Array): Uint8Array[] {
  const record = context.store.slotCredentials.get(groupId);
  return record !== undefined && equalBytes(record.externalGroupId, externalGroupId) ? split(record.credentials) : [];
}

/**
 * The row to write with a commit: the credential of the key that was in force before it, in front of those before. A
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
  const credential = credentialOf(context, before, policy);
  if (known[0] !== undefined && equalBytes(known[0], credential)) return undefined;
  const credentials = concatBytes(...[credential, ...known].slice(0, CLIENT_LIMITS.maxSlotCredentials));
  return { groupId, externalGroupId, credentials };
}

/** What this member can show to write the slot of the active policy; undefined when it shows nothing. */
export function slotCredentials(
  context: ClientContext,
  groupId: Uint8Array,
  mls: MlsGroup,
  policy: ExternalCommitPolicyV1,
): SlotCredentials | undefined {
  if (context.slotCredentials === false) return undefined;
  const current = credentialOf(context, mls, policy);
  const known = rememberedOf(context, groupId, policy.externalGroupId);
  const currentHash = context.crypto.suite(mls.cipherSuite).hash(current);
  return { current, currentHash, earlier: known.filter((one) => !equalBytes(one, current)) };
}
