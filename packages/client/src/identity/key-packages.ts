import {
  decodeKeyPackageBundle,
  encodeKeyPackageBundle,
  equalBytes,
  fromHex,
  type KeyPackage,
  type KeyPackageBundle,
} from "@latchkey/mls";
import {
  createInstallationKeyPackage,
  verifyInstallationKeyPackage,
  welcomeKeyOf,
  type WelcomeKeyPair,
} from "@latchkey/xmtp";
import { WelcomeWrapperAlgorithm } from "@latchkey/xmtp/proto";
import { codeOf, verdictOf } from "../errors.ts";
import type { IdentityContext, MessageSender } from "./identity-context.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { KeyPackageRecord } from "../store/records.ts";
import { surplus } from "../store/surplus.ts";
import { faultByItself, unusableBy, type KeyPackageFault, type UnusableInstallation } from "./key-package-faults.ts";

/** What it takes to make a key package and to give it to the node. */
export type KeyPackageContext = Pick<
  IdentityContext,
  "crypto" | "store" | "transport" | "time" | "own" | "groupConfig" | "keyPackageTurn"
>;

/**
 * Makes a new key package, keeps it and uploads it; the ones before stay readable for a day, because Welcomes for
 * them may be under way. What retired longer ago is deleted: its keys must not outlive their use. So is the oldest when
 * there are too many, because anybody who sends Welcomes makes some.
 */
export function rotateKeyPackage(context: KeyPackageContext, signal?: AbortSignal): Promise<void> {
  return context.keyPackageTurn.run(() => rotateInTurn(context, signal), signal);
}

async function rotateInTurn(context: KeyPackageContext, signal: AbortSignal | undefined): Promise<void> {
  // One at a time: a node that takes none must not make us pile them up.
  await uploadKeyPackages(context, signal);
  const nowNs = context.time.bestNs();
  const bundle = await createInstallationKeyPackage({
    crypto: context.crypto,
    identity: context.groupConfig.identity,
    inboxId: context.own.inboxId,
    nowSeconds: nowNs / 1_000_000_000n,
  });
  const { reference, keyPackage, wrapperPrivateKey } = bundle;
  context.store.transaction(({ keyPackages }) => {
    const retired = keyPackages
      .list()
      .flatMap(({ reference, retiredAtNs }) => (retiredAtNs === undefined ? [] : [{ reference, retiredAtNs }]))
      .sort((one, other) => (one.retiredAtNs < other.retiredAtNs ? -1 : 1));
    const old = retired.filter(({ retiredAtNs }) => retiredAtNs + CLIENT_LIMITS.keyPackageRetentionNs < nowNs);
    // The one that is replaced now is to have its place.
    const tooMany = surplus(retired, CLIENT_LIMITS.maxRetiredKeyPackages - 1);
    for (const row of [...old, ...tooMany]) keyPackages.delete(row.reference);
    keyPackages.put({
      reference,
      initKey: keyPackage.initKey,
      bundle: encodeKeyPackageBundle(bundle),
      wrapperPrivateKey,
      uploaded: 0n,
      retiredAtNs: undefined,
    });
  });
  await uploadKeyPackages(context, signal);
}

/**
 * True when there is no key package in use, or only one that is older than `keyPackageRotationSeconds` or from before
 * X-Wing was offered.
 */
function needsRotation(context: KeyPackageContext): boolean {
  const nowSeconds = context.time.bestNs() / 1_000_000_000n;
  const current = context.store.keyPackages.list().filter(({ retiredAtNs }) => retiredAtNs === undefined);
  return current.every(({ bundle, wrapperPrivateKey }) => {
    if (wrapperPrivateKey.length === 0) return true;
    const { source } = decodeKeyPackageBundle(bundle).keyPackage.leafNode;
    const since = source.kind === "key_package" ? source.lifetime.notBefore : 0n;
    return since + CLIENT_LIMITS.keyPackageRotationSeconds < nowSeconds;
  });
}

/** Replaces a key package that has grown old, and takes up an upload that was interrupted. */
export function keepKeyPackage(context: KeyPackageContext, signal?: AbortSignal): Promise<void> {
  const keep = () => (needsRotation(context) ? rotateInTurn : uploadKeyPackages)(context, signal);
  return context.keyPackageTurn.run(keep, signal);
}

