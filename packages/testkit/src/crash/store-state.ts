import { createHash } from "node:crypto";
import { decodeRows, MlsGroup, toHex, XIP_82_EXTERNAL_COMMITS, equalBytes, type GroupConfig } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { encodeMlsCredential } from "@latchkey/xmtp";
import type { ReadTable, Store } from "@latchkey/client";

type AnyTable = ReadTable<object, never[]>;

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  return typeof value === "bigint" ? `${value}n` : value;
}

/** SHA-256 over every row of every table, in hex: equal exactly when two databases say the same. */
export function digestOf(store: Store): string {
  const hash = createHash("sha256");
  for (const [name, table] of Object.entries(store as unknown as Record<string, AnyTable | (() => unknown)>)) {
    if (typeof table === "function") continue;
    hash.update(`\n${name}\n`);
    for (const row of table.list()) {
      const fields = Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1));
      hash.update(`${JSON.stringify(fields.map(([field, value]) => [field, plain(value)]))}\n`);
    }
  }
  return hash.digest("hex");
}

/** Whether the database says that something is on its way and has to arrive. */
export function hasIntent(store: Store): boolean {
  // A contested join may have lost, and may never learn it: nothing has to arrive.
  const underWay = store.joins
    .list()
    .some(({ state }) => state !== "JOINED" && state !== "CONTESTED" && state !== "WAITING");
  const isWaiting = store.outbox.list().some(({ state }) => state === "waiting");
  const tables = [store.pendingCommits, store.deviceLinks, store.inviteRenewals];
  return underWay || isWaiting || tables.some((table) => table.list().length > 0);
}

/** What contradicts itself between the tables of a database; nothing, whatever happened to its process. */
export function contradictions(store: Store): string[] {
  const found: string[] = [];
  const expect = (holds: boolean, text: string) => {
    if (!holds) found.push(text);
  };
  const groups = new Map(store.groups.list().map((record) => [toHex(record.groupId), record]));
  const rowOwners = new Set(store.groupRows.list().map(({ groupId }) => toHex(groupId)));
  for (const id of rowOwners) expect(groups.has(id), "MLS state without its group");
  for (const [id, { groupId }] of groups) {
    expect(rowOwners.has(id), "a group without its MLS state");
    const mls = loadGroup(store, groupId);
    if (mls === undefined) continue;
    expect(equalBytes(mls.treeHash, mls.context.treeHash), "a tree that is not the one of its epoch");
    const pending = store.pendingCommits.get(groupId);
    expect(pending === undefined || pending.epoch === mls.epoch, "an own commit of another epoch");
    if (pending !== undefined) decodeRows(pending.rows);
    for (const { epoch } of store.outbox.list(groupId)) expect(epoch <= mls.epoch, "a queued message of the future");
  }
  for (const table of [
    store.messages,
    store.messageIds,
    store.outbox,
    store.pendingCommits,
    store.followUps,
    store.inviteRenewals,
  ]) {
    for (const { groupId } of table.list()) expect(groups.has(toHex(groupId)), "rows of a group that is not there");
  }
  for (const join of store.joins.list()) {
    const joined = join.state === "JOINED";
    // A group that this installation was removed from stands beside the join by which it comes back.
    const isIn = groups.get(toHex(join.groupId))?.active === 1n;
    expect(joined === isIn, `a join in state ${join.state} beside its group`);
    expect(joined === (join.rows.length === 0), `a join in state ${join.state} with the wrong rows`);
    if (join.state === "SEQUENCED") expect(join.commitId !== undefined, "a sequenced join without its place");
  }
  return found;
}

/** A group of a database as MLS state of its own; undefined without identity. Throws DecodeError for damaged rows. */
export function loadGroup(store: Store, groupId: Uint8Array): MlsGroup | undefined {
  const self = store.identity.get("self");
  if (self === undefined) return undefined;
  const config: GroupConfig = {
    crypto: nodeCrypto,
    identity: {
      credential: encodeMlsCredential(self.inboxId),
      signatureKeyPair: { privateKey: self.signaturePrivateKey, publicKey: self.signaturePublicKey },
    },
    externalCommitPolicy: XIP_82_EXTERNAL_COMMITS,
  };
  const rows = store.groupRows.list(groupId).map(({ rowKey, value }): [string, Uint8Array] => [rowKey, value]);
  return MlsGroup.load(config, rows);
}
