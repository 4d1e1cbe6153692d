import { fromHex } from "@latchkey/mls";
import { verifyInstallationKeyPackage } from "@latchkey/xmtp";
import { scopeOf } from "../errors.ts";
import type { IdentityContext } from "./identity-context.ts";

/** Key packages begin an hour before they were made, in nanoseconds. */
const KEY_PACKAGE_SKEW_NS = 3_600_000_000_000n;

/**
 * When installations of an inbox made the key package that the node serves, in nanoseconds since 1970, by their own
 * clocks: clients renew it when they were added to a group and once a month, so that a device which is in use was seen
 * then or later. Installations whose key package cannot be read are left out; an expired one still says it.
 *
 * @throws as `Transport`.
 */
export async function keyPackageTimes(
  { crypto, transport }: Pick<IdentityContext, "crypto" | "transport">,
  inboxId: string,
  installationIds: readonly string[],
  signal?: AbortSignal,
): Promise<Map<string, bigint>> {
  const times = new Map<string, bigint>();
  if (installationIds.length === 0) return times;
  const answers = await transport.fetchKeyPackages(installationIds.map(fromHex), signal);
  for (const [index, id] of installationIds.entries()) {
    const bytes = answers[index];
    if (bytes === undefined) continue;
    try {
      const { keyPackage, ...owner } = await verifyInstallationKeyPackage(crypto, bytes);
      const { source } = keyPackage.leafNode;
      if (owner.inboxId !== inboxId || owner.installationId !== id || source.kind !== "key_package") continue;
      times.set(id, source.lifetime.notBefore * 1_000_000_000n + KEY_PACKAGE_SKEW_NS);
    } catch (error) {
      if (scopeOf(error, signal) === "availability") throw error;
    }
  }
  return times;
}
