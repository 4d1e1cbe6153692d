import type { Operator } from "./operators.ts";

/** A survivor that was looked at: what it changes cannot be seen, and why. */
export interface EquivalentMutant {
  /** The end of the module's path. */
  readonly module: string;
  /** Part of the line. */
  readonly source: string;
  readonly operator?: Operator;
  readonly why: string;
}

const TYPE_CHECKER = "the other side is there for the type checker; it is never undefined here";
const SIGN = "whoever sorts or compares looks at the sign alone, or puts equal ones anywhere";
const EQUAL = "both sides are the same when the two are equal";
const CHECKED_BEFORE = "what comes before lets nothing through that gets here";
const REFUSED_NEXT = "what comes next refuses the same for the same rule";
const SAVES_WORK = "only saves work";
const BLANK_BEHIND = "behind the end nothing is there, which counts as a blank does";

export const EXPLAINED: readonly EquivalentMutant[] = [
  // packages/mls
  {
    module: "apply-proposals.ts",
    source: "if (leafIndex === undefined || before",
    operator: "logic",
    why: TYPE_CHECKER,
  },
  { module: "apply-proposals.ts", source: "if (removed.length > 0)", operator: "boundary", why: SAVES_WORK },
  {
    module: "group/select-proposals.ts",
    source: "instanceof DecodeError)) throw error",
    operator: "drop",
    why: "nothing else is thrown there",
  },
  { module: "path-rules.ts", source: "draft.blankDirectPath(committer)", why: "applyPathKeys blanks it too" },
  { module: "proposals.ts", source: 'kinds.lastIndexOf("group_context', operator: "boundary", why: "never equal" },
  { module: "verify-commit.ts", source: "sender cannot commit", operator: "drop", why: CHECKED_BEFORE },
  { module: "verify-commit.ts", source: "the message is not a commit", operator: "drop", why: CHECKED_BEFORE },
  { module: "verify-commit.ts", source: "is blank`)", operator: "drop", why: CHECKED_BEFORE },
  {
    module: "stage-commit.ts",
    source: "an external commit has no ExternalInit",
    operator: "drop",
    why: CHECKED_BEFORE,
  },
  { module: "stage-commit.ts", source: "message.auth.confirmationTag ??", why: TYPE_CHECKER },
  { module: "verify-commit.ts", source: 'proposal.kind === "update" && from.kind', why: TYPE_CHECKER },
  { module: "receive.ts", source: "the message is not signed by a member", operator: "drop", why: CHECKED_BEFORE },
  { module: "receive.ts", source: 'sender.kind !== "member" || senderLeaf', operator: "logic", why: TYPE_CHECKER },
  { module: "receive.ts", source: "application data does not come from a member", why: CHECKED_BEFORE },
  {
    module: "protect.ts",
    source: "at < state.head.context.epoch",
    operator: "boundary",
    why: "the present epoch replaced no leaf",
  },
  { module: "protect.ts", source: "a new_member_commit sender sends a proposal", operator: "drop", why: REFUSED_NEXT },
  { module: "join-welcome.ts", source: "if (leafIndex === undefined || node", operator: "logic", why: TYPE_CHECKER },
  { module: "join-welcome.ts", source: "if (node === undefined ||", operator: "logic", why: TYPE_CHECKER },
  {
    module: "key-packages.ts",
    source: "a key package holds a leaf of another source",
    operator: "drop",
    why: CHECKED_BEFORE,
  },
  { module: "hash-inputs.ts", source: "new Writer(1024)", why: SAVES_WORK },
  { module: "tree/math.ts", source: "node < above ?", operator: "boundary", why: "never equal" },
  { module: "tree/node.ts", source: "at < end; at++) length +=", operator: "boundary", why: BLANK_BEHIND },
  { module: "tree/node.ts", source: "at < known.length", operator: "boundary", why: BLANK_BEHIND },
  { module: "tree/ratchet-tree.ts", source: "if (index >= width) continue", operator: "boundary", why: BLANK_BEHIND },
  {
    module: "tree/ratchet-tree.ts",
    source: "of changes.occupied) if (index < width)",
    operator: "boundary",
    why: "an array of counts takes nothing behind its end",
  },
  {
    module: "tree/ratchet-tree.ts",
    source: "if (count > 0) this.#capabilities.set",
    operator: "boundary",
    why: "a count of 0 says what none says",
  },
  { module: "tree-validation.ts", source: "unmergedAt.set(index, leaves)", why: SAVES_WORK },
  { module: "tree-validation.ts", source: "let previous = -1", operator: "constant", why: "below every index too" },
  { module: "treekem.ts", source: "if (step === undefined ||", operator: "logic", why: TYPE_CHECKER },
  { module: "treekem.ts", source: "of a resolution is blank", operator: "drop", why: CHECKED_BEFORE },
  {
    module: "treekem.ts",
    source: "ciphertext === undefined || node === undefined || privateKey",
    operator: "logic",
    why: "they are there together or not at all",
  },
  {
    module: "group/epoch-state.ts",
    source: "encryption: new Uint8Array(0)",
    why: "the secret tree took it; it is not read again",
  },
  { module: "messages/app-data.ts", source: "dictionaries.set(data, dictionary)", operator: "drop", why: SAVES_WORK },
  { module: "messages/extension.ts", source: "extensions.length > 1 &&", operator: "boundary", why: SAVES_WORK },
  {
    module: "messages/leaf-node.ts",
    source: "const writer = new Writer(unsigned",
    operator: "constant",
    why: SAVES_WORK,
  },
  { module: "messages/leaf-node.ts", source: "stands outside of a tree", operator: "drop", why: CHECKED_BEFORE },
  { module: "messages/private-message.ts", source: "(guarded[index] ?? 0)", why: TYPE_CHECKER },
  { module: "codec/reader.ts", source: "[this.#take(1)] ?? 0", why: TYPE_CHECKER },
  { module: "codec/reader.ts", source: "if (prefix === 3) throw", operator: "drop", why: REFUSED_NEXT },
  { module: "codec/reader.ts", source: "if (prefix === 3) throw", operator: "constant", why: REFUSED_NEXT },
  { module: "codec/writer.ts", source: "constructor(capacity = 128)", operator: "constant", why: SAVES_WORK },
  { module: "codec/writer.ts", source: "this.u8(0);", operator: "constant", why: "the length is written over it" },
  { module: "codec/writer.ts", source: "if (width > 1)", operator: "boundary", why: SAVES_WORK },
  {
    module: "codec/writer.ts",
    source: "copyWithin(",
    operator: "constant",
    why: "a byte more is moved, to behind the end",
  },
  { module: "codec/writer.ts", source: "needed > this.#buffer.length", operator: "boundary", why: SAVES_WORK },
  { module: "codec/writer.ts", source: "2 * this.#buffer.length", operator: "constant", why: SAVES_WORK },
  // packages/xmtp
  { module: "semver.ts", source: "a === undefined ? -1 : 1", operator: "constant", why: SIGN },
  { module: "semver.ts", source: "return numericA ? -1 : 1", operator: "constant", why: SIGN },
  { module: "semver.ts", source: "return a < b ? -1 : a > b ? 1 : 0", why: SIGN },
  { module: "semver.ts", source: "(left.numbers[index] ?? 0)", why: TYPE_CHECKER },
  {
    module: "semver.ts",
    source: "index < length",
    operator: "boundary",
    why: "behind the end both are undefined, and equal",
  },
  { module: "app-data/map-entries.ts", source: "(a < b ? -1 : a > b ? 1 : 0)", why: SIGN },
  { module: "app-data/membership.ts", source: "memberships.set(", operator: "drop", why: SAVES_WORK },
  { module: "tls-set.ts", source: "(a < b ? -1 : a > b ? 1 : 0)", why: SIGN },
  { module: "tls-set.ts", source: "if (hashes.length > 0)", operator: "boundary", why: SAVES_WORK },
  {
    module: "app-data/apply.ts",
    source: "(pending ?? undefined)",
    why: "no list changes a component after it removed it",
  },
  { module: "app-data/new-group.ts", source: '?? "")', why: "the encoder writes nothing for undefined too" },
  { module: "src/credential.ts", source: "an XMTP credential is a basic one", why: REFUSED_NEXT },
  {
    module: "identity/apply-update.ts",
    source: "updateCount: 0,",
    why: "who applies the update writes the count over it",
  },
  { module: "identity/eip191.ts", source: "signature[64] ?? 0", why: TYPE_CHECKER },
  { module: "identity/eip191.ts", source: "(signature[0] ?? 0)", why: TYPE_CHECKER },
  { module: "identity/eip191.ts", source: "it must be 27 or 28", operator: "drop", why: REFUSED_NEXT },
  { module: "invite/candidates.ts", source: "a.epoch > b.epoch ? -1 : 1", why: SIGN },
  { module: "invite/candidates.ts", source: "a.logCursor > b.logCursor ? -1 : 1", operator: "constant", why: SIGN },
  { module: "invite/policy.ts", source: "?? 0", operator: "logic", why: "protobuf writes 0 for undefined" },
  { module: "external-commit.ts", source: "envelopeTimeNs > epochStartNs ?", operator: "boundary", why: EQUAL },
  {
    module: "external-commit.ts",
    source: "envelopeTimeNs > epochStartNs ?",
    operator: "constant",
    why: "an age of 0 or 1 ns is within every limit",
  },
  { module: "external-commit.ts", source: "instanceof DecodeError)) throw cause", why: "nothing else is thrown there" },
  { module: "app-data-writes.ts", source: "metadata.permissions ?? {}", why: CHECKED_BEFORE },
  {
    module: "validators/common.ts",
    source: "instanceof DecodeError)) throw cause",
    operator: "drop",
    why: "nothing else is thrown there",
  },
  {
    module: "validators/installation-changes.ts",
    source: "failedInstallations.includes(installationId) ?? false",
    operator: "logic",
    why: "whoever asks takes undefined for false",
  },
  {
    module: "validators/joinable.ts",
    source: "type > 5 &&",
    operator: "constant",
    why: "type 6 is the dictionary, which this build lists among its capabilities",
  },
  {
    module: "validators/joinable.ts",
    source: "type > 7 &&",
    operator: "constant",
    why: "type 8 is AppDataUpdate, which this build lists among its capabilities",
  },
  {
    module: "validators/joinable.ts",
    source: "type > 7 &&",
    operator: "boundary",
    why: "this build lists type 7 though it need not",
  },
  {
    module: "invite/group-info-padding.ts",
    source: "length >= 0",
    operator: "boundary",
    why: "never 0: the size is right then",
  },
  {
    module: "invite/group-info-padding.ts",
    source: "length >= 0",
    operator: "constant",
    why: "never 0: the size is right then",
  },
  { module: "app-data-writes.ts", source: "removes it as a whole", operator: "drop", why: REFUSED_NEXT },
];
