import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes that this process still needs: its heap and its buffers, after garbage collection. */
export function bytesInUse(): number {
  // Twice: what the first collection finalizes, such as array buffers, is counted until the second.
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
