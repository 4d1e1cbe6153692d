import { utf8 } from "@latchkey/mls";
import type { IdentityRecord, MessageRecord } from "../store/records.ts";
import type { Row, TableName, Tables } from "../store/store.ts";

/** The rows of a table. */
type RowOf<T extends TableName> = Parameters<Tables[T]["put"]>[0];

/** Bytes that look random, follow from a name, and stand nowhere by chance; never below 2. */
export function sampleBytes(name: string, length = 200): Uint8Array {
  let state = 2_166_136_261;
  for (const byte of utf8(name)) state = Math.imul(state ^ byte, 16_777_619);
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state ^ (state >>> 15), 2_246_822_519) + 1;
    return 2 + ((state >>> 16) % 254);
  });
}

export const GROUP_ID = Uint8Array.of(1, 2, 3);

export function sampleMessage(id: bigint, text?: string): MessageRecord {
  const sender = { senderInboxId: "inbox", senderInstallationId: "installation" };
  const rest = { messageId: `m${id}`, contentType: "type", content: Uint8Array.of(9), sentAtNs: (1n << 62n) + id };
  const broughtBy = undefined;
  return { groupId: GROUP_ID, id, text, broughtBy, ...sender, ...rest };
}

export const SAMPLE_IDENTITY: IdentityRecord = {
  name: "self",
  inboxId: "the inbox",
  address: "0xaddress",
  signaturePrivateKey: new Uint8Array(32).fill(0xa1),
  signaturePublicKey: new Uint8Array(32).fill(0xa2),
  hmacRoot: new Uint8Array(42).fill(0xa3),
  welcomeCursor: 7n,
  welcomeCheckedId: 6n,
  registered: 1n,
  messagesMarked: 1n,
};

const key = { groupId: GROUP_ID };

