import type { CryptoProvider } from "@latchkey/mls";
import type { Clock } from "../clock.ts";
import type { JudgeLogs } from "./judge-ahead.ts";
import type { DefectListener } from "../store/defects.ts";
import type { FailedMessageListener } from "../store/queued-message.ts";
import type { QrBitmap } from "../qr-bitmap.ts";
import type { ResolvedPointer } from "../transport/slot-service.ts";
import type { SlotService } from "../transport/slot-service.ts";
import type { Store } from "../store/store.ts";
import type { Transport } from "../transport/transport.ts";

/** Everything a client needs from outside; `@latchkey/client/node` has it for Node. */
export interface Environment {
  readonly crypto: CryptoProvider;
  readonly store: Store;
  readonly transport: Transport;
  readonly slots: SlotService;
  readonly clock: Clock;
  /** Numbers in [0, 1) for the jitter of delays; nothing secret rests on them. */
  readonly random: () => number;
  /** Judges the signatures of identity logs in other threads; without it they are judged a few in a turn of the event loop. */
  readonly judgeLogs?: JudgeLogs;
  readonly encodePng: (bitmap: QrBitmap, scale?: number) => Uint8Array;
  /** The texts of the QR codes in an image file; without it an image is not an invite. Throws INVITE_NO_QR. */
  readonly readQr?: (image: Uint8Array, signal?: AbortSignal) => Promise<readonly string[]>;
  /** False: this client never answers a join by invite with a receipt; default: it does when nobody else speaks. */
  readonly joinReceipts?: boolean;
  /** The invite service of this client's own invites; without it `createInvite` needs to be told one. */
  readonly inviteServiceUrl: string | undefined;
  /**
   * Finds the service that an opaque pointer of an invite means, for applications that name services in ways of their own:
   * an https address, a service to speak to, or undefined for a pointer that the application does not know.
   */
  readonly resolvePointer?: (opaque: Uint8Array) => ResolvedPointer | Promise<ResolvedPointer>;
  /**
   * Whether invites may lead to a service on this machine, over plain http too, or in a private network; default: to this
   * machine over http if `inviteServiceUrl` itself is such a one, and to that very service. Anywhere else only https is
   * spoken. See `invite/local-address.ts` for what counts as local.
   */
  readonly loopbackHttp?: boolean;
  /**
   * Whether blobs are padded to powers of two, so that invite services learn less of how large a group is; default: false.
   * It takes up to twice the bytes, and hides nothing unless all members and joiners do so.
   */
  readonly padBlobs?: boolean;
  /**
   * Whether uploads show the write credential of the invite, by which a slot stays closed to those who have no key;
   * default: true. Without it slots that others have closed cannot be written.
   */
  readonly slotCredentials?: boolean;
  /**
   * Whether a removal renews the invite where its caller does not say: `removeMembers` then turns it off with the removal
   * and makes one with a fresh slot; default: false. A setting of this client for all its groups, which no group carries.
   */
  readonly renewOnRemoval?: boolean;
  /**
   * Whether the client looks after the invites of its groups by itself until it is closed: shortly after its start, then
   * about every hour, once a day thoroughly. Members that stay open should; see `Client.keepInvitesFresh`.
   */
  readonly keepInvitesFresh: boolean;
  /** Told what this program failed at by a mistake of its own: messages that were set aside, and work in the background. */
  readonly onDefect?: DefectListener;
  /** Told of each queued message that will never leave; it stays in `group.queue()` until it is cancelled. */
  readonly onMessageFailed?: FailedMessageListener;
  /**
   * What invite links begin with; the payload follows as the fragment, which no server ever sees. Default: the page of the
   * invite service where it states one, else `latchkey:`. Whoever runs this address can read invites that are opened there.
   */
  readonly inviteBaseUrl?: string | undefined;
}
