import { ValidationError, type Capabilities, type LeafNode } from "@latchkey/mls";
import { leafInboxId } from "@latchkey/xmtp";
import { clientError } from "../errors.ts";

const LIST_OF = { extension: "extensions", proposal: "proposals" } as const satisfies Record<
  string,
  keyof Capabilities
>;

/**
 * The error of a change that fails because of what a member's leaf does not support: MEMBER_IN_THE_WAY with the inboxes
 * that an admin has to remove first. Any other error as it is.
 */
export function namingWhoIsInTheWay(
  members: Iterable<{ readonly leafNode: Pick<LeafNode, "credential" | "capabilities"> }>,
  error: unknown,
): unknown {
  if (!(error instanceof ValidationError) || error.rule !== "required-capabilities") return error;
  const inboxes = new Set<string>();
  for (const { leafNode } of members) {
    for (const kind of ["extension", "proposal"] as const) {
      const type = error.data[kind];
      if (typeof type !== "number" || leafNode.capabilities[LIST_OF[kind]].includes(type)) continue;
      inboxes.add((leafInboxId(leafNode) ?? "").slice(0, 8));
    }
  }
  if (inboxes.size === 0) return error;
  const named = [...inboxes];
  return clientError("MEMBER_IN_THE_WAY", `members whose programs do not support this change: ${named.join(", ")}`, {
    rule: error.rule,
    data: { inboxes: named },
    cause: error,
  });
}
