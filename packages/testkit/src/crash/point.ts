import { statSync } from "node:fs";
import { LatchkeyError, fromHex } from "@latchkey/mls";
import { openSqliteStore } from "@latchkey/client/node";
import { codeOf, isRetryable } from "@latchkey/client";
import type { Extent, Fault } from "./fault.ts";
import type { Operation, Scene } from "./scene.ts";
import { runVictim, type Intruder } from "./processes.ts";
import { ProcessDied, FaultInjector, SPARE_PAGES, type FaultEvents } from "./fault-injector.ts";
import { keyed, type Scenario } from "./scenario.ts";
import { contradictions, digestOf, hasIntent } from "./store-state.ts";

const PAGE_BYTES = 4096;

/** What one point of the matrix has shown; every list is empty when all is well. */
export interface Verdict {
  /** Acknowledged or intended, and not there; or not to be had by trying again. */
  readonly lost: string[];
  /** Neither before nor after, or not the same for everybody. */
  readonly torn: string[];
  /** Message keys used twice. */
  readonly reused: string[];
  /** Whether the fault happened: a run may be shorter than the one it was planned by. */
  readonly struck: boolean;
  readonly extent: Extent;
}

/** What the operation left behind when it was over, one way or the other. */
interface Outcome {
  readonly acknowledged: boolean;
  readonly struck: boolean;
  readonly transactions: number;
  readonly calls: number;
  /** What the database must say now, where that is known. */
  readonly digest: string | undefined;
  readonly late: readonly (() => Promise<unknown>)[];
  readonly torn: string[];
}

/** Runs an operation with one fault in it, takes up what is left, and compares what everybody sees. */
export async function runPoint(
  scenario: Scenario,
  operation: Operation,
  fault: Fault,
  intruder: Intruder,
): Promise<Verdict> {
  const scene = await operation.prepare(scenario);
  const { victim } = scene;
  const verdict = { lost: [] as string[], torn: scenario.observe(), reused: [] as string[] };
  victim.close();
  const outcome =
    fault.kind === "kill"
      ? await runKilled(scenario, operation, scene, fault)
      : await runHere(scenario, operation, scene, fault, intruder);
  verdict.torn.push(...outcome.torn);
  let intended = false;
  if ((fault.kind === "glitch" || fault.kind === "tight") && victim.isOpen) {
    await victim.client.conversations.sync();
  } else {
    victim.close();
    intended = inspect(scenario, victim, outcome, verdict.torn);
    if (fault.kind === "busy") await reopenBusy(victim, intruder, verdict.torn);
    await victim.open();
  }
  await deliverLate(scenario, scene, outcome);
  await compare(scenario, operation, scene, { acknowledged: outcome.acknowledged, intended }, verdict);
  await audit(scenario, scene, verdict);
  const { transactions, calls, struck } = outcome;
  return { ...verdict, struck, extent: { transactions, calls } };
}

function pagesOf(path: string): number {
  return Math.ceil((statSync(path, { throwIfNoEntry: false })?.size ?? 0) / PAGE_BYTES);
}

/** The operation in this process: death is an exception that nobody handles, and silence from then on. */
async function runHere(
  scenario: Scenario,
  operation: Operation,
  { victim, input }: Scene,
  fault: Fault,
  intruder: Intruder,
): Promise<Outcome> {
  const torn: string[] = [];
  let digest: string | undefined;
  const events: FaultEvents = {
    sent: (message) => scenario.ledger.note(message),
    dies: (found) => (digest = found),
    async intrude() {
      const answer = await intruder.ask({ open: victim.dbPath, dbKey: victim.dbKey });
      if (answer !== "STORE_LOCKED") torn.push(`a second process got "${answer}" for an open database`);
      if (answer === "open") await intruder.ask({ close: true });
    },
  };
  const injector = new FaultInjector(fault, events, input.rival === "" ? undefined : fromHex(input.rival));
  const isFull = fault.kind === "full" || fault.kind === "tight";
  const maxPages = isFull ? { maxPages: pagesOf(victim.dbPath) + SPARE_PAGES } : {};
  let acknowledged = false;
  try {
    injector.armed = operation.opens === true;
    await victim.open({ wrap: (environment) => injector.wrap(environment), ...maxPages });
    injector.armed = true;
    await operation.run(victim.client, input);
    acknowledged = true;
  } catch (error) {
    const typed = error instanceof LatchkeyError || error instanceof ProcessDied;
    if (!typed) torn.push(`an error without a code: ${String(error)}`);
    else if (!injector.struck && operation.loses !== true) torn.push(`an error for no reason: ${String(error)}`);
  }
  injector.armed = false;
  const { transactions, calls, late } = injector;
  return { acknowledged, struck: injector.struck, transactions, calls, digest, late, torn };
}

/** The operation in a process of its own, which is killed for real. */
async function runKilled(
  scenario: Scenario,
  operation: Operation,
  { victim, input }: Scene,
  fault: Fault,
): Promise<Outcome> {
  const { walletKey, dbPath, nodeUrl, dbKey } = victim;
  const report = `${dbPath}.report`;
  const end = await runVictim({ operation: operation.name, input, walletKey, dbPath, nodeUrl, dbKey, fault, report });
  let digest: string | undefined;
  for (const line of end.lines) {
    if (line.sent !== undefined) scenario.ledger.note(fromHex(line.sent));
    digest = line.digest ?? digest;
  }
  const acknowledged = end.lines.some(({ done }) => done === true);
  return { acknowledged, struck: end.killed, transactions: 0, calls: 0, digest, late: [], torn: [] };
}

