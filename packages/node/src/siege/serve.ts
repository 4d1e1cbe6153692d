import { createNode } from "../node.ts";
import { serveParent } from "./forked.ts";

/** Milliseconds between two looks at the event loop. */
const LOOK_MS = 10;

const [, , dataDir] = process.argv;
if (dataDir === undefined) throw new Error("the data directory is missing");
const node = await createNode({ dataDir });

/** Processor time of this thread between two looks, at most: a loop that is held cannot be looked at meanwhile. */
let heldMicros = 0;
let before = process.threadCpuUsage();
setInterval(() => {
  const { user, system } = process.threadCpuUsage(before);
  before = process.threadCpuUsage();
  heldMicros = Math.max(heldMicros, user + system);
}, LOOK_MS);

serveParent(node.url, () => {
  const heldMs = Math.round(heldMicros / 1_000);
  heldMicros = 0;
  return heldMs;
});
