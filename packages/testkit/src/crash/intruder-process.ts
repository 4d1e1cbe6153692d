import { codeOf, type Store } from "@latchkey/client";
import { openSqliteStore } from "@latchkey/client/node";
import { keyed } from "./scenario.ts";

/** What another program is asked to do with a database, and what it answers: "open", "closed", or an error code. */
export type IntruderRequest = { readonly open: string; readonly dbKey: string } | { readonly close: true };

let held: Store | undefined;

function answer(request: IntruderRequest): string {
  if ("close" in request) {
    held?.close();
    held = undefined;
    return "closed";
  }
  try {
    held = openSqliteStore(request.open, keyed(request.dbKey));
    return "open";
  } catch (error) {
    return codeOf(error) ?? String(error);
  }
}

process.on("message", (request: IntruderRequest) => process.send?.(answer(request)));
process.once("disconnect", () => process.exit(0));
