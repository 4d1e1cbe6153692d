import { setTimeout as wait } from "node:timers/promises";
import type { ClientHttp2Session } from "node:http2";
import { ATTACKER, call, openSession } from "./wire.ts";

/** Where the attacked node is. */
export interface Target {
  readonly url: string;
  readonly port: number;
}

export function targetOf(url: string): Target {
  return { url, port: Number(new URL(url).port) };
}

/** Attacks until the signal is aborted, and ends what it has opened. */
export type Run = (target: Target, signal: AbortSignal) => Promise<void>;

/** One attacker; what it sends is made beforehand, so that making it takes nothing from the attack. */
export interface Attack {
  readonly name: string;
  readonly prepare: () => Run | Promise<Run>;
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

/** One gRPC call that is made again and again. */
export interface FloodOptions {
  /** Calls at once, each on a connection of its own. */
  readonly lanes: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Makes what gives the body of each call. */
  readonly bodies: () => ((count: number) => Uint8Array) | Promise<(count: number) => Uint8Array>;
  /** Addresses that the lanes share; one by default. */
  readonly addresses?: readonly string[];
}

/** Makes the same gRPC call again and again, on as many connections as there are lanes. */
export function flood(name: string, { lanes, path, headers, bodies, addresses = [ATTACKER] }: FloodOptions): Attack {
  return {
    name,
    async prepare() {
      const body = await bodies();
      return async ({ port }, signal) => {
        const sessions: (ClientHttp2Session | undefined)[] = [];
        let count = 0;
        signal.addEventListener("abort", () => sessions.forEach((session) => session?.destroy()));
        await repeat(lanes, signal, async (lane) => {
          let session = sessions[lane];
          if (session === undefined || session.destroyed) {
            session = await openSession(port, addresses[lane % addresses.length]);
            sessions[lane] = session;
          }
          if (session !== undefined) await call(session, path, body(count++), headers);
        });
      };
    },
  };
}
