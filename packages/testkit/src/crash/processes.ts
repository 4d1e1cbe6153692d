import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { IntruderRequest } from "./intruder-process.ts";
import type { VictimLine, VictimOrder } from "./victim-process.ts";

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

/** How a victim's process ended. */
export interface VictimEnd {
  readonly killed: boolean;
  readonly lines: readonly VictimLine[];
}

/** Runs an operation in a process that kills itself on the way; throws when it ended in another way than meant. */
export async function runVictim(order: VictimOrder): Promise<VictimEnd> {
  const child = spawn(process.execPath, [pathOf("victim-process.ts"), JSON.stringify(order)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  const text = existsSync(order.report) ? readFileSync(order.report, "utf8") : "";
  const lines = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as VictimLine);
  const killed = signal === "SIGKILL";
  if (!killed && code !== 0) throw new Error(`the victim failed before its time: ${complaint.slice(0, 2000)}`);
  return { killed, lines };
}

/** Another program of the same machine that wants the same database. */
export class Intruder {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(pathOf("intruder-process.ts"));
  }

  /** "open" when it has the database now, else the code of the error it got. */
  async ask(request: IntruderRequest): Promise<string> {
    const answered = once(this.#child, "message") as Promise<[string]>;
    this.#child.send(request);
    const [answer] = await answered;
    return answer;
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.disconnect();
    await ended;
  }
}