/** Uploads the newest key package if that is not done yet, and retires the ones before. */
async function uploadKeyPackages(context: KeyPackageContext, signal?: AbortSignal): Promise<void> {
  const waiting = context.store.keyPackages.list().filter(({ uploaded }) => uploaded === 0n);
  for (const row of waiting) {
    await uploadOrForget(context, row, signal);
    context.store.transaction(({ keyPackages }) => {
      const retiredAtNs = context.time.bestNs();
      for (const other of keyPackages.list()) {
        if (other.uploaded === 1n && other.retiredAtNs === undefined) keyPackages.put({ ...other, retiredAtNs });
      }
      keyPackages.put({ ...row, uploaded: 1n });
    });
  }
}

/** One that the node refuses (made while the clock was wrong, say) is nobody's: the next one is made anew. */
async function uploadOrForget(context: KeyPackageContext, row: KeyPackageRecord, signal?: AbortSignal): Promise<void> {
  try {
    await context.transport.uploadKeyPackage(decodeKeyPackageBundle(row.bundle).bytes, signal);
  } catch (error) {
    if (codeOf(error) === "NODE_REJECTED") {
      context.store.transaction(({ keyPackages }) => keyPackages.delete(row.reference));
    }
    throw error;
  }
}

/** A key package and that of its key pairs which opens a Welcome. */
export interface WelcomeOpener {
  readonly bundle: KeyPackageBundle;
  readonly keyPair: WelcomeKeyPair;
}

/** What opens a Welcome that was wrapped for this key: the init key or the X-Wing key of a key package that is kept. */
export function openerFor(context: IdentityContext, hpkePublicKey: Uint8Array): WelcomeOpener | undefined {
  for (const row of context.store.keyPackages.list()) {
    const bundle = decodeKeyPackageBundle(row.bundle);
    if (equalBytes(row.initKey, hpkePublicKey)) {
      const algorithm = WelcomeWrapperAlgorithm.CURVE25519;
      return { bundle, keyPair: { algorithm, publicKey: row.initKey, privateKey: bundle.initPrivateKey } };
    }
    const key = welcomeKeyOf(bundle.keyPackage);
    if (equalBytes(key.publicKey, hpkePublicKey)) {
      return { bundle, keyPair: { ...key, privateKey: row.wrapperPrivateKey } };
    }
  }
  return undefined;
}

/** Installations of one inbox whose key packages are wanted. */
export interface WantedInstallations {
  readonly inboxId: string;
  readonly installationIds: readonly string[];
}

/** The key packages of an inbox that can be used, and its installations that have none. */
export interface FetchedKeyPackages {
  readonly inboxId: string;
  readonly keyPackages: readonly KeyPackage[];
  readonly unusable: readonly UnusableInstallation[];
}

/**
 * Fetches the key packages of installations of many inboxes in one request and verifies them, in order. A missing, expired
 * or forged one is reported as unusable: one broken device must not keep the others out (REV-08).
 */
export async function fetchKeyPackages(
  context: IdentityContext,
  wanted: readonly WantedInstallations[],
  signal?: AbortSignal,
): Promise<FetchedKeyPackages[]> {
  const owners = wanted.flatMap(({ inboxId, installationIds }) =>
    installationIds.map((installationId): MessageSender => ({ inboxId, installationId })),
  );
  if (owners.length === 0) return wanted.map(({ inboxId }) => ({ inboxId, keyPackages: [], unusable: [] }));
  const ids = owners.map(({ installationId }) => fromHex(installationId));
  const answers = await context.transport.fetchKeyPackages(ids, signal);
  const opened = await Promise.all(owners.map((owner, at) => openKeyPackage(context, owner, answers[at])));
  let start = 0;
  return wanted.map(({ inboxId, installationIds }) => {
    const found = opened.slice(start, (start += installationIds.length));
    return {
      inboxId,
      keyPackages: found.flatMap((one) => ("fault" in one ? [] : [one])),
      unusable: found.flatMap((one) => ("fault" in one ? [one] : [])),
    };
  });
}

async function openKeyPackage(
  { crypto, time }: IdentityContext,
  { inboxId, installationId }: MessageSender,
  bytes: Uint8Array | undefined,
): Promise<KeyPackage | UnusableInstallation> {
  const faulty = (fault: KeyPackageFault) => ({ installationId, fault, rule: undefined });
  if (bytes === undefined) return faulty("missing");
  try {
    const nowSeconds = time.bestNs() / 1_000_000_000n;
    const verified = await verifyInstallationKeyPackage(crypto, bytes, { nowSeconds });
    if (verified.inboxId !== inboxId || verified.installationId !== installationId) return faulty("foreign");
    const fault = faultByItself(verified.keyPackage);
    return fault === undefined ? verified.keyPackage : faulty(fault);
  } catch (error) {
    return unusableBy(installationId, verdictOf(error));
  }
}
