import type { GroupConfig } from "@latchkey/mls";
import type { Environment } from "./environment.ts";
import type { GroupRegistry } from "./group/group-core.ts";
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
  /** How every group of this client is set up: crypto, signing key, external commits as XIP-82 allows them. */
  readonly groupConfig: GroupConfig;
}
