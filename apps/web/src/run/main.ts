import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createNode } from "@latchkey/node";
import { buildPage, PAGE_DIR } from "../build.ts";
import { startDemo } from "./demo.ts";

/*
 * `npm run web`: builds the page and serves it with a node on this machine, for this machine. With `--demo` the node has a
 * group to join; everything is gone at the end.
 */

const { values } = parseArgs({
  options: { demo: { type: "boolean", default: false }, port: { type: "string", default: "0" } },
});

const hash = await buildPage();
const dataDir = await mkdtemp(join(tmpdir(), "latchkey-web-"));
const node = await createNode({ dataDir, port: Number(values.port), pageDir: PAGE_DIR });
const demo = values.demo ? await startDemo(node.url) : undefined;
console.log(`Page ${hash.slice(0, 16)} and node at ${node.url}, for this computer.`);
if (demo !== undefined) console.log(`An invite to open: ${demo.link}`);
console.log("Stop it with Ctrl-C; nothing is kept.");
const stop = Promise.withResolvers<undefined>();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.resolve(undefined));
await stop.promise;
await demo?.close();
await node.close();
await rm(dataDir, { recursive: true });
