import { ended, type Attack } from "./attack.ts";
import { connectionAttacks } from "./connection-attacks.ts";
import { frameFloods } from "./frame-floods.ts";
import { identityAttacks } from "./identity-attacks.ts";
import { requestAttacks } from "./request-attacks.ts";

/** Nobody: how the crowd fares on this machine by itself. */
const NOBODY: Attack = { name: "nobody", prepare: () => (_, signal) => ended(signal) };

/** All attacks, or those whose names contain a text. */
export function attacks(only = ""): Attack[] {
  const all = [NOBODY, ...requestAttacks(), ...identityAttacks(), ...connectionAttacks(), ...frameFloods()];
  return all.filter(({ name }) => name.includes(only));
}
