import { createNode } from "../node.ts";

const [, , dataDir] = process.argv;
if (dataDir === undefined) throw new Error("the data directory is missing");
const node = await createNode({ dataDir });
process.once("disconnect", () => void node.close());
process.send?.(node.url);
