import { MlsGroup, type GroupConfig } from "@latchkey/mls";
import { bytesInUse } from "../bytes-in-use.ts";

/** Members loaded for one measurement, at least: in small groups, what else happens to be allocated would count. */
const MEMBERS_LOADED = 10_000;

/**
 * Bytes that a loaded group holds, its rows as a store hands them over and its tree hashes included, after it looked at
 * a commit; the mean of as many groups as have 10 000 members together.
 */
export async function memoryOfGroup(config: GroupConfig, group: MlsGroup, commit: Uint8Array): Promise<number> {
  const rows = group.snapshot();
  const load = async (): Promise<MlsGroup> => {
    const loaded = MlsGroup.load(
      config,
      [...rows].map(([key, value]) => [key, value.slice()] as const),
    );
    const received = await loaded.verify(commit);
    if (received.kind === "commit") await loaded.stage(received.commit);
    return loaded;
  };
  const count = Math.ceil(MEMBERS_LOADED / group.memberCount);
  const groups: MlsGroup[] = [];
  const before = bytesInUse();
  while (groups.length < count) groups.push(await load());
  return (bytesInUse() - before) / groups.length;
}
