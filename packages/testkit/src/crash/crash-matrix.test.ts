import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { openSqliteStore } from "@latchkey/client/node";
import { faultName, faultsOf } from "./fault.ts";
import { runMatrix } from "./matrix.ts";
import { operationNamed } from "./operations.ts";
import { FaultInjector } from "./fault-injector.ts";
import { World, type Device, type Scenario } from "./scenario.ts";
import { contradictions, digestOf } from "./store-state.ts";

/** A member of a group, closed, on a scenario that goes after the test. */
async function closedMember(t: TestContext): Promise<{ scenario: Scenario; victim: Device; groupId: string }> {
  const world = await World.start();
  t.after(() => world.stop());
  const scenario = world.newScenario();
  t.after(() => scenario.close());
  const { victim, input } = await operationNamed("send").prepare(scenario);
  victim.close();
  return { scenario, victim, groupId: input.groupId };
}

test("SEC-09 a sample of all deaths, bad lines, full disks and busy databases: nothing lost, nothing torn, no key used twice", async () => {
  const { points, struck, failures } = await runMatrix({
    sample: 6,
    operations: ["join-3", "send", "commit-add", "welcome", "invite-rotate"],
  });
  assert.deepEqual(failures, []);
  assert.ok(points === 11 && struck >= 5, `${points} points, ${struck} struck`);
});

test("SEC-09 a removal with a renewal of the invite, stopped anywhere: done as a whole, for everybody", async () => {
  const { points, struck, failures } = await runMatrix({ sample: 4, operations: ["commit-remove-renew"] });
  assert.deepEqual(failures, []);
  assert.ok(points === 5 && struck >= 3, `${points} points, ${struck} struck`);
});

test("DEV-08 linking a device, stopped anywhere: it is in the inbox and in the group, or neither", async () => {
  const { points, struck, failures } = await runMatrix({ sample: 2, operations: ["link-device"] });
  assert.deepEqual(failures, []);
  assert.ok(points === 3 && struck >= 1, `${points} points, ${struck} struck`);
});

test("SEC-09 the same on encrypted databases: registering, fresh key packages, joining", async () => {
  const { points, struck, failures } = await runMatrix({
    encrypted: true,
    sample: 2,
    operations: ["register-second", "rotate-key-package", "join-1"],
  });
  assert.deepEqual(failures, []);
  assert.ok(points === 5 && struck >= 1, `${points} points, ${struck} struck`);
});

test("DEV-08 following an identity log and revoking a device, stopped anywhere: done as a whole, for everybody", async () => {
  const { points, struck, failures } = await runMatrix({ sample: 4, operations: ["follow-added", "device-revoke"] });
  assert.deepEqual(failures, []);
  assert.ok(points === 6 && struck >= 3, `${points} points, ${struck} struck`);
});

test("every fault of an operation has a name of its own", () => {
  const names = faultsOf({ transactions: 3, calls: 4 }).map(faultName);
  assert.equal(new Set(names).size, names.length);
  assert.equal(names.length, 2 * 3 * 3 + 2 * 3 * 4 + 2 * 3 + 4);
});

test("the ledger of message keys notices a database that was rolled back between two messages", async (t) => {
  const { scenario, victim, groupId } = await closedMember(t);
  /** `isBlind`: the node withholds the group's log, or the client would know its own message and send nothing. */
  const sendFrom = async (text: string, isBlind = false) => {
    const nothing = () => Promise.resolve({ items: [], complete: true });
    const injector = new FaultInjector(
      { kind: "none" },
      { sent: (message) => scenario.ledger.note(message), dies: () => assert.fail("nobody dies here") },
    );
    await victim.open({
      wrap: (environment) => {
        const wrapped = injector.wrap(environment);
        const { transport } = wrapped;
        return isBlind ? { ...wrapped, transport: { ...transport, queryGroupMessages: nothing } } : wrapped;
      },
    });
    const sent = victim.group(groupId)?.send(text);
    if (isBlind) await assert.rejects(sent ?? Promise.resolve(), { code: "NODE_UNREACHABLE" });
    else await sent;
    scenario.observe();
    victim.close();
  };
  copyFileSync(victim.dbPath, `${victim.dbPath}.old`);
  await sendFrom("once");
  assert.deepEqual(scenario.ledger.audit().reused, []);
  copyFileSync(`${victim.dbPath}.old`, victim.dbPath);
  await assert.rejects(sendFrom("what it knows better than to send"), { code: "GROUP_PARTED" });
  assert.deepEqual(scenario.ledger.audit().reused, []);
  victim.close();
  copyFileSync(`${victim.dbPath}.old`, victim.dbPath);
  await sendFrom("and once more with the same key", true);
  assert.equal(scenario.ledger.audit().reused.length, 1);
});

test("a database with half of a change in it is noticed", async (t) => {
  const { victim } = await closedMember(t);
  const look = () => {
    const store = openSqliteStore(victim.dbPath);
    try {
      return { digest: digestOf(store), found: contradictions(store) };
    } finally {
      store.close();
    }
  };
  const whole = look();
  assert.deepEqual(whole.found, []);
  assert.deepEqual(look(), whole);
  const database = new DatabaseSync(victim.dbPath);
  database.exec("DELETE FROM groups");
  database.close();
  const torn = look();
  assert.ok(torn.found.includes("MLS state without its group"));
  assert.notEqual(torn.digest, whole.digest);
});
