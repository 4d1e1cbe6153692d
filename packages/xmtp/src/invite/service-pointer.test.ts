import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { XMTP_LIMITS } from "../limits.ts";
import { ServicePointerSchema } from "../proto.ts";
import { readServicePointer } from "./service-pointer.ts";

const read = (value: string) =>
  readServicePointer(create(ServicePointerSchema, { location: { case: "httpsUrl", value } }));

test("InvalidHttpsUrl: an URL has as many bytes as the limit allows, and not one more", () => {
  const start = "https://a.b/é";
  const longest = start.padEnd(XMTP_LIMITS.maxServiceUrlBytes - 1, "x");
  assert.deepEqual(read(longest), { kind: "https_url", url: longest });
  assert.throws(() => read(`${longest}x`), { code: "DECODE", rule: "InvalidHttpsUrl" });
});
