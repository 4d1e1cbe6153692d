import type { GroupConfig } from "@latchkey/mls";
import type { Environment } from "./environment.ts";
import type { GroupCore, GroupRegistry } from "./group/group-core.ts";
import type { IdentityDirectory } from "./identity/directory.ts";
import type { LinkBases } from "./invite/link-base.ts";
import type { LookPauses } from "./join/look-pauses.ts";
import type { Mutex } from "./mutex.ts";

/** Who this installation is. */
export interface OwnIdentity {
  readonly inboxId: string;
  /** Public signature key in hex. */
  readonly installationId: string;
  readonly installationKey: Uint8Array;
  /** 42 bytes from which `sender_hmac` keys are derived. */
  readonly hmacRoot: Uint8Array;
}

/** What the parts of one client share. */
export interface ClientContext extends Environment {
  readonly own: OwnIdentity;
  readonly directory: IdentityDirectory;
  readonly groups: GroupRegistry;
  /** The turn of whoever joins by invite. */
  readonly joinTurn: Mutex;
  /** Where links lead, by invite service. */
  readonly linkBases: LinkBases;
  /** The turn of whoever makes or uploads key packages: two at once would leave the node with one that is retired here. */
  readonly keyPackageTurn: Mutex;
  /** The turn of whoever reads Welcomes: each leads to one group, which is returned once. */
  readonly welcomeTurn: Mutex;
  /** When slots may be looked at for the sake of joins that wait. */
  readonly lookPauses: LookPauses;
  /** Welcomes behind one that is to be read again, which were dealt with. In memory: after a restart they come to nothing new. */
  readonly welcomesAhead: Set<bigint>;
  /**
   * Uploads a blob of the present epoch to the slots of the active invite; nothing without one. `scanned` is the payload
   * that was joined by: nothing is uploaded when the admin has replaced that invite.
   */
  readonly refreshSlots: (core: GroupCore, scanned: Uint8Array | undefined, signal?: AbortSignal) => Promise<void>;
  /** Does what reading a group's log has left to this installation, see `upkeep/after-reading.ts`. */
  readonly afterReading: (core: GroupCore, signal: AbortSignal | undefined) => Promise<void>;
  /** How every group of this client is set up: crypto, signing key, external commits as XIP-82 allows them. */
  readonly groupConfig: GroupConfig;
}
