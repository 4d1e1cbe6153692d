import { tell } from "../callbacks.ts";
import { clientError } from "../errors.ts";
import type { LinkRole } from "./code.ts";
import { deviceCode, readDeviceCode } from "./device-code.ts";
import type { LinkContext } from "./link-context.ts";
import { openByReading, openByShowing, type OpenedLink } from "./opening.ts";
import type { LinkProgressListener } from "./options.ts";

/** Who opens a link, and how. */
export interface LinkSide {
  readonly role: LinkRole;
  /** Of an old device. */
  readonly inboxId: string | undefined;
  /** What the other device shows; undefined to show a code. */
  readonly code: string | Uint8Array | undefined;
  readonly onProgress: LinkProgressListener | undefined;
}

/** An opened link, and the inbox that the code names. */
export interface SideOpened extends OpenedLink {
  readonly inboxId: string | undefined;
}

/** Shows a code or reads the other device's. Throws LINK_MALFORMED for a code of the wrong side; as `openByShowing`. */
export async function openLink(context: LinkContext, side: LinkSide, signal: AbortSignal): Promise<SideOpened> {
  const { role, inboxId, onProgress } = side;
  if (side.code === undefined) {
    const show = (text: string) => tell(onProgress, { step: "code", code: deviceCode(context, text) });
    return { ...(await openByShowing(context, { role, inboxId }, show, signal)), inboxId: undefined };
  }
  const code = await readDeviceCode(context, side.code, signal);
  if (code.role === role) {
    const text =
      role === "old"
        ? "the code is of a device that is in an inbox already; read it on the new device"
        : "the code is of a device that is new, as this one is; read it on a device that is in the inbox";
    throw clientError("LINK_MALFORMED", text, { rule: "WrongSide" });
  }
  return { ...(await openByReading(context, code, signal)), inboxId: code.inboxId };
}
