import {
  check,
  optional,
  requireBytes,
  requireFields,
  requireFlag,
  requireFunction,
  requireList,
  requireSignal,
  requireText,
  requireWholeNumber,
} from "@latchkey/mls";
import type { NodeClientOptions } from "./options.ts";
import type { MessageAccount } from "./options.ts";
import type { DatabaseKeys, SqliteStoreOptions } from "./options.ts";

/** A path of a file; SQLite takes an empty one for a database that is nowhere. */
export const requirePath = check("a path", (value) =>
  typeof value === "string" && value !== "" && value.isWellFormed() && !value.includes("\0") ? value : undefined,
);

/** Logs of one call, and updates of a log: a group has at most as many inboxes as a tree has leaves. */
const MAX_LOGS = 131_072;

/** Identity logs, each with the bytes of its updates. */
export const requireLogs = requireList(requireList(requireBytes(), MAX_LOGS), MAX_LOGS);

const flag = optional(requireFlag);
const bytes = optional(requireBytes());
const text = optional(requireText);

export const requireNodeClientOptions = requireFields<NodeClientOptions>({
  dbPath: requirePath,
  dbEncryptionKey: bytes,
  nodeUrl: requireText,
  inviteServiceUrl: text,
  inviteBaseUrl: text,
  resolvePointer: optional(requireFunction<NonNullable<NodeClientOptions["resolvePointer"]>>()),
  loopbackHttp: flag,
  keepInvitesFresh: flag,
  joinReceipts: flag,
  slotCredentials: flag,
  padBlobs: flag,
  onDefect: optional(requireFunction<NonNullable<NodeClientOptions["onDefect"]>>()),
  onMessageFailed: optional(requireFunction<NonNullable<NodeClientOptions["onMessageFailed"]>>()),
  renewOnRemoval: flag,
  signal: optional(requireSignal),
});

export const requireStoreOptions = requireFields<SqliteStoreOptions>({
  encryptionKey: bytes,
  maxPages: optional(requireWholeNumber(1, 2 ** 32 - 2)),
});

export const requireKeys = requireFields<DatabaseKeys>({ from: bytes, to: bytes });

/** An account that signs texts, with its address of Ethereum. */
export const requireAccount = check("an account with an `address` and `signMessage`", (value) => {
  const { address, signMessage } = value as Partial<MessageAccount>;
  const isAddress = typeof address === "string" && /^0x[0-9a-f]{40}$/i.test(address);
  return isAddress && typeof signMessage === "function" ? (value as MessageAccount) : undefined;
});
