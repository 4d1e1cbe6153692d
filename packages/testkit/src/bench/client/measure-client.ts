import type { Client, Group } from "@latchkey/client";
import { generatedSigner } from "@latchkey/client/node";
import { nodeCrypto } from "@latchkey/mls/node";
import { selectCandidates, decodeInvitePayload, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { median } from "../measure.ts";
import { noTraffic, Place, type Traffic } from "./fixture.ts";
import { Scanners } from "./scanners.ts";

/** One operation of a client: medians. */
export interface Cost {
  /** CPU of the whole process in milliseconds: client, database, and the node's part of a request. */
  readonly cpuMs: number;
  /** Bytes of the rows that the client has put. */
  readonly writtenBytes: number;
  readonly transactions: number;
  /** To the node, but for those of slots. */
  readonly requests: number;
}

/** What clients do in a group. */
export const OPERATIONS = [
  "receiveJoin",
  "receiveCommit",
  "receiveMessage",
  "send",
  "ownCommit",
  "createInvite",
  "refreshInvite",
  "joinByInvite",
  "open",
  "catchUp",
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What the operations cost in a group of one size. */
export interface ClientResult {
  readonly members: number;
  readonly costs: Readonly<Record<Operation, Cost>>;
}

/** Collects what operations cost. */
class Meter {
  readonly traffic: Traffic = noTraffic();
  readonly #samples = new Map<Operation, Cost[]>();

  /** `share` is how many operations of that name are done at once. */
  async run<T>(operation: Operation, work: () => Promise<T>, share = 1): Promise<T> {
    Object.assign(this.traffic, noTraffic());
    const before = process.cpuUsage();
    const result = await work();
    const { user, system } = process.cpuUsage(before);
    const { bytes, transactions, requests } = this.traffic;
    const [cpuMs, writtenBytes] = [(user + system) / 1_000 / share, bytes / share];
    const cost = { cpuMs, writtenBytes, transactions: transactions / share, requests: requests / share };
    this.#samples.set(operation, [...(this.#samples.get(operation) ?? []), cost]);
    return result;
  }

  /** Medians of all samples but the first `warmUps` of those with more. */
  medians(warmUps: number): Record<Operation, Cost> {
    const entries = OPERATIONS.map((operation): [Operation, Cost] => {
      const all = this.#samples.get(operation) ?? [];
      const samples = all.length > warmUps ? all.slice(warmUps) : all;
      const of = (kind: keyof Cost) => median(samples.map((cost) => cost[kind]));
      const [cpuMs, writtenBytes] = [of("cpuMs"), of("writtenBytes")];
      return [operation, { cpuMs, writtenBytes, transactions: of("transactions"), requests: of("requests") }];
    });
    return Object.fromEntries(entries) as Record<Operation, Cost>;
  }
}

/** The GroupInfo that a scanner of the group's invite would find. */
export async function groupInfoOf(group: Group): Promise<Uint8Array> {
  const { payload, blob } = await group.createExternalInvite();
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  const { symmetricKey: key } = decodeInvitePayload(payload);
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const [best] = selectCandidates({ suite, blobs: [blob], key, nowNs }).candidates;
  if (best === undefined) throw new Error("the invite's blob does not open");
  return best.groupInfo;
}

function groupOf(client: Client, groupId: string): Group {
  const group = client.conversations.get(groupId);
  if (group === undefined) throw new Error("the client does not have the group");
  return group;
}

/** How often each operation is done; joining by invite and opening are long and done `joins` times. */
export interface ClientRuns {
  readonly runs: number;
  readonly warmUps: number;
  readonly joins: number;
}

/** Grows a group by external joins and lets its admin and a member do everything in turn. */
export async function measureClient(members: number, { runs, warmUps, joins }: ClientRuns): Promise<ClientResult> {
  const place = new Place();
  const meter = new Meter();
  try {
    const adminSigner = generatedSigner();
    const admin = await place.open(adminSigner, "admin", meter.traffic);
    const group = await admin.conversations.createGroup([], { name: "Poster" });
    await group.createInvite();
    const scanners = new Scanners(place.transport);
    const strangers = members - 1 - joins;
    await scanners.join(strangers, await groupInfoOf(group));
    await meter.run("catchUp", () => group.sync(), strangers);

    let other: Client | undefined;
    for (let turn = 0; turn < joins; turn++) {
      const { url } = await meter.run("createInvite", () => group.createInvite());
      const joiner = await place.open(generatedSigner(), `joiner ${turn}`, meter.traffic);
      await meter.run("joinByInvite", () => joiner.conversations.joinByInvite(url));
      await group.sync();
      other?.close();
      other = joiner;
    }
    if (other === undefined) throw new RangeError("somebody has to join");
    const beside = groupOf(other, group.id);
    for (let turn = 0; turn < warmUps + runs; turn++) {
      await meter.run("ownCommit", () => group.updateName(`name ${turn}`));
      await meter.run("receiveCommit", () => beside.sync());
      await meter.run("send", () => beside.send(`text ${turn}`));
      await meter.run("receiveMessage", () => group.sync());
      await meter.run("refreshInvite", () => group.refreshInvite());
      await scanners.join(1, await groupInfoOf(group));
      await meter.run("receiveJoin", () => group.sync());
      await beside.sync();
    }
    let reopened = admin;
    for (let turn = 0; turn < joins; turn++) {
      reopened.close();
      reopened = await meter.run("open", async () => {
        const client = await place.open(adminSigner, "admin", meter.traffic);
        groupOf(client, group.id);
        return client;
      });
    }
    return { members, costs: meter.medians(warmUps) };
  } finally {
    await place.close();
  }
}
