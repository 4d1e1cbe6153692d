import { NODE_LIMITS } from "../limits.ts";
import { createNode } from "../node.ts";
import { openPostgresStore } from "../storage/postgres/store.ts";

const [, , where] = process.argv;
if (where === undefined) throw new Error("the data directory, or the url of the database, is missing");
const place = where.startsWith("postgres://") ? { store: openPostgresStore(where) } : { dataDir: where };
// One address sends what a thousand would, and to few slots: the rate limits are not what is measured.
const many = NODE_LIMITS.rpcPerSecond * 1_000;
const rates = { rpcPerSecond: many, slotAddressPerSecond: many, slotUploadPerSecond: many };
const bursts = { rpcBurst: many, slotAddressBurst: many, slotUploadBurst: many };
const { transferPerSecond, bodyBytesInFlight: bodyBytesPerAddress } = NODE_LIMITS;
const shares = { transferPerSecond: transferPerSecond * 1_000, slotBytesPerSecond: 2 ** 40, bodyBytesPerAddress };
const node = await createNode({ ...place, limits: { ...rates, ...bursts, ...shares } });
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuMicros: user + system, rss: process.memoryUsage.rss() });
});
process.once("disconnect", () => void node.close());
process.send?.(node.url);
