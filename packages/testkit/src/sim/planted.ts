import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Trouble } from "./faults.ts";

/** A bug: one text of one source file, replaced where it stands. */
export interface PlantedBug {
  readonly name: string;
  /** From the project's root. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** What has to go wrong in the world for the bug to matter; default: each seed's own choice. */
  readonly troubles?: readonly Trouble[];
  /** A seed that finds it, tried first; the others follow when the simulator has changed. */
  readonly seed?: number;
  /** Where it is hunted: with every `npm test`, with `--whole` only, or by hand, because it takes many seeds to matter. */
  readonly hunted: "always" | "whole" | "by-hand";
}

/** Bugs that the simulator has to find; each stands for a kind of them. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "a store that now and then loses a transaction",
    hunted: "always",
    file: "packages/client/src/store/memory-store.ts",
    find: "const result = write(tables);",
    replace: "const result = write(tables); if (undoLog.length % 11 === 10) rollBack();",
    troubles: [],
  },
  {
    name: "a cursor that skips a message",
    hunted: "whole",
    file: "packages/client/src/group/sync.ts",
    find: "await receiveEnvelopes(core, page, signal);",
    replace: "await receiveEnvelopes(core, page.filter(({ id }) => id % 5n > 0n), signal);",
    troubles: [],
  },
  {
    name: "a node that acknowledges and does not store",
    hunted: "always",
    file: "packages/node/src/services/group-messages.ts",
    find: "await publish(runtime, { name, log }, envelopes);",
    replace: "await publish(runtime, { name, log }, envelopes.filter(({ digest }) => (digest[0] ?? 0) % 4 > 0));",
    troubles: [],
  },
  {
    name: "a validator of members' commits that accepts everything",
    hunted: "whole",
    file: "packages/client/src/group/receive.ts",
    find: "validateMemberCommit({",
    replace: "void ({",
    troubles: ["hostile-member"],
  },
  {
    name: "a validator of external commits that accepts everything",
    hunted: "always",
    file: "packages/client/src/group/receive.ts",
    find: "validateExternalCommit({",
    replace: "void ({",
    troubles: ["hostile-scanner"],
  },
  {
    name: "removed members are still heard",
    file: "packages/client/src/group/receive.ts",
    find: "requireMember(core, senderLeaf, revoked);",
    replace: "",
    troubles: ["hostile-member"],
    hunted: "by-hand",
  },
  {
    name: "a removal that hands the next invite key to the removed",
    hunted: "whole",
    seed: 2,
    file: "packages/client/src/group/renewal-journal.ts",
    find: "update: policyInBetween(policy) },",
    replace:
      "update: policyUpdate(policyFromTemplate({ randomBytes: (n) => crypto.getRandomValues(new Uint8Array(n)) }, policyTemplate(policy, rotation))) },",
    troubles: [],
  },
  {
    name: "a message key that is used before it is spent on disk",
    hunted: "whole",
    file: "packages/client/src/group/outbox.ts",
    find: "core.step({ change, write: (tables) => tables.outbox.put(queued) });",
    replace: "core.step({ write: (tables) => tables.outbox.put(queued) });",
    troubles: [],
  },
  {
    name: "a commit that is not written down before it leaves",
    hunted: "whole",
    seed: 6,
    file: "packages/client/src/group/commit.ts",
    find: "tables.pendingCommits.put(record);",
    replace: "",
    troubles: ["crashes", "network"],
  },
  {
    name: "a join that is not written down before it leaves",
    file: "packages/client/src/join/journal.ts",
    find: "context.store.transaction(({ joins }) => joins.put(join));\n  return join;",
    replace: `if (join.state !== "PREPARED") context.store.transaction(({ joins }) => joins.put(join));\n  return join;`,
    troubles: ["crashes", "network"],
    hunted: "by-hand",
  },
  {
    name: "joiners forget the Welcomes of their other devices",
    hunted: "whole",
    seed: 2,
    file: "packages/client/src/join/journal.ts",
    find: "[...welcomes, {",
    replace: "[{",
    troubles: [],
  },
  {
    name: "whoever loses a race believes to have won",
    hunted: "whole",
    seed: 2,
    file: "packages/client/src/join/settle.ts",
    find: "if (own === commits[0] && (await isAccepted(context, current, own, signal))) {",
    replace: "if (own !== undefined) {",
    troubles: [],
  },
  {
    name: "a join behind a refused commit is given up",
    hunted: "whole",
    file: "packages/client/src/join/settle.ts",
    find: "recordContested(context, current, own);",
    replace: "recordLost(context, current);",
    troubles: ["hostile-node"],
  },
  {
    name: "a message that is refused stops its log",
    hunted: "whole",
    file: "packages/client/src/errors.ts",
    find: `if (error instanceof LatchkeyError && (scope === "message" || scope === "caller")) return error;`,
    replace: `if (error instanceof LatchkeyError && scope === "caller") return error;`,
    troubles: ["poison"],
  },
  {
    name: "inboxes are looked up before the shape of a commit is judged",
    hunted: "whole",
    seed: 12,
    file: "packages/client/src/identity/judge-envelope.ts",
    find: "return judge(NO_IDENTITIES);",
    replace: "",
    troubles: ["poison"],
  },
  {
    name: "an identity update that is missing is refused at first sight",
    hunted: "always",
    seed: 2,
    file: "packages/client/src/identity/judge-envelope.ts",
    find: "if (!hasWaited && !view.isOver(point, envelopeNs)) throw identityPending(point, envelopeNs);",
    replace: "",
    troubles: ["lagging-node"],
  },
  {
    name: "an own join is not judged at its envelope",
    file: "packages/client/src/join/settle.ts",
    find: "if (own === commits[0] && (await isAccepted(context, current, own, signal))) {",
    replace: "if (own === commits[0]) {",
    troubles: ["clock-steps", "network"],
    hunted: "by-hand",
  },
  {
    name: "a hint refuses to send",
    hunted: "always",
    file: "packages/client/src/group/group-core.ts",
    find: "    requireChosen(this);",
    replace: `    if (this.context.store.hints.count(this.groupId) > 0) throw clientError("GROUP_PARTED", "a hint");`,
    troubles: ["poison"],
  },
  {
    name: "the own signature on an unknown message proves nothing",
    hunted: "whole",
    seed: 3,
    file: "packages/client/src/group/receive.ts",
    find: `if (received.isForeign) recordParted(core, "own-envelope", advance(core, envelope));`,
    replace: "if (received.isForeign) core.pass(advance(core, envelope));",
    troubles: ["restored-disk"],
  },
  {
    name: "a Welcome of anybody replaces a group in good order",
    hunted: "whole",
    seed: 9,
    file: "packages/client/src/group/welcome-rules.ts",
    find: `return isParted && (await mayBringBack(lastGood, welcomed, signal)) ? "return" : "claim";`,
    replace: `return "return";`,
    troubles: ["poison"],
  },
  {
    name: "one key package of no use fails the whole call",
    hunted: "always",
    seed: 5,
    file: "packages/client/src/group/add-members.ts",
    find: "if (allOrNothing && faulty.length + notAdded.length > 0) {",
    replace: "if (faulty.length + notAdded.length > 0) {",
    troubles: ["poison"],
  },
];

/** What a child process found. */
export interface Discovery {
  /** The seed that failed; undefined when none did. */
  readonly seed?: number;
  readonly problem?: string;
}

/** Plays seeds in a process whose sources have the bug, until one fails. Rejects when the bug cannot be planted. */
export async function hunt(bug: PlantedBug, seeds: number): Promise<Discovery> {
  const script = fileURLToPath(new URL("planted-process.ts", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify({ bug, seeds })], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  const last = output.trim().split("\n").at(-1) ?? "";
  if (child.exitCode !== 0 || !last.startsWith("{"))
    throw new Error(`the hunt for "${bug.name}" failed: ${errors}${output}`);
  return JSON.parse(last) as Discovery;
}
