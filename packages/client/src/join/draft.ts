import { decodeRows, MlsGroup } from "@latchkey/mls";
import type { ClientContext } from "../group/client-context.ts";
import type { JoinRecord } from "../store/records.ts";

/** The group as it is if the join has won. O(members). */
export function draftOf({ groupConfig }: Pick<ClientContext, "groupConfig">, { rows }: JoinRecord): MlsGroup {
  const written = [...decodeRows(rows)].filter((row): row is [string, Uint8Array] => row[1] !== null);
  return MlsGroup.load(groupConfig, written);
}
