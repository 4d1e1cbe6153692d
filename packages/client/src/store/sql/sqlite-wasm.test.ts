import { describe, test } from "node:test";
import { nodeCrypto } from "@latchkey/mls/node";
import { sqliteWasmDatabases } from "../../testing/sqlite-wasm-database.ts";
import { storeCases } from "../../testing/store-suite.ts";
import { unlockedStore } from "../encryption.ts";

const KEYS = { readable: undefined, sealed: new Uint8Array(32).fill(1) };
const newDatabase = await sqliteWasmDatabases();

for (const [form, key] of Object.entries(KEYS)) {
  describe(`every store: SQLite in WebAssembly, ${form}`, () => {
    for (const { title, run } of storeCases(["lock", "full", "damage"])) {
      test(title, () => {
        const { open, openSmall, damage } = newDatabase();
        run({
          open: () => unlockedStore(open(), nodeCrypto, key),
          openSmall: () => unlockedStore(openSmall(), nodeCrypto, key),
          damage,
        });
      });
    }
  });
}