/** Looks at the database as the dead process left it; true when it holds something that has to arrive. */
function inspect(scenario: Scenario, { dbPath, dbKey }: Scene["victim"], { digest }: Outcome, torn: string[]): boolean {
  const store = openSqliteStore(dbPath, keyed(dbKey));
  try {
    if (digest !== undefined && digest !== digestOf(store)) torn.push("the database says neither before nor after");
    torn.push(...contradictions(store));
    scenario.ledger.learn(store);
    return hasIntent(store);
  } finally {
    store.close();
  }
}

/** Another process has the database: opening fails with a reason, and works when that one is gone. */
async function reopenBusy(victim: Scene["victim"], intruder: Intruder, torn: string[]): Promise<void> {
  const answer = await intruder.ask({ open: victim.dbPath, dbKey: victim.dbKey });
  if (answer !== "open") torn.push(`a database that was let go cannot be opened: ${answer}`);
  try {
    await victim.open();
    torn.push("two processes have one database open");
    victim.close();
  } catch (error) {
    if (codeOf(error) !== "STORE_LOCKED" || !isRetryable(error)) torn.push(`a busy database: ${String(error)}`);
  }
  await intruder.ask({ close: true });
}

/** Requests that were on their way arrive when the client has moved on. */
async function deliverLate(scenario: Scenario, { victim }: Scene, { late }: Outcome): Promise<void> {
  if (late.length === 0) return;
  await victim.client.conversations.sync();
  // The node may refuse by now what comes so late; nobody is there to hear it.
  for (const call of late) await call().catch(() => undefined);
  await syncEverybody(scenario, victim);
}

async function syncEverybody(scenario: Scenario, first: Scene["victim"]): Promise<void> {
  const others = scenario.devices.filter((device) => device !== first);
  // Twice: what the others do may leave something to read for the first, and the other way round.
  for (const { client } of [first, ...others, first, ...others]) await client.conversations.sync();
}

/** Everybody catches up; then the operation has happened for all, or for nobody and can be repeated. */
async function compare(
  scenario: Scenario,
  operation: Operation,
  scene: Scene,
  claims: { readonly acknowledged: boolean; readonly intended: boolean },
  { lost, torn }: Pick<Verdict, "lost" | "torn">,
): Promise<void> {
  await syncEverybody(scenario, scene.victim);
  torn.push(...scenario.observe());
  let standing = operation.standing(scenario, scene);
  if (standing === "before") {
    if (claims.acknowledged) lost.push("it was acknowledged and has not happened");
    if (claims.intended && operation.loses !== true) lost.push("it was on its way and has not arrived");
    await operation.run(scene.victim.client, scene.input);
    await syncEverybody(scenario, scene.victim);
    standing = operation.standing(scenario, scene);
    if (standing === "before") lost.push("it was repeated and has not happened");
  }
  if (standing === "between") torn.push("some see it and some do not");
  try {
    await operation.proof?.(scenario, scene);
  } catch (error) {
    lost.push(`afterwards: ${String(error)}`);
  }
  await talk(scenario, scene, torn);
}

/** All active members of a group are in one epoch and read each other, each message once. */
async function talk(scenario: Scenario, { victim }: Scene, torn: string[]): Promise<void> {
  await syncEverybody(scenario, victim);
  torn.push(...scenario.observe());
  for (const { id, name } of victim.client.conversations.list()) {
    const members = scenario.devices.filter((device) => device.group(id)?.isActive === true);
    for (const member of members) await member.group(id)?.send(`from ${member.name}`);
    await syncEverybody(scenario, victim);
    const groups = members.flatMap((member) => member.group(id) ?? []);
    const epochs = new Set(groups.map((group) => `${group.epoch} ${group.epochAuthenticator} ${group.treeHash}`));
    if (epochs.size > 1) torn.push(`the members of "${name ?? ""}" are in ${epochs.size} different states`);
    for (const group of groups) {
      for (const member of members) {
        const count = group.messages().filter(({ text }) => text === `from ${member.name}`).length;
        if (count !== 1) torn.push(`a message of ${member.name} is shown ${count} times`);
      }
      for (const { code, rule } of group.rejections()) torn.push(`an entry was refused: ${code} ${rule ?? ""}`);
    }
  }
}

/** Reads the node's logs into the ledger of message keys, and closes the books. */
async function audit(scenario: Scenario, { victim }: Scene, verdict: Pick<Verdict, "torn" | "reused">): Promise<void> {
  scenario.observe();
  const { environment, client } = victim;
  for (const { id } of client.conversations.list()) {
    let afterId = 0n;
    for (let complete = false; !complete && environment !== undefined;) {
      const page = await environment.transport.queryGroupMessages({ topic: fromHex(id), afterId });
      for (const { data } of page.items) scenario.ledger.note(data);
      afterId = page.items.at(-1)?.id ?? afterId;
      ({ complete } = page);
    }
  }
  const { reused, unread } = scenario.ledger.audit();
  verdict.reused.push(...reused);
  if (unread > 0) verdict.torn.push(`${unread} messages belong to epochs that nobody knows`);
}
