import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryDatabase } from "../../store/memory-store.ts";
import type { OpenOptions } from "../protocol.ts";
import { memoryCalls } from "./call-journal.ts";
import { openClient, type Place } from "./open-client.ts";
import { makeVault, memoryShelf } from "./vault.ts";

const OPTIONS: OpenOptions = {
  name: "test",
  nodeUrl: "http://127.0.0.1:1",
  inviteServiceUrl: "http://127.0.0.1:1",
  identity: "existing",
  handheld: false,
  visible: true,
};

/** A place in memory, with or without a database. */
function placeWith(hasDatabase: boolean): Place & { opened: number } {
  const database = new MemoryDatabase();
  const place = {
    shelf: memoryShelf(),
    calls: memoryCalls(),
    isKept: true,
    opened: 0,
    has: () => hasDatabase,
    open() {
      place.opened++;
      return database.open();
    },
    take: async () => undefined,
    give: () => undefined,
  };
  return place;
}

test("a browser without an identity is told so, and none is made", async () => {
  const place = placeWith(false);
  await assert.rejects(
    openClient(place, OPTIONS, () => undefined),
    { code: "IDENTITY_MISSING" },
  );
  assert.equal(await place.shelf.get(), undefined);
});

test("a database that a browser has deleted is no reason for a new identity; the keys that are left stay", async () => {
  const place = placeWith(false);
  const vault = await makeVault(place.shelf);
  await vault.markDatabase();
  const before = await place.shelf.get();
  for (const identity of ["existing", "guest"] as const) {
    await assert.rejects(
      openClient(place, { ...OPTIONS, identity }, () => undefined),
      { code: "IDENTITY_FORGOTTEN" },
    );
  }
  assert.deepEqual(await place.shelf.get(), before);
  assert.equal(place.opened, 0);
});

test("keys that a browser has deleted are not made anew beside a database that is left", async () => {
  const place = placeWith(true);
  await assert.rejects(
    openClient(place, { ...OPTIONS, identity: "guest" }, () => undefined),
    { code: "IDENTITY_FORGOTTEN" },
  );
  assert.equal(await place.shelf.get(), undefined);
});
