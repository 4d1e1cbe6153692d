import { toBinary } from "@bufbuild/protobuf";
import { decodeExact, decodeKeyPackage, encode, encodeKeyPackage, type KeyPackage } from "@latchkey/mls";
import { welcomeMessages, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { WelcomeMessageInputSchema } from "@latchkey/xmtp/proto";
import type { ClientContext } from "./client-context.ts";
import type { FollowUpRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";

/** Storage form of the key packages that a Welcome is for. */
export function encodeRecipients(keyPackages: readonly KeyPackage[]): Uint8Array {
  return encode(keyPackages, (writer) => writer.vector(keyPackages, encodeKeyPackage));
}

/** Reads what `encodeRecipients` wrote; throws DecodeError. */
function decodeRecipients(bytes: Uint8Array): KeyPackage[] {
  return decodeExact(bytes, (reader) => reader.vector(decodeKeyPackage));
}

/** A follow-up before it has a place in the queue. */
export type NewFollowUp = Pick<FollowUpRecord, "kind" | "payload">;

/**
 * The Welcomes of a sequenced commit, wrapped and ready to be sent in this order: each says that its group is read from
 * behind the commit (REV-02).
 */
export async function welcomeFollowUps(
  context: ClientContext,
  commit: { readonly welcome: Uint8Array | undefined; readonly recipients: Uint8Array },
  commitId: bigint,
): Promise<NewFollowUp[]> {
  const { welcome } = commit;
  if (welcome === undefined) return [];
  const suite = context.crypto.suite(XMTP_CIPHER_SUITE);
  const content = { welcome, messageCursor: commitId };
  const pause = () => context.clock.sleep(0);
  const messages = await welcomeMessages(suite, content, decodeRecipients(commit.recipients), pause);
  return messages.map((message) => ({ kind: "welcome", payload: toBinary(WelcomeMessageInputSchema, message) }));
}

/** Appends follow-ups to the group's queue. */
export function queueFollowUps(tables: Tables, groupId: Uint8Array, followUps: readonly NewFollowUp[]): void {
  let followUpId = tables.followUps.list(groupId).at(-1)?.followUpId ?? 0n;
  for (const followUp of followUps) {
    followUpId++;
    tables.followUps.put({ groupId, followUpId, attempts: 0n, ...followUp });
  }
}
