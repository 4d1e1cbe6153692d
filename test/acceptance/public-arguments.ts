import * as client from "@latchkey/client";
import { generatedSigner } from "@latchkey/client/node";
import { encodeTextMessage } from "@latchkey/xmtp";

/** One argument: what makes sense in its place, and whether the call can do without it. */
export interface Argument {
  readonly good: unknown;
  readonly optional?: boolean;
  /** Odd values that have an outcome of their own, which the documentation states. */
  readonly takes?: (odd: unknown) => boolean;
  /** Fields of an object and what makes sense in them. */
  readonly fields?: Readonly<Record<string, Argument>>;
  /** Elements of an array. */
  readonly elements?: Argument;
}

/** A public method or function: its arguments in order. */
export type Rows = Readonly<Record<string, readonly Argument[]>>;

export const isText = (odd: unknown) => typeof odd === "string";
export const isWholeText = (odd: unknown) => typeof odd === "string" && odd.isWellFormed();
export const isBytes = (odd: unknown) => odd instanceof Uint8Array;
export const isPosition = (odd: unknown) => typeof odd === "bigint" && odd >= 0n && odd < 1n << 63n;
export const isFlag = (odd: unknown) => typeof odd === "boolean";
export const isFunction = (odd: unknown) => typeof odd === "function";
export const isEmptyList = (odd: unknown) => Array.isArray(odd) && odd.length === 0;
export const isPositive = (odd: unknown) => isPosition(odd) && odd !== 0n;
export const isFuture = (odd: unknown) => isPosition(odd) && (odd as bigint) > 1n << 62n;
export const isCount = (odd: unknown) => typeof odd === "number" && Number.isInteger(odd) && odd > 0 && odd < 2 ** 31;

export const isUses = (odd: unknown) => typeof odd === "number" && Number.isInteger(odd) && odd > 0 && odd < 2 ** 32;
export const isPath = (odd: unknown) => isWholeText(odd) && odd !== "" && !(odd as string).includes("\0");

const INBOX_ID = "ab".repeat(32);

export const signal: Argument = { good: new AbortController().signal, optional: true };
export const flag: Argument = { good: false, optional: true, takes: isFlag };
export const text: Argument = { good: "a text", takes: isWholeText };
export const maybeText: Argument = { ...text, optional: true };
export const bytes: Argument = { good: new Uint8Array(3), takes: isBytes };
export const inboxId: Argument = { good: INBOX_ID };
/** An EncodedContent of a text. */
export const CONTENT = encodeTextMessage(new Uint8Array(16), "text").content;
export const codec: Argument = { good: client.textCodec };
export const inboxIds: Argument = { good: [INBOX_ID], elements: inboxId, takes: isEmptyList };

export function options(fields: Readonly<Record<string, Argument>> = {}): Argument {
  return { good: {}, optional: true, fields: { signal, ...fields }, takes: (odd) => isPlainEmpty(odd) };
}

export function isPlainEmpty(odd: unknown): boolean {
  return typeof odd === "object" && odd !== null && !Array.isArray(odd) && Reflect.ownKeys(odd).length === 0;
}

const after: Argument = { good: 1n, optional: true, takes: isPosition };
export const listOptions: Argument = { good: {}, optional: true, fields: { after }, takes: isPlainEmpty };
export const pointer = { good: { kind: "opaque", bytes: Uint8Array.of(1) } };
export const refreshPointers: Argument = { good: [], optional: true, takes: isEmptyList };
export const invite: Argument = { good: "latchkey:AAAA", takes: (odd) => isText(odd) || isBytes(odd) };
export const joinOptions = options({
  timeoutMs: { good: 1_000, optional: true, takes: isCount },
  onProgress: { good: () => undefined, optional: true, takes: isFunction },
  allOrNothing: flag,
});
export const blobs: Argument = {
  good: [new Uint8Array(3)],
  elements: bytes,
  takes: (odd) => isBytes(odd) || isEmptyList(odd),
};
export const role: Argument = { good: "admin" };
export const wallet: Argument = { good: generatedSigner() };
export const maybeWallet: Argument = { ...wallet, optional: true };
const ADDRESS = `0x${"ab".repeat(20)}`;
export const address: Argument = { good: ADDRESS };
export const installationIds: Argument = { good: [INBOX_ID], elements: inboxId, takes: isEmptyList };
export const keep: Argument = { ...installationIds, optional: true };

const linkFields: Readonly<Record<string, Argument>> = {
  code: { good: "LATCHKEY-LINK:AA", optional: true, takes: (odd) => isText(odd) || isBytes(odd) },
  onProgress: { good: () => undefined, optional: true, takes: isFunction },
};
export const linkNewOptions = options({
  ...linkFields,
  confirmInbox: { good: () => true, optional: true, takes: isFunction },
});
export const linkDeviceOptions: Argument = {
  good: { readDigits: () => "" },
  fields: {
    signal,
    ...linkFields,
    readDigits: { good: () => "", takes: isFunction },
    history: { good: 0, optional: true, takes: (odd) => odd === 0 || (isCount(odd) && (odd as number) <= 10_000) },
    signer: maybeWallet,
  },
};
