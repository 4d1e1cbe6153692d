import { readDisappearing, saturatedNs } from "@latchkey/xmtp";
import type { MessageRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import type { GroupCore } from "./group-core.ts";

/**
 * Notes when a message is to disappear, in the transaction that keeps it: by the settings of the epoch it is read in and
 * the node's clock, so that all installations forget it at the same time. A time from 2^63 ns on counts as the last one.
 */
export function noteExpiry(core: GroupCore, { expiries }: Tables, { groupId, id, sentAtNs }: MessageRecord): void {
  const settings = readDisappearing(core.mls.appData);
  if (settings === undefined || sentAtNs < settings.fromNs) return;
  expiries.put({ groupId, expiresAtNs: saturatedNs(sentAtNs + settings.inNs), id });
}

/** Deletes the messages whose time has come; O(messages of the group that are to disappear). */
export function deleteExpired(core: GroupCore): void {
  const { store, time } = core.context;
  const nowNs = time.bestNs();
  const due = store.expiries.list(core.groupId).filter(({ expiresAtNs }) => expiresAtNs <= nowNs);
  if (due.length === 0) return;
  core.step({
    write: ({ messages, expiries }) => {
      for (const { groupId, expiresAtNs, id } of due) {
        messages.delete(groupId, id);
        expiries.delete(groupId, expiresAtNs, id);
      }
    },
  });
}
