import { check, DecodeError, decodeUtf8, optional, requireFields, requireText, utf8 } from "@latchkey/mls";
import type { ContentCodec } from "./codec.ts";

/** The transfer of a transaction, as its sender states it. */
export interface TransactionMetadata {
  readonly transactionType: string;
  readonly currency: string;
  readonly amount: number;
  readonly decimals: number;
  readonly fromAddress: string;
  readonly toAddress: string;
}

/** A transaction on a chain. Nothing of it is checked. */
export interface TransactionReference {
  /** Such as `eip155`. */
  readonly namespace?: string;
  /** Id of the chain, decimal or in hex. */
  readonly networkId: string;
  /** Hash of the transaction. */
  readonly reference: string;
  readonly metadata?: TransactionMetadata;
}

const requireAmount = check("a finite number", (value) =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined,
);

const requireTransactionReference = requireFields<TransactionReference>({
  namespace: optional(requireText),
  networkId: requireText,
  reference: requireText,
  metadata: optional(
    requireFields<TransactionMetadata>({
      transactionType: requireText,
      currency: requireText,
      amount: requireAmount,
      decimals: requireAmount,
      fromAddress: requireText,
      toAddress: requireText,
    }),
  ),
});

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function textOf(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new DecodeError(`a transaction reference has no text as ${name}`);
  return value;
}

function numberOf(fields: Readonly<Record<string, unknown>>, name: string): number {
  const value = fields[name];
  if (typeof value !== "number") throw new DecodeError(`a transaction reference has no number as ${name}`);
  return value;
}

function metadataOf(value: unknown): TransactionMetadata {
  if (!isObject(value)) throw new DecodeError("the metadata of a transaction reference is no object");
  return {
    transactionType: textOf(value, "transactionType"),
    currency: textOf(value, "currency"),
    amount: numberOf(value, "amount"),
    decimals: numberOf(value, "decimals"),
    fromAddress: textOf(value, "fromAddress"),
    toAddress: textOf(value, "toAddress"),
  };
}

function parsed(body: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(body));
  } catch (cause) {
    throw new DecodeError("a transaction reference is not JSON in UTF-8", { cause });
  }
  if (!isObject(value)) throw new DecodeError("a transaction reference is no object");
  return value;
}

/** A transaction to show (content type `xmtp.org/transactionReference:1.0`), JSON in UTF-8. */
export const transactionReferenceCodec: ContentCodec<TransactionReference> = {
  type: "xmtp.org/transactionReference:1.0",
  isShown: true,
  encode: (value) => ({ body: utf8(JSON.stringify(requireTransactionReference(value, "value"))) }),
  decode: ({ body }) => {
    const fields = parsed(body);
    const { namespace, metadata } = fields;
    return {
      networkId: textOf(fields, "networkId"),
      reference: textOf(fields, "reference"),
      ...(namespace !== undefined && namespace !== null && { namespace: textOf(fields, "namespace") }),
      ...(metadata !== undefined && metadata !== null && { metadata: metadataOf(metadata) }),
    };
  },
  fallback: ({ reference }) =>
    `[Crypto transaction] Use a blockchain explorer to learn more using the transaction hash: ${reference}`,
  shouldPush: () => true,
};
