import { ed25519Probes } from "./probes-ed25519.ts";
import { passkeyProbes } from "./probes-passkeys.ts";
import { ruleProbes } from "./probes-rules.ts";
import { walletProbes } from "./probes-wallets.ts";
import type { Probe } from "./probe-kit.ts";

/** All probes; the same in every run. */
export function identityProbes(): Probe[] {
  return [...ed25519Probes(), ...walletProbes(), ...passkeyProbes(), ...ruleProbes()];
}
