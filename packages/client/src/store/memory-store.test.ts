import { describe, test } from "node:test";
import { nodeCrypto } from "@latchkey/mls/node";
import { storeCases } from "../testing/store-suite.ts";
import { unlockedStore } from "./encryption.ts";
import { MemoryDatabase } from "./memory-store.ts";

const KEYS = { readable: undefined, sealed: new Uint8Array(32).fill(1) };

for (const [form, key] of Object.entries(KEYS)) {
  describe(`every store: in memory, ${form}`, () => {
    for (const { title, run } of storeCases(["lock"])) {
      test(title, () => {
        const database = new MemoryDatabase();
        run({ open: () => unlockedStore(database.open(), nodeCrypto, key) });
      });
    }
  });
}
