import { EXTENSION_TYPE, PROPOSAL_TYPE, type AppData, type LeafNode, type VerifiedCommit } from "@latchkey/mls";
import { appDataUpdatesOf } from "../app-data/apply.ts";
import { COMPONENT } from "../app-data/component.ts";
import type { MembershipEntry } from "../app-data/membership.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { FOLLOWS_EXTERNAL_COMMITS } from "../protocol.ts";
import { reject, type Leaves } from "./common.ts";

const INSTALLATION_ID_DIGITS = 64;

/** Bytes of those parts of a leaf that its owner may make as long as it likes. */
function leafBytes({ credential, capabilities, extensions }: LeafNode): number {
  const { versions, cipherSuites, extensions: types, proposals, credentials } = capabilities;
  const listed = [versions, cipherSuites, types, proposals, credentials].reduce((sum, list) => sum + list.length, 0);
  const identity = credential.kind === "basic" ? credential.identity.length : 0;
  return extensions.reduce((sum, { data }) => sum + data.length, identity + 2 * listed);
}

/**
 * Leaves that come in stay in every blob, so that their size is bounded: `LeafTooLarge`. For the external commit of a link
 * holder as well as for a member's.
 */
export function checkLeafSizes(commit: VerifiedCommit): void {
  const added = commit.added.map(({ keyPackage }) => keyPackage.leafNode);
  const updated = commit.updated.map(({ after }) => after);
  for (const leaf of [...added, ...updated, ...(commit.pathLeaf === undefined ? [] : [commit.pathLeaf])]) {
    if (leafBytes(leaf) > XMTP_LIMITS.maxLeafBytes) {
      reject("LeafTooLarge", `a leaf states more than ${XMTP_LIMITS.maxLeafBytes} bytes`);
    }
  }
}

/** A membership entry that a member writes: `FailedInstallationsOutOfBounds`. The meaning of the ids is not checked. */
export function checkFailedInstallations({ failedInstallations }: MembershipEntry): void {
  const { maxFailedInstallations } = XMTP_LIMITS;
  const malformed = failedInstallations.some((id) => id.length !== INSTALLATION_ID_DIGITS);
  if (malformed || failedInstallations.length > maxFailedInstallations) {
    reject(
      "FailedInstallationsOutOfBounds",
      `an entry lists more than ${maxFailedInstallations} failed installations, or one whose id has not 32 bytes`,
    );
  }
}

function totalBytes(appData: AppData): number {
  let sum = 0;
  for (const value of appData.values()) sum += value.length;
  return sum;
}

/**
 * Bounds of the app data behind a member's commit: `ComponentTooLarge` for one component, `AppDataTooLarge` for all
 * together. A commit that makes the state smaller is never refused for its size.
 */
export function checkStateSize(commit: VerifiedCommit, before: AppData, after: AppData, members: number): void {
  const { maxComponentBytes, appDataBaseBytes, appDataBytesPerMember } = XMTP_LIMITS;
  for (const { componentId } of appDataUpdatesOf(commit)) {
    // The membership grows with the members; its entries have bounds of their own.
    if (componentId === COMPONENT.groupMembership) continue;
    const [was, is] = [before.get(componentId)?.length ?? 0, after.get(componentId)?.length ?? 0];
    if (is > maxComponentBytes && is > was) {
      reject("ComponentTooLarge", `a component would have more than ${maxComponentBytes} bytes`, { componentId });
    }
  }
  const total = totalBytes(after);
  if (total > appDataBaseBytes + appDataBytesPerMember * members && total > totalBytes(before)) {
    reject("AppDataTooLarge", "the group's app data would be larger than a blob of the group may be");
  }
}

const NEEDED_EXTENSIONS = [EXTENSION_TYPE.appDataDictionary, FOLLOWS_EXTERNAL_COMMITS];

/**
 * CAP-01: in a group whose leaves all list our sign, none of them drops it or what changes of the group need, and no leaf
 * comes in that changes of the group would fail for: `MissingCapability`. Elsewhere libxmtp takes such a commit.
 */
export function checkCapabilitiesKept(commit: VerifiedCommit, leaves: Leaves): void {
  if (!leaves.isSupportedByAll(FOLLOWS_EXTERNAL_COMMITS)) return;
  const committer = leaves.leaf(commit.committerLeafIndex);
  const replaced = commit.updated.map(({ before, after }) => ({ before, after }));
  if (committer !== undefined && commit.pathLeaf !== undefined) {
    replaced.push({ before: committer, after: commit.pathLeaf });
  }
  const drops = ({ before, after }: { before: LeafNode; after: LeafNode }) =>
    NEEDED_EXTENSIONS.some((type) => lists(before, "extensions", type) && !lists(after, "extensions", type)) ||
    (lists(before, "proposals", PROPOSAL_TYPE.app_data_update) &&
      !lists(after, "proposals", PROPOSAL_TYPE.app_data_update));
  const lacks = commit.added.some(
    ({ keyPackage }) => !lists(keyPackage.leafNode, "proposals", PROPOSAL_TYPE.app_data_update),
  );
  if (lacks || replaced.some(drops)) {
    reject("MissingCapability", "a leaf lacks a capability without which the group cannot go on");
  }
}

function lists({ capabilities }: LeafNode, list: "extensions" | "proposals", type: number): boolean {
  return capabilities[list].includes(type);
}
