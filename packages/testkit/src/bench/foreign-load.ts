import { cpus } from "node:os";

function machineBusyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

/**
 * Starts watching; the returned function gives the number of cores that other processes have kept busy since then, on
 * average: what decides whether the measurements are comparable with those of another day.
 */
export function watchForeignLoad(): () => number {
  const start = performance.now();
  const busyMs = machineBusyMs();
  const own = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(own);
    const foreignMs = machineBusyMs() - busyMs - (user + system) / 1000;
    return Math.max(0, foreignMs / (performance.now() - start));
  };
}
