import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { World } from "./support.ts";

const run = promisify(execFile);

/** A program that holds on is ended after this long; one that does not ends within a second. */
const PATIENCE_MS = 60_000;

test("TRU-17 a program whose clients are closed ends by itself, while its signer, resolver and streams hang", async (t) => {
  const world = await World.start(t);
  const admin = await world.device("founder", {
    wrap: (environment) => ({ ...environment, resolvePointer: () => world.node.url }),
  });
  const group = await admin.client.conversations.createGroup([]);
  const { url } = await group.createInvite({ service: { kind: "opaque", bytes: Uint8Array.of(1, 2, 3) } });
  const program = join(import.meta.dirname, "closing-program.ts");
  const args = ["--no-warnings", program, world.node.url, world.directory, url];
  const { stdout } = await run(process.execPath, args, { timeout: PATIENCE_MS });
  const closed = "CLIENT_CLOSED";
  assert.deepEqual(JSON.parse(stdout), {
    hung: ["resolver", "signer"],
    codes: [closed, closed, closed, "the person went back"],
  });
});
