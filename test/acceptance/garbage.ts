import { encodeMlsMessage, verifyGroupInfo } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { rawExternalCommit } from "./forge.ts";
import { openSlot, publishRaw, type Device } from "./support.ts";

/** As what a stranger's commit comes that no member accepts. */
export type Garbage = "public" | "private";

/**
 * Publishes a commit of the epoch that an invite leads to as whoever holds the link can: a join that is rightly signed and
 * breaks a rule that only members check, or a PrivateMessage of which nobody but members can tell that no key opens it.
 */
export async function publishGarbage(troll: Device, payload: Uint8Array, url: string, kind: Garbage): Promise<void> {
  const groupInfo = await openSlot(troll, payload, url);
  const { groupId, epoch } = (await verifyGroupInfo({ crypto: nodeCrypto }, groupInfo)).context;
  await publishRaw(
    troll,
    kind === "public"
      ? await rawExternalCommit(troll, groupInfo, { tag: nodeCrypto.randomBytes(16) })
      : encodeMlsMessage({
          wireFormat: "private_message",
          message: {
            groupId,
            epoch,
            contentKind: "commit",
            authenticatedData: new Uint8Array(0),
            encryptedSenderData: nodeCrypto.randomBytes(28),
            ciphertext: nodeCrypto.randomBytes(500),
          },
        }),
  );
}
