import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { fromHex, toHex, utf8 } from "@latchkey/mls";
import { EncodedContentSchema } from "../proto.ts";
import { attachmentCodec } from "./attachment.ts";
import { decryptAttachment, encryptAttachment } from "./attachment-encryption.ts";
import type { ContentCodec } from "./codec.ts";
import { groupUpdatedCodec, type GroupUpdate } from "./group-updated.ts";
import { markdownCodec } from "./markdown.ts";
import { decodeWith, encodeContent } from "./message-content.ts";
import { reactionCodec } from "./reaction.ts";
import { readReceiptCodec } from "./read-receipt.ts";
import { remoteAttachmentCodec } from "./remote-attachment.ts";
import { textCodec } from "./text.ts";
import { transactionReferenceCodec } from "./transaction-reference.ts";

interface CapturedContent {
  readonly contentType: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly fallback?: string;
  readonly content: string;
}

/** What XMTP's native library encoded; the values are in the cases below. */
const CAPTURED = JSON.parse(readFileSync(new URL("captured-contents.json", import.meta.url), "utf8")) as {
  readonly contents: Readonly<Record<string, CapturedContent>>;
  readonly encryptedAttachment: Readonly<Record<"payload" | "contentDigest" | "secret" | "salt" | "nonce", string>>;
};

const reference = "ab".repeat(32);
const counted = (length: number, start: number): Uint8Array => Uint8Array.from({ length }, (_, index) => start + index);
const remote = {
  url: "https://files.example/x",
  contentDigest: "ef".repeat(32),
  secret: counted(32, 1),
  salt: counted(32, 40),
  nonce: counted(12, 90),
};
const metadata = {
  transactionType: "transfer",
  currency: "USDC",
  amount: 100_000,
  decimals: 6,
  fromAddress: "0x1",
  toAddress: "0x2",
};

interface Case {
  readonly codec: ContentCodec<unknown>;
  readonly value: unknown;
  /** False where the library writes numbers of JSON in another form. */
  readonly isSameBytes?: false;
}

function caseOf<T>(codec: ContentCodec<T>, value: T): Case {
  return { codec: codec as ContentCodec<unknown>, value };
}

const CASES: Readonly<Record<string, Case>> = {
  text: caseOf(textCodec, "hé"),
  markdown: caseOf(markdownCodec, "# Hé\n\n* **bold**"),
  reactionAdded: caseOf(reactionCodec, {
    reference,
    referenceInboxId: "cd".repeat(32),
    action: "added",
    content: "👍",
    schema: "unicode",
  }),
  reactionRemoved: caseOf(reactionCodec, { reference, action: "removed", content: ":smile:", schema: "shortcode" }),
  readReceipt: caseOf(readReceiptCodec, undefined),
  attachment: caseOf(attachmentCodec, { filename: "a b.txt", mimeType: "text/plain", content: utf8("héllo") }),
  attachmentUnnamed: caseOf(attachmentCodec, { mimeType: "text/plain", content: utf8("x") }),
  remoteAttachment: caseOf(remoteAttachmentCodec, { ...remote, contentLength: 123, filename: "a b.txt" }),
  remoteAttachmentUnnamed: caseOf(remoteAttachmentCodec, remote),
  transactionReference: {
    ...caseOf(transactionReferenceCodec, { namespace: "eip155", networkId: "1", reference: "0xabc", metadata }),
    isSameBytes: false,
  },
  transactionReferenceShort: caseOf(transactionReferenceCodec, { networkId: "0x2105", reference: "0xabc" }),
};

describe("content that XMTP's native library encoded", () => {
  assert.deepEqual(Object.keys(CAPTURED.contents).sort(), Object.keys(CASES).sort());
  for (const [name, { codec, value, isSameBytes = true }] of Object.entries(CASES)) {
    test(`${name} is read, and written with the same type, parameters, fallback and bytes`, () => {
      const captured = CAPTURED.contents[name];
      assert.ok(captured !== undefined);
      const { contentType, parameters, fallback } = captured;
      assert.equal(codec.type, contentType);
      assert.deepEqual(codec.decode({ body: fromHex(captured.content), parameters }), value);

      const encoded = encodeContent(codec, value);
      const message = fromBinary(EncodedContentSchema, encoded);
      assert.deepEqual(message.parameters, parameters);
      assert.equal(message.fallback, fallback);
      if (isSameBytes) assert.equal(toHex(message.content), captured.content);
      assert.deepEqual(decodeWith(codec, encoded), { value });
    });
  }

  test("a file that the library encrypted opens, and changed bytes do not", async () => {
    const { payload, contentDigest, secret, salt, nonce } = CAPTURED.encryptedAttachment;
    const keys = { contentDigest, secret: fromHex(secret), salt: fromHex(salt), nonce: fromHex(nonce) };
    const file = { filename: "a b.txt", mimeType: "text/plain", content: utf8("héllo") };
    assert.deepEqual(await decryptAttachment(fromHex(payload), keys), file);
    const changed = fromHex(payload);
    changed[3] = (changed[3] ?? 0) ^ 1;
    await assert.rejects(decryptAttachment(changed, keys), { code: "CRYPTO" });
    await assert.rejects(decryptAttachment(fromHex(payload), { ...keys, secret: counted(32, 1) }), { code: "CRYPTO" });
  });
});

