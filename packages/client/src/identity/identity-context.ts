import type { GroupConfig } from "@latchkey/mls";
import type { WalletSigner } from "@latchkey/xmtp";
import type { Mutex } from "../mutex.ts";
import type { IdentityDirectory } from "./directory.ts";
import type { Environment } from "./environment.ts";
import type { IdentityNews } from "./identity-news.ts";
import type { PublicCalls } from "../public-calls.ts";
import type { KeyPackageFaults } from "./key-package-faults.ts";
import type { NodeTime } from "./node-time.ts";

/** The inbox and the installation of a client. */
export interface OwnIdentity {
  readonly inboxId: string;
  /** Public signature key in hex. */
  readonly installationId: string;
  readonly installationKey: Uint8Array;
  /** 42 bytes from which `sender_hmac` keys are derived. */
  readonly hmacRoot: Uint8Array;
}

/** The parts of a client that know its identity and those of others. */
export interface IdentityContext extends Environment {
  readonly own: OwnIdentity;
  /** The wallet that the client was opened with; a registered installation opens without one. */
  readonly signer: WalletSigner | undefined;
  readonly directory: IdentityDirectory;
  /** What is new in identity logs. */
  readonly news: IdentityNews;
  /** Aborted with IDENTITY_REVOKED once the log of the own inbox has shown that this installation was revoked. */
  readonly revocation: AbortController;
  /** Called when the log of the own inbox has grown. */
  readonly ownGrowth: Set<() => void>;
  /** What time it is at the node, as far as it was read. */
  readonly time: NodeTime;
  /** Every call of the application comes through it. */
  readonly calls: PublicCalls;
  /** Held while key packages are made or uploaded: two at once would leave the node with one that is retired here. */
  readonly keyPackageTurn: Mutex;
  /** Why installations could not be added to groups when this client tried last. */
  readonly keyPackageFaults: KeyPackageFaults;
  /** Configuration of every group of this client: crypto, signing key, external commits as XIP-82 allows them. */
  readonly groupConfig: GroupConfig;
}

/** An installation and its inbox, as a leaf or a signature names them. */
export interface MessageSender {
  readonly inboxId: string;
  readonly installationId: string;
}
