import assert from "node:assert/strict";
import { test } from "node:test";
import { makeVault, memoryShelf, openVault, type VaultRecord } from "./vault.ts";

test("a vault gives back the secrets it was made with, and keeps them from whoever reads what is stored", async () => {
  const shelf = memoryShelf();
  assert.equal(await openVault(shelf), undefined);
  const made = await makeVault(shelf);
  const opened = await openVault(shelf);
  assert.deepEqual([opened?.databaseKey, opened?.walletKey], [made.databaseKey, made.walletKey]);
  assert.deepEqual([made.databaseKey.length, made.walletKey.length], [32, 32]);
  const record = await shelf.get();
  assert.ok(record !== undefined);
  assert.equal(record.key.extractable, false);
  await assert.rejects(crypto.subtle.exportKey("raw", record.key));
  assert.equal(Buffer.from(record.sealed).includes(made.databaseKey), false);
});

test("that a database was made is kept with the secrets", async () => {
  const shelf = memoryShelf();
  const made = await makeVault(shelf);
  assert.equal(made.hasDatabase, false);
  await made.markDatabase();
  const opened = await openVault(shelf);
  assert.equal(opened?.hasDatabase, true);
  assert.deepEqual(opened.walletKey, made.walletKey);
});

test("secrets that were changed do not open, and a shelf that keeps nothing is found out before anything rests on it", async () => {
  const shelf = memoryShelf();
  await makeVault(shelf);
  const record = await shelf.get();
  assert.ok(record !== undefined);
  await shelf.put({ ...record, sealed: record.sealed.map((byte) => byte ^ 1) });
  await assert.rejects(openVault(shelf), { code: "STORE_KEY_WRONG" });
  const forgetful = { get: async () => undefined, put: async (_record: VaultRecord) => undefined };
  await assert.rejects(makeVault(forgetful), { code: "STORE_FAILED" });
});
