import { setTimeout as delay } from "node:timers/promises";

/** Asks again every 200 ms until the answer is yes; for what the native library does in the background at its own pace. */
export async function eventually(what: string, ask: () => Promise<boolean>, ms = 30_000): Promise<void> {
  const endMs = performance.now() + ms;
  while (!(await ask())) {
    if (performance.now() > endMs) throw new Error(`not within ${ms} ms: ${what}`);
    await delay(200);
  }
}
