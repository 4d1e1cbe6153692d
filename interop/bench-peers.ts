/**
 * Measures our client beside XMTP's native library: the same work in turn, on one node of ours in another process.
 * Usage: bench-peers.ts [--json] [--sizes 10,100,240] [--runs 5]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { createNodeClient, walletSigner } from "@latchkey/client/node";
import { installLibrary } from "./src/install.ts";
import { loadNativeLibrary } from "./src/native-library.ts";
import { openNative } from "./src/native.ts";
import { startNodeProcess } from "./src/node-process.ts";

/** Messages that are received at once. */
const BULK = 200;

/** Messages that are sent one by one in each run. */
const SENDS = 10;

type Peer = "ours" | "native";

interface Sample {
  readonly wallMs: number;
  readonly cpuMs: number;
}

interface Row {
  readonly members: number;
  readonly operation: string;
  readonly ours: Sample;
  readonly native: Sample;
  readonly met: boolean;
}

class Meter {
  readonly #samples = new Map<string, Record<Peer, Sample[]>>();

  async run<T>(members: number, operation: string, peer: Peer, work: () => Promise<T>): Promise<T> {
    const [cpu, start] = [process.cpuUsage(), performance.now()];
    const result = await work();
    const wallMs = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    const key = `${members} ${operation}`;
    const samples = this.#samples.get(key) ?? { ours: [], native: [] };
    this.#samples.set(key, samples);
    samples[peer].push({ wallMs, cpuMs: (user + system) / 1_000 });
    return result;
  }

  /** Medians, each with whether ours takes at most as long as native. */
  rows(): Row[] {
    return [...this.#samples].map(([key, samples]) => {
      const [members = "", ...words] = key.split(" ");
      const [ours, native] = [medianOf(samples.ours), medianOf(samples.native)];
      return { members: Number(members), operation: words.join(" "), ours, native, met: ours.wallMs <= native.wallMs };
    });
  }
}

function medianOf(samples: readonly Sample[]): Sample {
  const middle = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
  return { wallMs: middle(samples.map(({ wallMs }) => wallMs)), cpuMs: middle(samples.map(({ cpuMs }) => cpuMs)) };
}

function existing<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error("a client does not have the group");
  return value;
}

const { values } = parseArgs({
  options: {
    json: { type: "boolean" },
    sizes: { type: "string", default: "10,100,240" },
    runs: { type: "string", default: "5" },
  },
});
const sizes = values.sizes.split(",").map(Number);
const runs = Number(values.runs);
if (![...sizes, runs].every((value) => Number.isSafeInteger(value) && value > 0)) {
  throw new RangeError("--sizes and --runs take whole numbers above 0");
}
installLibrary();
const library = await loadNativeLibrary();
const directory = mkdtempSync(join(tmpdir(), "latchkey-peers-"));
const node = await startNodeProcess(join(directory, "node"));
const meter = new Meter();
let databases = 0;

function openOurs() {
  const signer = walletSigner(privateKeyToAccount(generatePrivateKey()));
  const dbPath = join(directory, `${databases++}.db`);
  return createNodeClient(signer, { dbPath, nodeUrl: node.url, keepInvitesFresh: false });
}

function openTheirs() {
  const wallet = privateKeyToAccount(generatePrivateKey());
  const dbPath = join(directory, `${databases++}.db3`);
  return openNative({ library, url: node.url, dbPath, wallet, logLevel: "Off" });
}

/** One run in groups of fresh clients, which meet all members for the first time. */
async function measure(members: number, people: readonly string[]): Promise<void> {
  const timed = <T>(operation: string, peer: Peer, work: () => Promise<T>) => meter.run(members, operation, peer, work);
  const [ours, native] = [await openOurs(), await openTheirs()];
  const [ourGuest, nativeGuest] = [await openOurs(), await openTheirs()];
  const everybody = [...people.slice(0, members - 3), ourGuest.inboxId, nativeGuest.inboxId];
  const group = await timed("create", "ours", () => ours.conversations.createGroup(everybody, { name: "g" }));
  const theirs = await timed("create", "native", () =>
    native.client.conversations().createGroup(everybody, { groupName: "g" }),
  );
  await timed("join by Welcome", "ours", () => ourGuest.conversations.sync());
  const beside = existing(ourGuest.conversations.get(group.id));
  const nativeBeside = await timed("join by Welcome", "native", async () => {
    await nativeGuest.client.conversations().sync();
    const found = nativeGuest.client.conversations().getConversationById(group.id);
    await found.sync();
    return found;
  });
  for (let turn = 0; turn < SENDS; turn++) {
    await timed("send", "ours", () => beside.send(`text ${turn}`));
    await timed("send", "native", () => nativeBeside.sendText(`text ${turn}`));
  }
  for (let turn = 0; turn < BULK; turn++) await beside.send(`bulk ${turn}`);
  await timed(`read ${BULK + SENDS}`, "ours", () => group.sync());
  await timed(`read ${BULK + SENDS}`, "native", () => nativeBeside.sync());
  await group.updateName("renamed");
  await timed("follow a rename", "native", () => nativeBeside.sync());
  await timed("follow a rename", "ours", () => beside.sync());
  const [ourExtra, nativeExtra] = [await openOurs(), await openOurs()];
  await timed("add a member", "ours", () => group.addMembers([ourExtra.inboxId]));
  await timed("add a member", "native", () => theirs.addMembers([nativeExtra.inboxId]));
  for (const client of [ours, ourGuest, ourExtra, nativeExtra]) client.close();
  for (const { client } of [native, nativeGuest]) await client.close();
}

try {
  for (let run = 0; run < runs; run++) {
    (await meter.run(1, "register", "ours", openOurs)).close();
    await (await meter.run(1, "register", "native", openTheirs)).client.close();
  }
  const people: string[] = [];
  for (const members of sizes) {
    while (people.length < members) {
      const client = await openOurs();
      people.push(client.inboxId);
      client.close();
    }
    for (let run = 0; run < runs; run++) await measure(members, people);
  }
} finally {
  await node.stop();
  rmSync(directory, { recursive: true, force: true });
}
const rows = meter.rows();
const met = rows.every((row) => row.met);
if (values.json === true) console.log(JSON.stringify({ runs, rows, met }));
else {
  console.log("members operation          ours wall/cpu ms      native wall/cpu ms");
  const cell = ({ wallMs, cpuMs }: Sample) => `${wallMs.toFixed(1)} / ${cpuMs.toFixed(1)}`.padEnd(22);
  for (const row of rows) {
    const name = `${String(row.members).padEnd(8)}${row.operation.padEnd(19)}`;
    console.log(`${name}${cell(row.ours)}${cell(row.native)}${row.met ? "ok" : "slower"}`);
  }
}
process.exit(met ? 0 : 1);
