import type { JsonObject } from "../output.ts";
import type { Style } from "../style.ts";
import { shortId } from "../text.ts";
import type { Device } from "./device.ts";
import type { StepTime } from "./stage.ts";

/** Digits of an epoch authenticator shown to people. */
const AUTHENTICATOR_DIGITS = 16;

/** What one installation has in the end. */
export interface DeviceState {
  readonly name: string;
  readonly inboxId: string;
  readonly epoch: bigint;
  readonly epochAuthenticator: string;
  readonly members: number;
  readonly installations: number;
  /** Whether a member's message or commit has proven that the join, if it was one, is final. */
  readonly confirmed: boolean;
}

/** Reads the state of a device out of its client. */
export function stateOf({ name, client, group }: Device): DeviceState {
  return {
    name,
    inboxId: client.inboxId,
    epoch: group.epoch,
    epochAuthenticator: group.epochAuthenticator,
    members: group.members().length,
    installations: group.installationCount,
    confirmed: group.status === "confirmed",
  };
}

/** The number that all devices agree on; undefined when they do not. */
export function agreed<T>(values: readonly T[]): T | undefined {
  return new Set(values).size === 1 ? values[0] : undefined;
}

/** One line per device: who, where in the group's history, and how large the group is from there. */
export function deviceTable(states: readonly DeviceState[], style: Style): string {
  const rows = states.map((state) => [
    state.name,
    shortId(state.inboxId),
    state.epoch.toString(),
    state.epochAuthenticator.slice(0, AUTHENTICATOR_DIGITS),
    state.members.toString(),
    state.installations.toString(),
  ]);
  return table(["device", "inbox", "epoch", "epoch authenticator", "members", "devices"], rows, style);
}

/** One line per step with its time, and their sum. */
export function timeTable(steps: readonly StepTime[], style: Style): string {
  const totalMs = steps.reduce((sum, { ms }) => sum + ms, 0);
  const rows = [...steps.map(({ title, ms }) => [title, `${ms} ms`]), ["together", `${totalMs} ms`]];
  return table(["step", "time"], rows, style);
}

/** The object that `--json` ends with, apart from `ok`. */
export function stepsJson(steps: readonly StepTime[]): JsonObject[] {
  return steps.map(({ name, ms }) => ({ name, ms }));
}

const NUMBER = /^\d+( ms)?$/;

function table(head: readonly string[], rows: readonly (readonly string[])[], style: Style): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const isNumeric = head.map((_, column) => rows.every((row) => NUMBER.test(row[column] ?? "")));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return isNumeric[column] === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [style.dim(line(head)), ...rows.map(line)].map((text) => `   ${text}`).join("\n");
}
