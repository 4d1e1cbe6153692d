import {
  codeOf,
  httpSlots,
  inviteEndOf,
  previewInvite,
  systemClock,
  type InviteEndState,
  type UncheckedPreview,
} from "@latchkey/client";
import { webCrypto } from "@latchkey/mls/web";

/** An invite to look at, as it was pasted or opened. */
export interface LookRequest {
  readonly invite: string;
  /** Address of this page's service, which invites may name wherever it is. */
  readonly inviteServiceUrl: string;
}

/** What a look found, or how it ended. */
export type LookAnswer =
  | { readonly kind: "preview"; readonly preview: UncheckedPreview }
  | { readonly kind: "end"; readonly end: InviteEndState; readonly code: string | undefined; readonly message: string };

async function look({ invite, inviteServiceUrl }: LookRequest): Promise<LookAnswer> {
  try {
    const environment = { crypto: webCrypto, slots: httpSlots, clock: systemClock, inviteServiceUrl };
    return { kind: "preview", preview: await previewInvite(invite, environment) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: "end", end: inviteEndOf(error), code: codeOf(error), message };
  }
}

globalThis.onmessage = ({ data }: MessageEvent<LookRequest>) => {
  void look(data).then((answer) => globalThis.postMessage(answer));
};
