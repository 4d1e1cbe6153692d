import { setTimeout as wait } from "node:timers/promises";
import type { ClientHttp2Session } from "node:http2";
import type { Subject } from "./subject.ts";
import { ATTACKER, call, openSession } from "./wire.ts";

/** One attacker: runs until `signal` is aborted and ends what it has opened. */
export interface Attack {
  readonly name: string;
  readonly run: (subject: Subject, signal: AbortSignal) => Promise<void>;
}

/** Repeats a step in so many lanes until the end; a step that throws is the attacker's loss. */
export async function repeat(lanes: number, signal: AbortSignal, step: (lane: number) => Promise<unknown>) {
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      while (!signal.aborted) {
        await step(lane).catch(() => undefined);
        await wait(1);
      }
    }),
  );
}

/** Resolves at the end of the attack. */
export function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });
}

/** Makes the same gRPC call again and again, on as many connections as there are lanes. */
export function flood(
  name: string,
  lanes: number,
  path: string,
  body: (count: number) => Uint8Array | Promise<Uint8Array>,
  headers = {},
): Attack {
  return {
    name,
    async run({ port }, signal) {
      const sessions: (ClientHttp2Session | undefined)[] = [];
      let count = 0;
      signal.addEventListener("abort", () => sessions.forEach((session) => session?.destroy()));
      await repeat(lanes, signal, async (lane) => {
        let session = sessions[lane];
        if (session === undefined || session.destroyed) {
          session = await openSession(port, ATTACKER);
          sessions[lane] = session;
        }
        if (session !== undefined) await call(session, path, await body(count++), headers);
      });
    },
  };
}
