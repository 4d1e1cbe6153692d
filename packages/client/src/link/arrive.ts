import { toHex } from "@latchkey/mls";
import { Apart } from "../apart.ts";
import { isAborted } from "../clock.ts";
import { codeOf } from "../errors.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { syncWelcomes } from "../group/welcomes.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { readAndSettleAll } from "../upkeep/after-reading.ts";
import { tell } from "../callbacks.ts";
import type { LinkChannel } from "./channel.ts";
import { takeHistory } from "./history.ts";
import type { LinkProgressListener } from "./options.ts";

/**
 * Opens the groups of a new device once the old one has added it to them. The device is linked whatever fails here: its
 * next sync finds what is missing.
 */
export async function arrive(
  context: GroupsContext,
  channel: LinkChannel,
  onProgress: LinkProgressListener | undefined,
  signal: AbortSignal,
): Promise<void> {
  const deadlineNs = context.time.bestNs() + BigInt(CLIENT_LIMITS.linkArrivalMs) * 1_000_000n;
  try {
    const { installationKey } = await channel.receive("added", { deadlineNs, signal });
    const apart = new Apart(signal);
    await syncWelcomes(context, apart, signal);
    await readAndSettleAll(context, context.groups.all(), apart, signal);
    const told = (messages: number) => tell(onProgress, { step: "history", messages });
    await takeHistory(context, channel, toHex(installationKey), told, signal);
  } catch (error) {
    if (isAborted(signal) || codeOf(error)?.startsWith("STORE_") === true) throw error;
  }
}
