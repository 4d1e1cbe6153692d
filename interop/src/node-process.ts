import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/** Our delivery node in a process of its own. */
export interface NodeProcess {
  /** Stays the same over restarts. */
  readonly url: string;
  /** Ends the process, gently or as a power cut would, and starts it again on the same data and port. */
  restart(how: "close" | "kill"): Promise<void>;
  stop(): Promise<void>;
}

async function start(dataDir: string, port: number): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(new URL("./node-main.ts", import.meta.url), [dataDir, String(port)]);
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`the node ended with ${String(code)} before it listened`);
  });
  const [message] = (await Promise.race([once(child, "message"), failed])) as [unknown];
  failed.catch(() => undefined);
  return { child, port: Number(message) };
}

async function end(child: ChildProcess, how: "close" | "kill"): Promise<void> {
  const exited = once(child, "exit");
  if (how === "kill") child.kill("SIGKILL");
  else child.disconnect();
  await exited;
}

/** Starts a node on a free port of 127.0.0.1. It ends with this process at the latest. */
export async function startNodeProcess(dataDir: string): Promise<NodeProcess> {
  let running = await start(dataDir, 0);
  const { port } = running;
  return {
    url: `http://127.0.0.1:${port}`,
    async restart(how) {
      await end(running.child, how);
      running = await start(dataDir, port);
    },
    stop: () => end(running.child, "close"),
  };
}
