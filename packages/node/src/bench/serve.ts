import { NODE_LIMITS } from "../limits.ts";
import { createNode } from "../node.ts";

const [, , dataDir] = process.argv;
if (dataDir === undefined) throw new Error("the data directory is missing");
// One address sends what a thousand would: its rate limit is not what is measured.
const rpcPerSecond = NODE_LIMITS.rpcPerSecond * 1_000;
const node = await createNode({ dataDir, limits: { rpcPerSecond, rpcBurst: rpcPerSecond } });
process.once("disconnect", () => void node.close());
process.send?.(node.url);
