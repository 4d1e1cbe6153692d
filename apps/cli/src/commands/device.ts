import type { Command } from "commander";
import type { AddCommands, Execute } from "../context.ts";
import { addDeviceLink } from "./device-link.ts";
import { addDeviceList } from "./device-list.ts";
import { addDeviceRecovery } from "./device-recovery.ts";
import { addDeviceRevoke } from "./device-revoke.ts";

/** The commands below `latchkey device`, each in a file of its own. */
const COMMANDS: readonly ((device: Command, execute: Execute) => void)[] = [
  addDeviceList,
  addDeviceLink,
  addDeviceRevoke,
  addDeviceRecovery,
];

/** `latchkey device …`: the installations of one's own inbox. */
export const addDeviceCommands: AddCommands = (program, execute) => {
  const device = program.command("device").description("list, link and revoke the devices of your inbox");
  for (const addCommand of COMMANDS) addCommand(device, execute);
};
