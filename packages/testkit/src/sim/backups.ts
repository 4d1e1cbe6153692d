import type { SeededRandom } from "../random.ts";
import type { Checks } from "./checks.ts";
import type { Device } from "./device.ts";
import type { Faults } from "./faults.ts";
import type { DiskBackup } from "./guarded-disk.ts";

/** Databases of one world that are put back. */
const MAX_RESTORED = 2;

/** Somebody who copies the database of a running device, and later puts the copy in its place. */
export class Backups {
  readonly #checks: Checks;
  readonly #faults: Faults;
  readonly #random: SeededRandom;
  #held: { readonly device: Device; readonly disk: DiskBackup } | undefined;
  #restored = 0;

  constructor(checks: Checks, faults: Faults, random: SeededRandom) {
    this.#checks = checks;
    this.#faults = faults;
    this.#random = random;
  }

  /** Makes a copy, or puts one back. */
  act(devices: readonly Device[]): void {
    if (!this.#faults.has("restored-disk") || this.#restored >= MAX_RESTORED) return;
    const held = this.#held;
    if (held === undefined) {
      const members = devices.filter(({ harm, client }) => {
        return harm === undefined && client?.conversations.list().some(({ isActive }) => isActive) === true;
      });
      if (members.length === 0) return;
      const device = this.#random.pick(members);
      this.#held = { device, disk: device.disk.backUp() };
      device.world.scheduler.note(`the database of ${device.name} is copied`);
      return;
    }
    this.#held = undefined;
    const { device, disk } = held;
    if (device.harm !== undefined) return;
    device.kill();
    device.disk.restore(disk);
    device.harm = "restored";
    this.#restored++;
    this.#checks.restored(device);
    this.#faults.count("disks restored");
    device.world.scheduler.note(`the database of ${device.name} is put back to its copy`);
  }
}
