import { constantTimeEqual, utf8 } from "@latchkey/mls";
import { byApplication, untilAborted } from "../callbacks.ts";
import { isAborted } from "../clock.ts";
import type { LinkContext } from "./link-context.ts";
import { expired, wrongDigits } from "./link-errors.ts";
import type { OpenedLink } from "./opening.ts";

/**
 * Has a person type the digits that the new device shows: one try, as long as the code is valid. Afterwards nobody may have
 * written to the first boxes.
 *
 * @throws LINK_FAILED, LINK_EXPIRED, LINK_DISTURBED; what `readDigits` throws; the signal's reason.
 */
export async function compareDigits(
  { clock, time }: LinkContext,
  { digits, guarded, mailbox, deadlineNs }: OpenedLink,
  readDigits: (signal: AbortSignal) => string | Promise<string>,
  signal: AbortSignal,
): Promise<void> {
  const leftMs = Number((deadlineNs - time.bestNs()) / 1_000_000n);
  if (leftMs <= 0) throw expired();
  const end = clock.timeout(leftMs);
  const both = AbortSignal.any([signal, end]);
  let typed: unknown;
  try {
    typed = await untilAborted(() => byApplication(() => readDigits(both)), both);
  } catch (error) {
    if (!isAborted(signal) && isAborted(end)) throw expired();
    throw error;
  }
  const given = typeof typed === "string" ? typed.replaceAll(/[\s-]/g, "") : "";
  if (!constantTimeEqual(utf8(digits), utf8(given))) throw wrongDigits();
  if (time.bestNs() >= deadlineNs) throw expired();
  await mailbox.requireUndisturbed(guarded, { deadlineNs, signal });
}
