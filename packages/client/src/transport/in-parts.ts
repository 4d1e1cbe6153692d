import { LatchkeyError } from "@latchkey/mls";

/**
 * Whether a node refuses a look-up for what it asks: too much at once, or a key that the node does not take. An answer
 * that is too large to be read counts as well.
 */
export function isRefusedAsAsked(error: unknown): boolean {
  return error instanceof LatchkeyError && error.code === "NODE_REJECTED" && error.scope === "message";
}

/**
 * Looks up many keys, at most `maxKeys` in one call, in their order. What a node refuses is asked again in halves, down to
 * single keys: a key that is refused alone has no value, like one that does not exist. O(refused keys · log maxKeys) more
 * calls.
 *
 * @throws what `ask` throws, but for refusals.
 */
export async function inParts<K, V>(
  keys: readonly K[],
  maxKeys: number,
  ask: (part: readonly K[]) => Promise<readonly V[]>,
): Promise<(V | undefined)[]> {
  const values: (V | undefined)[] = [];
  for (let start = 0; start < keys.length; start += maxKeys) {
    values.push(...(await inHalves(keys.slice(start, start + maxKeys), ask)));
  }
  return values;
}

async function inHalves<K, V>(
  keys: readonly K[],
  ask: (part: readonly K[]) => Promise<readonly V[]>,
): Promise<readonly (V | undefined)[]> {
  try {
    return await ask(keys);
  } catch (error) {
    if (!isRefusedAsAsked(error)) throw error;
    if (keys.length === 1) return [undefined];
    const middle = Math.ceil(keys.length / 2);
    return [...(await inHalves(keys.slice(0, middle), ask)), ...(await inHalves(keys.slice(middle), ask))];
  }
}
