import { createNode } from "@latchkey/node";

const [, , dataDir] = process.argv;
if (dataDir === undefined) throw new Error("the data directory is missing");
// A crowd behind one address: the limits per address are not what is measured; those per slot stay as they are.
const many = 1_000_000;
const limits = { rpcBurst: many, rpcPerSecond: many, slotAddressBurst: many, slotAddressPerSecond: many };
const node = await createNode({ dataDir, limits });
process.once("disconnect", () => void node.close());
process.send?.(node.url);
