import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";

/** What SQLite's script asks before it sets up a file system; the client turns all of these off. */
const QUESTIONS: readonly RegExp[] = [
  /if \(sqlite3\.config\.disable\?\.vfs\?\.kvvfs\) return;/,
  /if \(sqlite3\.config\.disable\?\.vfs\?\.opfs && sqlite3\.config\.disable\.vfs\["opfs-vfs"\]\) return;/,
  /if \(!sqlite3\.opfs \|\| sqlite3\.config\.disable\?\.vfs\?\.opfs\) return;/,
  /if \(!sqlite3\.opfs \|\| sqlite3\.config\.disable\?\.vfs\?\.\["opfs-wl"\]\) return;/,
];

/** Answers them while the page is built, so that what would follow is left out of it. */
export const leanSqlite: Plugin = {
  name: "lean-sqlite",
  setup(page) {
    page.onLoad({ filter: /@sqlite\.org\/sqlite-wasm\/dist\/index\.mjs$/ }, async ({ path }) => {
      let contents = await readFile(path, "utf8");
      for (const question of QUESTIONS) {
        if (!question.test(contents))
          throw new Error(`SQLite's script has changed: it does not ask ${question.source}`);
        contents = contents.replace(question, "return;");
      }
      return { contents, loader: "js" };
    });
  },
};
