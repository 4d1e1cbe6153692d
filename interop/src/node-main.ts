import { createLogger, createNode } from "@latchkey/node";

const [, , dataDir, port] = process.argv;
if (dataDir === undefined) throw new Error("the data directory is missing");
const node = await createNode({ dataDir, port: Number(port), logger: createLogger("error") });
// Whoever started this process has gone, or wants it to go.
process.once("disconnect", () => void node.close());
process.send?.(node.port);
