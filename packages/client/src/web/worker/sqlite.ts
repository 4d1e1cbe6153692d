import sqlite3InitModule, { type Sqlite3Static } from "@sqlite.org/sqlite-wasm";

/** What the module reads of its surroundings while it starts; the types of the package do not name it. */
interface StartConfig {
  disable: { vfs: Record<string, true> };
  warn: () => void;
}

/**
 * Starts SQLite in WebAssembly. Its other file systems stay off: they start a worker of their own, need headers that
 * isolate the page, or keep data in `localStorage`.
 */
export async function startSqlite(wasmUrl: string | undefined): Promise<Sqlite3Static> {
  const config: StartConfig = {
    disable: { vfs: { opfs: true, "opfs-vfs": true, "opfs-wl": true, kvvfs: true } },
    // What goes wrong is thrown.
    warn: () => undefined,
  };
  Object.assign(globalThis, { sqlite3ApiConfig: config });
  // The types know no argument; every build of Emscripten takes it.
  const start: (options?: { locateFile?: () => string }) => Promise<Sqlite3Static> = sqlite3InitModule;
  return start(wasmUrl === undefined ? {} : { locateFile: () => wasmUrl });
}
