import type { Installation, InboxState } from "@latchkey/client";
import type { Command } from "commander";
import type { CommandContext, Execute } from "../context.ts";
import { plural } from "../describe.ts";
import type { CommandResult } from "../output.ts";
import { withClient } from "../own-client.ts";
import type { Style } from "../style.ts";
import { formatTime, shortId } from "../text.ts";

/** `latchkey device list`: the installations of one's own inbox, and who may revoke them. */
export function addDeviceList(device: Command, execute: Execute): void {
  device
    .command("list")
    .description("list the devices of your inbox, and when each was last seen")
    .action(() => execute(list));
}

function list(context: CommandContext): Promise<CommandResult> {
  const { signal } = context;
  return withClient(context, async (client) => {
    const state = await client.inboxState({ signal });
    const installations = await client.installations({ signal });
    return {
      json: {
        inboxId: state.inboxId,
        recoveryIdentifier: state.recoveryIdentifier,
        accounts: state.accounts,
        installations: installations.map((installation) => ({
          ...installation,
          lastSeenNs: installation.lastSeenNs ?? null,
        })),
        updatesLeft: state.updatesLeft,
      },
      human: (style) => [...installations.map((each) => line(each, style)), ...notes(state, style)].join("\n"),
    };
  });
}

function line({ id, isThis, createdAtNs, lastSeenNs, missingFrom }: Installation, style: Style): string {
  const seen = lastSeenNs === undefined ? "never seen" : `last seen ${formatTime(lastSeenNs)}`;
  const here = isThis ? style.good("  this device") : "";
  const missing = missingFrom.length === 0 ? "" : style.bad(`  missing from ${plural(missingFrom.length, "group")}`);
  return `${style.bold(shortId(id))}  ${style.dim(`since ${formatTime(createdAtNs)}, ${seen}`)}${here}${missing}`;
}

function notes({ recoveryIdentifier, updatesLeft, lowOnUpdates }: InboxState, style: Style): string[] {
  const recovery = style.dim(`recovery  ${recoveryIdentifier}`);
  if (!lowOnUpdates) return [recovery];
  return [recovery, style.bad(`! The inbox can be changed ${plural(updatesLeft, "more time")}; move to a new one.`)];
}
