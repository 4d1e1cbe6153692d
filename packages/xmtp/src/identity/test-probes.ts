import { ed25519Probes } from "./test-probes-ed25519.ts";
import { passkeyProbes } from "./test-probes-passkeys.ts";
import { ruleProbes } from "./test-probes-rules.ts";
import { walletProbes } from "./test-probes-wallets.ts";
import type { Probe } from "./test-probe-kit.ts";

/** All probes; the same in every run. */
export function identityProbes(): Probe[] {
  return [...ed25519Probes(), ...walletProbes(), ...passkeyProbes(), ...ruleProbes()];
}
