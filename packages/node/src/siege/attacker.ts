import { getPriority, setPriority } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { attacks } from "./attacks.ts";
import { serveParent } from "./forked.ts";
import { targetOf, type Run } from "./attack.ts";

/** Milliseconds that an attack gets to end by itself. */
const END_MS = 3_000;

/** By how much its priority is lower: what an attacker spends is not to be taken from the node on the same cores. */
const NICER = 10;

/** What the attacker is told: an attack to prepare, a node to attack with it, or to end. */
export type Order = { readonly prepare: string } | { readonly url: string } | "end";

setPriority(Math.min(19, getPriority() + NICER));
let run: Run | undefined;
let stop = new AbortController();
let running: Promise<unknown> = Promise.resolve();

async function obey(order: Order): Promise<void> {
  if (order === "end") {
    stop.abort();
    await Promise.race([running, wait(END_MS)]);
  } else if ("prepare" in order) {
    run = await attacks()
      .find(({ name }) => name === order.prepare)
      ?.prepare();
  } else {
    if (run === undefined) throw new Error("no attack is prepared");
    stop = new AbortController();
    running = run(targetOf(order.url), stop.signal).catch(() => undefined);
  }
}

serveParent("ready", (order) => obey(order as Order));
