import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { MlsGroup, type GroupConfig } from "@latchkey/mls";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function bytesInUse(): number {
  // Twice: what the first collection finalizes, such as array buffers, is counted until the second.
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes that a loaded group holds per member, rows and tree hashes included, after it looked at a commit. */
export async function memoryPerMember(config: GroupConfig, group: MlsGroup, commit: Uint8Array): Promise<number> {
  const rows = group.snapshot();
  const before = bytesInUse();
  const loaded = MlsGroup.load(
    config,
    [...rows].map(([key, value]) => [key, value.slice()] as const),
  );
  const received = await loaded.verify(commit);
  if (received.kind === "commit") await loaded.stage(received.commit);
  return (bytesInUse() - before) / loaded.memberCount;
}
