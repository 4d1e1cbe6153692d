import { encode, utf8 } from "@latchkey/mls";
import { COMPONENT_ID_KEY, INBOX_ID_KEY } from "./keys.ts";
import { EXTERNAL_COMMIT_POLICY_ENTRY } from "./registry.ts";
import { encodeMapDelta } from "./tls-map.ts";
import { encodeSetDelta, type SetMutation } from "./tls-set.ts";
import { COMPONENT } from "./component.ts";

/** A change of a list of inboxes. */
export interface ListMutation {
  readonly op: "insert" | "remove";
  readonly inboxId: string;
}

function inboxListDelta(mutations: readonly ListMutation[]): Uint8Array {
  const steps = mutations.map(({ op, inboxId }): SetMutation<string> => ({ op, key: inboxId }));
  return encodeSetDelta(INBOX_ID_KEY, steps);
}

/** Payload of an AppDataUpdate of ADMIN_LIST. */
export const adminListDelta = inboxListDelta;

/** Payload of an AppDataUpdate of SUPER_ADMIN_LIST. */
export const superAdminListDelta = inboxListDelta;

/** Payload of an AppDataUpdate of a text component (name, description, image URL, …). */
export function stringUpdate(text: string): Uint8Array {
  return utf8(text);
}

/** Payload of an AppDataUpdate of a component that holds nanoseconds (when and how soon messages disappear). */
export function timeUpdate(ns: bigint): Uint8Array {
  return encode(ns, (writer, value) => writer.u64(value));
}

/**
 * Payload of an AppDataUpdate of COMPONENT_REGISTRY that registers EXTERNAL_COMMIT_POLICY in a group that was migrated
 * without it. The policy itself can be written by a later commit only: permissions are those from before the commit.
 */
export function registerExternalCommitPolicy(): Uint8Array {
  const key = COMPONENT.externalCommitPolicy;
  return encodeMapDelta(COMPONENT_ID_KEY, [{ op: "insert", key, value: EXTERNAL_COMMIT_POLICY_ENTRY }]);
}
