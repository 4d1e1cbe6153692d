import { peekMlsMessage } from "@latchkey/mls";
import { verdictOf } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { readPages } from "../transport/transport.ts";
import type { GroupCore } from "./group-core.ts";
import { recordParted } from "./parted.ts";

/**
 * Looks behind an envelope that waits for an identity update, inside of `exclusive`: a message under the own signature
 * that this state never sent shows at once that the database is an older copy. Messages and commits leave while the log waits, and
 * would use the keys of those again. Nothing else of what lies there is taken. Looks at `maxLookAhead` envelopes.
 * Errors of the network.
 */
export async function lookAhead(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  if (!core.mayWrite) return;
  const { transport } = core.context;
  const query: typeof transport.queryGroupMessages = (at, stop) => transport.queryGroupMessages(at, stop);
  const position = { topic: core.mls.groupId, afterId: core.record.cursor };
  let left: number = CLIENT_LIMITS.maxLookAhead;
  for await (const page of readPages(query, position, signal)) {
    for (const { data, createdNs } of page) {
      // The waits of all of them run at once.
      core.context.directory.time.observe(createdNs);
      if (!(await isForeign(core, data))) continue;
      recordParted(core, "own-envelope");
      return;
    }
    left -= page.length;
    if (left <= 0) return;
  }
}

/** Whether a message or a commit of the present epoch has the own signature and a key that this state has not used. */
async function isForeign({ mls }: GroupCore, data: Uint8Array): Promise<boolean> {
  try {
    const { contentKind, epoch } = peekMlsMessage(data);
    if (contentKind === "proposal" || epoch !== mls.epoch) return false;
    const received = await mls.verify(data);
    return received.kind === "own" && received.isForeign;
  } catch (error) {
    verdictOf(error);
    return false;
  }
}