/** Rows of every table: fields have values of their own, and what may be absent is there in one and absent in another. */
export const SAMPLE_ROWS: { readonly [T in TableName]: readonly [RowOf<T>, ...RowOf<T>[]] } = {
  encryption: [{ name: "self", salt: sampleBytes("salt", 32), check: sampleBytes("check", 45) }],
  identity: [{ ...SAMPLE_IDENTITY, signaturePrivateKey: sampleBytes("signature"), hmacRoot: sampleBytes("hmac") }],
  keyPackages: [
    {
      reference: Uint8Array.of(1),
      initKey: sampleBytes("init"),
      bundle: sampleBytes("bundle"),
      wrapperPrivateKey: sampleBytes("x-wing"),
      uploaded: 1n,
      retiredAtNs: 5n,
    },
    {
      reference: Uint8Array.of(2),
      initKey: sampleBytes("init"),
      bundle: sampleBytes("bundle"),
      wrapperPrivateKey: sampleBytes("x-wing"),
      uploaded: 1n,
      retiredAtNs: undefined,
    },
  ],
  waitingWelcomes: [
    { id: 1n, createdNs: 2n, hpkePublicKey: sampleBytes("hpke"), welcomePointer: sampleBytes("pointer") },
  ],
  unsupportedGroups: [{ ...key, addedAtNs: 1n }],
  groups: [
    {
      ...key,
      cursor: 1n,
      epochEnteredAtNs: 2n,
      mlsGroupId: GROUP_ID,
      role: "shown",
      checkedId: 5n,
      contestedId: 0n,
      lastCommitId: 1n,
      proven: 1n,
      createdAtNs: 3n,
      status: "confirmed",
      active: 1n,
    },
  ],
  groupRows: [{ ...key, rowKey: "e/1", value: sampleBytes("epoch") }],
  messages: [
    { ...sampleMessage(1n, "text that nobody else shall read"), content: sampleBytes("content") },
    { ...sampleMessage(2n), senderInboxId: "sender that nobody else shall know", content: sampleBytes("second") },
    { ...sampleMessage(3n), broughtBy: "own device that brought it", content: sampleBytes("third") },
  ],
  expiries: [{ ...key, expiresAtNs: 1n, id: 2n }],
  outbox: [
    {
      ...key,
      queueId: 1n,
      messageId: "m",
      epoch: -1n,
      message: sampleBytes("sent"),
      messageHash: sampleBytes("hash"),
      plaintext: sampleBytes("plain"),
      shouldPush: 0n,
      queuedAtNs: 8n,
      state: "failed",
      errorCode: "code by which it failed for good",
      mayHaveLeft: 1n,
      copies: sampleBytes("copies"),
      keyMark: sampleBytes("mark of the key"),
      told: 1n,
    },
    {
      ...key,
      queueId: 2n,
      messageId: "m",
      epoch: 1n,
      message: sampleBytes("sent second"),
      messageHash: sampleBytes("second hash"),
      plaintext: sampleBytes("plain second"),
      shouldPush: 1n,
      queuedAtNs: 0n,
      state: "waiting",
      errorCode: undefined,
      mayHaveLeft: 0n,
      copies: new Uint8Array(0),
      keyMark: new Uint8Array(0),
      told: 0n,
    },
  ],
  messageIds: [{ ...key, mark: Uint8Array.of(4), messageId: sampleBytes("message id"), id: 9n, sentAtNs: 10n }],
  pendingCommits: [
    {
      ...key,
      epoch: 1n,
      message: sampleBytes("commit"),
      messageHash: sampleBytes("commit hash"),
      rows: sampleBytes("commit rows"),
      welcome: undefined,
      recipients: sampleBytes("recipients"),
      renewal: sampleBytes("renewal of the invite"),
      identities: sampleBytes("points"),
    },
    {
      groupId: Uint8Array.of(4),
      epoch: 1n,
      message: sampleBytes("commit"),
      messageHash: sampleBytes("commit hash"),
      rows: sampleBytes("commit rows"),
      welcome: sampleBytes("welcomes"),
      recipients: sampleBytes("recipients"),
      renewal: undefined,
      identities: sampleBytes("points"),
    },
  ],
  joins: [
    {
      ...key,
      state: "PREPARED",
      invite: sampleBytes("invite"),
      epoch: 1n,
      logCursor: 2n,
      message: sampleBytes("join"),
      messageHash: sampleBytes("join hash"),
      rows: sampleBytes("join rows"),
      welcome: sampleBytes("welcome"),
      recipients: sampleBytes("siblings"),
      commitId: undefined,
      commitCreatedNs: undefined,
      startedAtNs: 3n,
      identityId: 6n,
      staleAtNs: 7n,
    },
    {
      groupId: Uint8Array.of(4),
      state: "PREPARED",
      invite: sampleBytes("invite"),
      epoch: 1n,
      logCursor: 2n,
      message: sampleBytes("join"),
      messageHash: sampleBytes("join hash"),
      rows: sampleBytes("join rows"),
      welcome: undefined,
      recipients: sampleBytes("siblings"),
      commitId: 8n,
      commitCreatedNs: 9n,
      startedAtNs: 3n,
      identityId: 6n,
      staleAtNs: 7n,
    },
  ],
  followUps: [{ ...key, followUpId: 1n, kind: "refresh", payload: sampleBytes("payload"), attempts: 0n }],
  identityUpdates: [{ inboxId: "i", sequenceId: 1n, serverTimestampNs: 2n, update: sampleBytes("update") }],
  identityVerdicts: [{ inboxId: "i", sequenceId: 1n, verdict: sampleBytes("verdict on signatures") }],
  admissions: [
    {
      ...key,
      id: 1n,
      inboxId: "inbox that nobody else shall know",
      externalGroupId: sampleBytes("slot"),
      admittedAtNs: 4n,
    },
  ],
  leaveRequests: [{ ...key, inboxId: "i" }],
  slotCredentials: [
    {
      ...key,
      externalGroupId: sampleBytes("slot of the invite"),
      credentials: sampleBytes("credentials"),
      secrets: sampleBytes("write secrets"),
    },
  ],
  inviteRenewals: [
    { ...key, policy: sampleBytes("policy"), template: sampleBytes("template of the invite"), dueNs: 7n },
  ],
  rejections: [
    { ...key, id: 1n, code: "DECODE", rule: undefined, message: "text" },
    { ...key, id: 2n, code: "DECODE", rule: "rule", message: "text" },
  ],
  defects: [{ ...key, id: 1n, syncs: 2n, countedAtNs: 1n }],
  deviceLinks: [
    {
      name: "self",
      role: "old",
      inboxId: "inbox of the link",
      installationKey: sampleBytes("new installation"),
      update: sampleBytes("signed addition"),
      deadlineNs: 9n,
    },
  ],
  histories: [
    {
      ...key,
      welcomedBy: sampleBytes("inbox of the signer"),
      signerKey: sampleBytes("key of the signer"),
      trusted: 1n,
      proof: undefined,
      askedAtNs: 1n,
      requestedAtNs: 2n,
    },
    {
      groupId: Uint8Array.of(4),
      welcomedBy: sampleBytes("inbox of the signer"),
      signerKey: sampleBytes("key of the signer"),
      trusted: 1n,
      proof: "proof",
      askedAtNs: 1n,
      requestedAtNs: 2n,
    },
  ],
  hints: [{ ...key, kind: "unreadable", id: 1n, createdNs: 2n, count: 3n, committer: sampleBytes("committer") }],
  gaps: [{ ...key, fromId: 1n, toId: 2n }],
  readds: [
    { ...key, installationKey: Uint8Array.of(1), inboxId: sampleBytes("who asks"), requestedAtNs: 1n, doneAtNs: 0n },
  ],
  forgottenGroups: [{ ...key, cursor: 1n, forgottenAtNs: 2n }],
};

/** All of `SAMPLE_ROWS` but `encryption`, which has its own row in a database that is encrypted. */
export function sampleRows(): [TableName, Row][] {
  return (Object.entries(SAMPLE_ROWS) as unknown as [TableName, readonly Row[]][])
    .filter(([name]) => name !== "encryption")
    .flatMap(([name, rows]) => rows.map((row): [TableName, Row] => [name, row]));
}
