import { encode } from "../codec/writer.ts";
import { encryptWithLabel, keyPackageRef } from "../crypto/labels.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { EXTENSION_TYPE } from "../messages/extension.ts";
import { encodeGroupInfo, signGroupInfo } from "../messages/group-info.ts";
import { encodeKeyPackage } from "../messages/key-package.ts";
import { encodeMlsMessage } from "../messages/mls-message.ts";
import type { PreSharedKeyId } from "../messages/proposal.ts";
import { encodeGroupSecrets, type EncryptedGroupSecrets } from "../messages/welcome.ts";
import { deriveWelcomeKey, deriveWelcomeSecret } from "../schedule/key-schedule.ts";
import type { LeafIndex } from "../tree/math.ts";
import { encodeRatchetTree } from "../tree/node.ts";
import { pathSecretFor } from "../tree/treekem.ts";
import type { TreeView } from "../tree/tree-view.ts";
import type { AppliedProposals } from "./apply-proposals.ts";
import type { BuiltCommit } from "./build-commit.ts";
import type { SigningIdentity } from "./config.ts";

/** The PSKs that a commit brings. */
export interface CommitPsks {
  readonly psks: readonly PreSharedKeyId[];
  readonly pskSecret: Uint8Array;
}

/**
 * The Welcome for the members that a commit added, as an MLSMessage, or undefined when it added nobody
 * (RFC 9420 §12.4.3.1). Its GroupInfo carries the ratchet tree and is signed by the committer.
 */
export async function makeWelcome(
  suite: CipherSuite,
  identity: SigningIdentity,
  tree: TreeView,
  added: AppliedProposals["added"],
  committer: LeafIndex,
  { next, path }: BuiltCommit,
  { psks, pskSecret }: CommitPsks,
): Promise<Uint8Array | undefined> {
  if (added.length === 0) return undefined;
  const groupInfo = await signGroupInfo(suite, identity.signatureKeyPair.privateKey, {
    context: next.context,
    extensions: [{ type: EXTENSION_TYPE.ratchetTree, data: encodeRatchetTree(tree.nodes()) }],
    confirmationTag: next.confirmationTag,
    signer: committer,
  });
  const { key, nonce } = deriveWelcomeKey(suite, deriveWelcomeSecret(suite, next.joinerSecret, pskSecret));
  const encryptedGroupInfo = suite.aeadSeal(key, nonce, new Uint8Array(0), encode(groupInfo, encodeGroupInfo));
  const secrets = await Promise.all(
    added.map(async ({ leafIndex, keyPackage }): Promise<EncryptedGroupSecrets> => {
      const pathSecret = path === undefined ? undefined : pathSecretFor(path.secrets, committer, leafIndex);
      const plaintext = encodeGroupSecrets({ joinerSecret: next.joinerSecret, pathSecret, psks });
      return {
        newMember: keyPackageRef(suite, encode(keyPackage, encodeKeyPackage)),
        encryptedGroupSecrets: await encryptWithLabel(
          suite,
          keyPackage.initKey,
          "Welcome",
          encryptedGroupInfo,
          plaintext,
        ),
      };
    }),
  );
  return encodeMlsMessage({ wireFormat: "welcome", message: { cipherSuite: suite.id, secrets, encryptedGroupInfo } });
}
