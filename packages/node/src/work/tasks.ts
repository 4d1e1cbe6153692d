import { nodeCrypto } from "@latchkey/mls/node";
import { verifyInstallationKeyPackage } from "@latchkey/xmtp";
import { createIdentityJudge, type IdentityQuestion, type IdentityVerdict } from "./identity-judge.ts";

/** Work that costs milliseconds, because signatures are verified. */
export type Task =
  | { readonly kind: "identity"; readonly question: IdentityQuestion }
  | { readonly kind: "keyPackage"; readonly bytes: Uint8Array; readonly nowSeconds: bigint };

/** What comes of each kind of task. */
export type TaskResult<T extends Task> = T extends { kind: "identity" } ? IdentityVerdict : Uint8Array;

/** Runs tasks in the thread that calls it; remembers states of inboxes between them. */
export function createTaskRunner(): (task: Task) => Promise<IdentityVerdict | Uint8Array> {
  const judge = createIdentityJudge();
  return async (task) => {
    if (task.kind === "identity") return judge(task.question);
    const { bytes, nowSeconds } = task;
    const { keyPackage } = await verifyInstallationKeyPackage(nodeCrypto, bytes, { nowSeconds });
    return keyPackage.leafNode.signatureKey;
  };
}
