import { writeSync, openSync } from "node:fs";
import { Client } from "@latchkey/client";
import { fromHex, toHex } from "@latchkey/mls";
import type { Fault } from "./fault.ts";
import { operationNamed, signerOf } from "./operations.ts";
import type { Input } from "./scene.ts";
import { FaultInjector } from "./fault-injector.ts";
import { hurriedClock, realEnvironment } from "./scenario.ts";

/** What a process is told that will not live to its end. */
export interface VictimOrder {
  readonly operation: string;
  readonly input: Input;
  readonly walletKey: string;
  readonly dbPath: string;
  readonly nodeUrl: string;
  /** Key of the database in hex; empty for none. */
  readonly dbKey: string;
  readonly fault: Fault;
  /** File that gets a line of JSON for everything the parent has to know. */
  readonly report: string;
}

/** One line of the report. */
export interface VictimLine {
  readonly sent?: string;
  readonly digest?: string;
  readonly done?: true;
}

function kill(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("SIGKILL did not end this process");
}

const order = JSON.parse(process.argv[2] ?? "") as VictimOrder;
const report = openSync(order.report, "a");
const tell = (line: VictimLine) => writeSync(report, `${JSON.stringify(line)}\n`);
const operation = operationNamed(order.operation);
const rival = order.input.rival === "" ? undefined : fromHex(order.input.rival);
const injector = new FaultInjector(
  order.fault,
  { sent: (message) => tell({ sent: toHex(message) }), dies: (digest) => tell({ digest }), kill },
  rival,
);
const environment = injector.wrap(realEnvironment({ ...order, clock: hurriedClock() }));
injector.armed = operation.opens === true;
const client = await Client.create(signerOf(order.walletKey), environment);
injector.armed = true;
try {
  await operation.run(client, order.input);
} catch (error) {
  if (operation.loses !== true) throw error;
  process.exit(0);
}
tell({ done: true });
process.exit(0);
