import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { create, fromBinary, toBinary, type DescMessage } from "@bufbuild/protobuf";
import { MlsApi, IdentityApi, SendGroupMessagesRequestSchema } from "@latchkey/xmtp/proto";
import fc from "fast-check";
import { NODE_LIMITS, requestBounds, SMALL_REQUEST } from "../limits.ts";
import { scanProtobuf } from "./protobuf-scan.ts";

const METHODS = [...MlsApi.methods, ...IdentityApi.methods];

/** Fields that the decoder made, those that no schema names included. */
function decodedFields(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + 1 + decodedFields(item), 0);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return 0;
  const { $unknown = [], ...fields } = value as Record<string, unknown> & { $unknown?: unknown[] };
  return Object.values(fields).reduce<number>((sum, field) => sum + decodedFields(field), $unknown.length);
}

function scans(schema: DescMessage, bytes: Uint8Array, limit: number): boolean {
  try {
    scanProtobuf(schema, bytes, limit);
    return true;
  } catch {
    return false;
  }
}

describe("the price of a protobuf message", () => {
  test("TRU-19 requests that native and own clients send cost less than half of their method's bound", () => {
    const path = new URL("../../../xmtp/src/captured-requests.json", import.meta.url);
    const captured = JSON.parse(readFileSync(path, "utf8")) as { method: string; request: string }[];
    const bounds = requestBounds(NODE_LIMITS);
    for (const { method, request } of captured) {
      const schema = METHODS.find(({ name }) => name === method)?.input;
      assert.ok(schema, method);
      const bytes = Buffer.from(request, "base64");
      const bound = bounds.get(method) ?? SMALL_REQUEST;
      assert.ok(bytes.length < bound.bytes / 2, method);
      scanProtobuf(schema, bytes, bound.fields / 2);
    }
    assert.ok(captured.length > 20, "there are captured requests");
  });

  test("TRU-19 full lists of every method are within its bounds, and one entry in ten more is not", () => {
    const { batchEntries, lookupEntries, streamFilters } = NODE_LIMITS;
    const bounds = requestBounds(NODE_LIMITS);
    const topic = new Uint8Array(NODE_LIMITS.topicBytes);
    const fill = (entries: number) =>
      Array.from({ length: entries }, () => ({ groupId: topic, idCursor: 2n ** 64n - 1n }));
    const keys = (entries: number) => Array.from({ length: entries }, () => topic);
    const full = new Map<string, [entries: number, make: (entries: number) => Record<string, unknown>]>([
      ["SubscribeGroupMessages", [streamFilters, (entries) => ({ filters: fill(entries) })]],
      ["FetchKeyPackages", [lookupEntries, (entries) => ({ installationKeys: keys(entries) })]],
      ["GetNewestGroupMessage", [lookupEntries, (entries) => ({ groupIds: keys(entries) })]],
      [
        "SendGroupMessages",
        [
          batchEntries,
          (entries) => ({
            messages: Array.from({ length: entries }, () => ({
              version: { case: "v1", value: { data: topic, senderHmac: topic, shouldPush: true } },
            })),
          }),
        ],
      ],
    ]);
    for (const [name, [entries, make]] of full) {
      const method = METHODS.find((one) => one.name === name);
      const bound = bounds.get(name);
      assert.ok(method !== undefined && bound !== undefined);
      const bytes = toBinary(method.input, create(method.input, make(entries)));
      assert.ok(bytes.length <= bound.bytes, name);
      scanProtobuf(method.input, bytes, bound.fields);
    }
  });

  test("REQUEST_TOO_LARGE: fields that are empty, repeated, unknown or packed count each", () => {
    const one = (bytes: number[]) => Buffer.from(Array.from({ length: 1_000 }, () => bytes).flat());
    for (const [name, bytes] of Object.entries({
      "an empty message in a list": [0x0a, 0],
      "a message within a message": [0x0a, 2, 0x0a, 0],
      "an unknown number": [0x78, 1],
      "unknown bytes": [0x7a, 1, 7],
      "an unknown fixed number": [0x7d, 1, 2, 3, 4],
    })) {
      assert.throws(
        () => scanProtobuf(SendGroupMessagesRequestSchema, one(bytes), 999),
        { code: "REQUEST_TOO_LARGE" },
        name,
      );
      scanProtobuf(SendGroupMessagesRequestSchema, one(bytes), 2_000);
    }
  });

  test("REQUEST_INVALID: bytes that end early, groups, deep nesting, and wire types that the schema does not have", () => {
    for (const [name, bytes] of Object.entries({
      "a length beyond the end": [0x0a, 5, 1],
      "a length of more than 32 bits": [0x0a, 0x80, 0x80, 0x80, 0x80, 0x10],
      "an unended varint": [0x78, 0x80],
      "a varint of eleven bytes": [0x78, ...Array<number>(10).fill(0x80), 0],
      "field number zero": [0x02, 0],
      "a group": [0x7b, 0x7c],
      "a message with the wire type of a number": [0x08, 2, 0x08, 0],
      "a message with the wire type of a fixed number": [0x09, 1, 2, 3, 4, 5, 6, 7, 8],
    })) {
      const scan = () => scanProtobuf(SendGroupMessagesRequestSchema, Buffer.from(bytes), 1_000);
      assert.throws(scan, { code: "REQUEST_INVALID" }, name);
    }
  });

  test("TRU-19 whatever bytes pass the scan, the decoder makes no more of them than was counted", () => {
    const tags = fc.constantFrom(
      0x0a,
      0x12,
      0x1a,
      0x08,
      0x10,
      0x22,
      0x7a,
      0x78,
      0x0d,
      0x09,
      0x0b,
      0,
      1,
      2,
      3,
      4,
      0x80,
      0xff,
    );
    const bytes = fc.array(fc.oneof({ weight: 5, arbitrary: tags }, fc.nat(255)), { maxLength: 60 });
    const schema = fc.constantFrom(...METHODS.map(({ input }) => input));
    let passed = 0;
    fc.assert(
      fc.property(schema, bytes, (input, numbers) => {
        const message = Uint8Array.from(numbers);
        let limit = 0;
        while (limit <= 60 && !scans(input, message, limit)) limit++;
        if (limit > 60) return;
        passed++;
        let decoded;
        try {
          decoded = fromBinary(input, message);
        } catch {
          return; // The decoder refuses more, such as text that is no UTF-8.
        }
        assert.ok(decodedFields(decoded) <= limit, `${decodedFields(decoded)} fields, ${limit} counted`);
      }),
      { numRuns: 3_000 },
    );
    assert.ok(passed > 100, "some of them pass");
  });

  test("the scan knows the schemas of all requests", () => {
    for (const { input } of METHODS) scanProtobuf(input, new Uint8Array(), 0);
  });
});
