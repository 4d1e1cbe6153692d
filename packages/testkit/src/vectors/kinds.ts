import { isFields, type Fields } from "./fields.ts";
import type { VectorKind } from "./kind.ts";
import { cryptoBasics } from "./kinds/crypto-basics.ts";
import { deserialization } from "./kinds/deserialization.ts";
import { keySchedule } from "./kinds/key-schedule.ts";
import { messageProtection } from "./kinds/message-protection.ts";
import { messages } from "./kinds/messages.ts";
import { passiveClient } from "./kinds/passive-client.ts";
import { pskSecret } from "./kinds/psk-secret.ts";
import { secretTree } from "./kinds/secret-tree.ts";
import { transcriptHashes } from "./kinds/transcript-hashes.ts";
import { treeMath } from "./kinds/tree-math.ts";
import { treeOperations } from "./kinds/tree-operations.ts";
import { treeValidation } from "./kinds/tree-validation.ts";
import { treekem } from "./kinds/treekem.ts";
import { welcome } from "./kinds/welcome.ts";

/** All formats that can be run. */
export const VECTOR_KINDS: readonly VectorKind[] = [
  cryptoBasics,
  deserialization,
  keySchedule,
  messageProtection,
  messages,
  passiveClient,
  pskSecret,
  secretTree,
  transcriptHashes,
  treeMath,
  treeOperations,
  treeValidation,
  treekem,
  welcome,
];

/** The kind of a file, by its official name or else by the fields of its first case. */
export function kindOf(fileName: string, cases: readonly unknown[]): VectorKind | undefined {
  const first: Fields = isFields(cases[0]) ? cases[0] : {};
  const stem = fileName.replace(/\.json$/, "");
  return (
    VECTOR_KINDS.find(({ files }) => files.includes(stem)) ??
    VECTOR_KINDS.find(({ shape }) => shape.every((field) => field in first))
  );
}
