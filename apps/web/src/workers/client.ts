import { runWebClient } from "@latchkey/client/web/worker";

/** Address of SQLite's WebAssembly; the build fills it in. */
declare const SQLITE_WASM: string;

runWebClient({ wasmUrl: SQLITE_WASM });
