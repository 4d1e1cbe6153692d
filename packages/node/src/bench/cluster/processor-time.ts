import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second, as Linux counts processor time. */
const TICKS = 100;

/** Milliseconds of processor time of a process, with its children that have ended. */
function ownMs(pid: number): { readonly parent: number; readonly ms: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + (fields[at] ?? 0), 0);
    return { parent: fields[1] ?? 0, ms: (ticks * 1_000) / TICKS };
  } catch {
    return { parent: 0, ms: 0 };
  }
}

/** Milliseconds of processor time of a process and all its children, also of those that have ended. */
export function familyMs(pid: number): number {
  let ms = ownMs(pid).ms;
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const child = ownMs(Number(name));
    if (child.parent === pid) ms += child.ms;
  }
  return ms;
}
