import type { CipherSuite } from "@latchkey/mls";
import { XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import type { Environment } from "../identity/environment.ts";
import type { IdentityDirectory } from "../identity/directory.ts";
import type { NodeTime } from "../identity/node-time.ts";

/** What either side of a link needs: the new device has no client yet. */
export interface LinkContext extends Environment {
  readonly directory: IdentityDirectory;
  readonly time: NodeTime;
}

/** X25519, ChaCha20-Poly1305, SHA-256. */
export function linkSuite({ crypto }: Pick<LinkContext, "crypto">): CipherSuite {
  return crypto.suite(XMTP_CIPHER_SUITE);
}
