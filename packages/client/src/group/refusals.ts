import type { LatchkeyError } from "@latchkey/mls";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Tables } from "../store/store.ts";
import { surplus } from "../store/surplus.ts";
import type { Envelope } from "../transport/transport.ts";

/** An envelope and why it was refused. */
export interface Refusal {
  readonly envelope: Envelope;
  readonly error: LatchkeyError;
}

/** Writes refusals; of very many the newest are kept. */
export function recordRefusals({ rejections }: Tables, groupId: Uint8Array, refusals: readonly Refusal[]): void {
  if (refusals.length === 0) return;
  for (const { envelope, error } of refusals.slice(-CLIENT_LIMITS.maxRejections)) {
    const { code, rule, message } = error;
    rejections.put({ groupId, id: envelope.id, code, rule, message });
  }
  for (const old of surplus(rejections.list(groupId), CLIENT_LIMITS.maxRejections)) rejections.delete(groupId, old.id);
}
