import { bytesKey } from "../bytes.ts";
import { ValidationError } from "../errors.ts";
import { CREDENTIAL_TYPE } from "../messages/credential.ts";
import {
  decodeRequiredCapabilities,
  EXTENSION_TYPE,
  findExtension,
  type Extension,
  type RequiredCapabilities,
} from "../messages/extension.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import type { LeafIndex } from "./math.ts";
import { capabilityKey, type TreeView } from "./tree-view.ts";

/** Extension types 1 to 5 and proposal types 1 to 7 are supported by everybody and not listed (RFC 9420 §7.2). */
const isDefaultExtension = (type: number) => type >= 1 && type <= 5;
export const isDefaultProposal = (type: number) => type >= 1 && type <= 7;

/** Demands of a GroupContext's extensions on every member. */
export interface GroupRequirements {
  readonly extensions: readonly number[];
  readonly proposals: readonly number[];
  readonly credentials: readonly number[];
}

/** Of a leaf by itself nothing is demanded. */
export const NO_REQUIREMENTS: GroupRequirements = { extensions: [], proposals: [], credentials: [] };

const CAPABILITY_LISTS = [
  ["extension", "extensions"],
  ["proposal", "proposals"],
  ["credential", "credentials"],
] as const;

/** Reads the requirements off a GroupContext's extensions; throws DecodeError for malformed required capabilities. */
export function groupRequirements(extensions: readonly Extension[]): GroupRequirements {
  const data = findExtension(extensions, EXTENSION_TYPE.requiredCapabilities);
  const required: RequiredCapabilities =
    data === undefined
      ? { extensionTypes: [], proposalTypes: [], credentialTypes: [] }
      : decodeRequiredCapabilities(data);
  const inContext = extensions.map((extension) => extension.type);
  return {
    extensions: [...new Set([...required.extensionTypes, ...inContext])].filter((type) => !isDefaultExtension(type)),
    proposals: required.proposalTypes.filter((type) => !isDefaultProposal(type)),
    credentials: required.credentialTypes,
  };
}

/** Checks a leaf by itself and against the demands of the group (RFC 9420 §7.3). */
export function checkLeafCapabilities(leaf: LeafNode, requirements: GroupRequirements): void {
  const { capabilities } = leaf;
  const unlisted = leaf.extensions.find(
    ({ type }) => !isDefaultExtension(type) && !capabilities.extensions.includes(type),
  );
  if (unlisted !== undefined) {
    throw new ValidationError("leaf-extension", `a leaf carries extension ${unlisted.type} that it does not list`);
  }
  const ownType = CREDENTIAL_TYPE[leaf.credential.kind];
  if (!capabilities.credentials.includes(ownType)) {
    throw new ValidationError("leaf-credential", `a leaf does not list its own credential type ${ownType}`);
  }
  for (const [name, list] of CAPABILITY_LISTS) {
    const missing = requirements[list].find((type) => !capabilities[list].includes(type));
    if (missing !== undefined) {
      throw new ValidationError("required-capabilities", `a leaf does not support ${name} type ${missing}`, {
        data: { [name]: missing },
      });
    }
  }
}

/** Checks that all members support each other's credential types, by counters, O(types) (RFC 9420 §7.3). */
export function checkCredentialSupport(tree: TreeView): void {
  for (const type of Object.values(CREDENTIAL_TYPE)) {
    if (tree.capabilityCount(capabilityKey("used-credential", type)) === 0) continue;
    if (!tree.isSupportedByAll("credential", type)) {
      throw new ValidationError("leaf-credential", `a member does not support credential type ${type} that is in use`);
    }
  }
}

/** Checks that a new leaf and the members support each other's credential types (RFC 9420 §7.3). */
export function checkCredentialFits(tree: TreeView, leaf: LeafNode): void {
  const ownType = CREDENTIAL_TYPE[leaf.credential.kind];
  const inUse = Object.values(CREDENTIAL_TYPE).filter(
    (type) => tree.capabilityCount(capabilityKey("used-credential", type)) > 0,
  );
  const isKnown = tree.isSupportedByAll("credential", ownType);
  if (!isKnown || !inUse.every((type) => leaf.capabilities.credentials.includes(type))) {
    throw new ValidationError("leaf-credential", "a new leaf and the members do not support each other's credentials");
  }
}

/** Checks that every member supports new requirements, by counters, O(requirements) (RFC 9420 §12.1.7). */
export function checkAllSupport(tree: TreeView, requirements: GroupRequirements): void {
  for (const [name, list] of CAPABILITY_LISTS) {
    const missing = requirements[list].find((type) => !tree.isSupportedByAll(name, type));
    if (missing !== undefined) {
      throw new ValidationError("required-capabilities", `not every member supports ${name} type ${missing}`, {
        data: { [name]: missing },
      });
    }
  }
}

/** Checks that a leaf's keys are nobody else's (RFC 9420 §7.3); `at` is its own place, where its signature key may stand. */
export function checkLeafKeysUnique(tree: TreeView, leaf: LeafNode, at?: LeafIndex): void {
  const owner = tree.findBySignatureKey(leaf.signatureKey);
  if (owner !== undefined && owner !== at) {
    throw new ValidationError("unique-signature-key", "a leaf's signature key belongs to another member already");
  }
  if (tree.nodeOfEncryptionKey(bytesKey(leaf.encryptionKey)) !== undefined) {
    throw new ValidationError("unique-encryption-key", "a leaf's encryption key stands elsewhere in the tree already");
  }
}
