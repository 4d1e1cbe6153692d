import { useCallback, useEffect, useState } from "preact/hooks";
import { onChange } from "../session.ts";

/** What `load` gives, again whenever the group changes; undefined until it is there. */
export function useLoaded<T>(load: () => Promise<T>, groupId?: string): T | undefined {
  const [value, setValue] = useState<T>();
  const look = useCallback(load, [groupId]);
  useEffect(() => {
    let isShown = true;
    // Changes that come while it loads are loaded once more behind it.
    const loads = { running: false, wanted: false };
    const run = async (): Promise<void> => {
      loads.wanted = true;
      if (loads.running) return;
      loads.running = true;
      try {
        while (loads.wanted) {
          loads.wanted = false;
          const next = await look();
          if (isShown) setValue(() => next);
        }
      } catch {
        // The client is closing or closed; the session says so.
      } finally {
        loads.running = false;
      }
    };
    void run();
    const stop = onChange((groups) => {
      if (groupId === undefined || groups.includes(groupId)) void run();
    });
    return () => {
      isShown = false;
      stop();
    };
  }, [look, groupId]);
  return value;
}