test("a file is encrypted with keys of its own each time, and opens with them", async () => {
  const file = { filename: "photo.jpg", mimeType: "image/jpeg", content: counted(200, 3) };
  const [one, other] = [await encryptAttachment(file), await encryptAttachment(file)];
  assert.notDeepEqual(one.secret, other.secret);
  assert.equal(one.contentLength, one.payload.length);
  assert.deepEqual(await decryptAttachment(one.payload, one), file);
  await assert.rejects(decryptAttachment(one.payload, { ...other, contentDigest: one.contentDigest }), {
    code: "CRYPTO",
  });
});

test("what a commit changed comes through with all its lists, and absent values stay absent", () => {
  const update: GroupUpdate = {
    initiatedByInboxId: "01",
    addedInboxes: ["02", "03"],
    removedInboxes: ["04"],
    leftInboxes: ["05"],
    addedAdminInboxes: ["06"],
    removedAdminInboxes: ["07"],
    addedSuperAdminInboxes: ["08"],
    removedSuperAdminInboxes: ["09"],
    metadataFieldChanges: [{ fieldName: "group_name", oldValue: undefined, newValue: "Team" }],
  };
  assert.deepEqual(decodeWith(groupUpdatedCodec, encodeContent(groupUpdatedCodec, update)), { value: update });
});

test("malformed content of these types is refused with a typed error", () => {
  const { content, parameters } = CAPTURED.contents["remoteAttachment"] ?? { content: "", parameters: {} };
  const body = fromHex(content);
  const refused: [ContentCodec<unknown>, Parameters<ContentCodec<unknown>["decode"]>[0]][] = [
    [reactionCodec as ContentCodec<unknown>, { body: Uint8Array.of(0xff) }],
    [reactionCodec as ContentCodec<unknown>, { body: new Uint8Array(0) }],
    [groupUpdatedCodec as ContentCodec<unknown>, { body: Uint8Array.of(0xff) }],
    [attachmentCodec as ContentCodec<unknown>, { body }],
    [markdownCodec as ContentCodec<unknown>, { body: Uint8Array.of(0xff) }],
    [remoteAttachmentCodec as ContentCodec<unknown>, { body }],
    [remoteAttachmentCodec as ContentCodec<unknown>, { body, parameters: { ...parameters, nonce: "00" } }],
    [remoteAttachmentCodec as ContentCodec<unknown>, { body, parameters: { ...parameters, contentLength: "-1" } }],
    [remoteAttachmentCodec as ContentCodec<unknown>, { body: utf8("http://files.example/x"), parameters }],
    [transactionReferenceCodec as ContentCodec<unknown>, { body: utf8("{}") }],
    [transactionReferenceCodec as ContentCodec<unknown>, { body: utf8("null") }],
    [transactionReferenceCodec as ContentCodec<unknown>, { body: utf8("{") }],
  ];
  for (const [codec, coded] of refused) assert.throws(() => codec.decode(coded), { code: "DECODE" });
});

test("values that make no sense are refused before anything is encoded", async () => {
  const codecs = [attachmentCodec, groupUpdatedCodec, markdownCodec, reactionCodec, remoteAttachmentCodec];
  for (const codec of [...codecs, transactionReferenceCodec] as ContentCodec<unknown>[]) {
    for (const value of [undefined, null, 7, {}, { reference: 7 }]) {
      assert.throws(() => codec.encode(value), { code: "ARGUMENT_INVALID" });
    }
  }
  await assert.rejects(encryptAttachment({ mimeType: 7 } as never), { code: "ARGUMENT_INVALID" });
  await assert.rejects(decryptAttachment(Uint8Array.of(1), { nonce: "" } as never), { code: "ARGUMENT_INVALID" });
});
