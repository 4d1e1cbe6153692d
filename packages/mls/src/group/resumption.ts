import { bytesKey, equalBytes } from "../bytes.ts";
import { encode } from "../codec/writer.ts";
import { StateError, ValidationError } from "../errors.ts";
import { encodeCredential } from "../messages/credential.ts";
import { encodeExtensions } from "../messages/extension.ts";
import type { MlsGroup } from "./mls-group.ts";

/** The credentials in a group, as keys. */
function credentials(group: MlsGroup): Set<string> {
  return new Set([...group.members()].map(({ leafNode }) => bytesKey(encode(leafNode.credential, encodeCredential))));
}

/**
 * Checks a group against the ReInit that announced it: version, cipher suite, id and extensions, epoch 1, all of the
 * members (RFC 9420 §11.2). That the members of both know the PSK, the epoch itself proves.
 *
 * Throws StateError when the former group was not reinitialized, ValidationError `reinit`.
 */
export function checkReInit(former: MlsGroup, successor: MlsGroup): void {
  const announced = former.reinit;
  if (announced === undefined) throw new StateError("the former group was not closed by a ReInit");
  const { context } = successor;
  const same =
    context.epoch === 1n &&
    context.version === announced.version &&
    context.cipherSuite === announced.cipherSuite &&
    equalBytes(context.groupId, announced.groupId) &&
    equalBytes(encode(context.extensions, encodeExtensions), encode(announced.extensions, encodeExtensions));
  if (!same) throw new ValidationError("reinit", "the new group is not the one that the ReInit announced");
  const present = credentials(successor);
  if (![...credentials(former)].every((credential) => present.has(credential))) {
    throw new ValidationError("reinit", "the new group leaves out a member of the former one");
  }
}

/**
 * Checks that a group is a branch of another one: of its version and cipher suite, at epoch 1, with members of it only
 * (RFC 9420 §11.3). Throws ValidationError `branch`.
 */
export function checkBranch(parent: MlsGroup, branch: MlsGroup): void {
  const { context } = branch;
  const { version, cipherSuite } = parent.context;
  if (context.epoch !== 1n || context.version !== version || context.cipherSuite !== cipherSuite) {
    throw new ValidationError("branch", "the new group is not of the version and cipher suite of its parent");
  }
  const known = credentials(parent);
  if (![...credentials(branch)].every((credential) => known.has(credential))) {
    throw new ValidationError("branch", "the branch holds somebody who is not a member of its parent");
  }
}
