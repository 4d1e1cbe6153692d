import { copyFileSync } from "node:fs";
import type { Device, World } from "./support.ts";

/** Puts the database of a device back to what it was before `meanwhile`. */
export async function restoredAfter(world: World, device: Device, meanwhile: () => Promise<void>): Promise<void> {
  device.client.close();
  copyFileSync(device.dbPath, world.path("backup.db"));
  await world.restart(device);
  await meanwhile();
  device.client.close();
  copyFileSync(world.path("backup.db"), device.dbPath);
  await world.restart(device);
}
