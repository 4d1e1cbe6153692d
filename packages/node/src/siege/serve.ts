import { createNode } from "../node.ts";
import { openPostgresStore } from "../storage/postgres/store.ts";
import { serveParent } from "./forked.ts";

/** Milliseconds between two looks at the event loop. */
const LOOK_MS = 10;

const [, , where] = process.argv;
if (where === undefined) throw new Error("the data directory, or the url of the database, is missing");
const node = await createNode(
  where.startsWith("postgres://") ? { store: openPostgresStore(where) } : { dataDir: where },
);

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
