/**
 * Picks from captures the first request of each kind, for the test `packages/xmtp/src/captured.test.ts`.
 * Usage: select-captures.ts <directory of captures> > packages/xmtp/src/captured-requests.json
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { decodeExact, decodeKeyPackage, peekMlsMessage, toHex } from "@latchkey/mls";
import { welcomeKeyOf } from "@latchkey/xmtp";
import {
  PublishIdentityUpdateRequestSchema,
  SendGroupMessagesRequestSchema,
  SendWelcomeMessagesRequestSchema,
  UploadKeyPackageRequestSchema,
} from "@latchkey/xmtp/proto";

interface Captured {
  readonly from: "native" | "ours";
  /** Set for Welcomes: whose key package they are for. */
  readonly to?: "native" | "ours";
  readonly method: string;
  readonly request: string;
}

/** Base64 characters; larger requests show nothing that smaller ones do not. */
const MAX_CHARACTERS = 18_000;

/** What makes two requests of one method different in kind. */
function kindOf({ method, request }: Captured): string {
  const bytes = Buffer.from(request, "base64");
  if (method === "SendGroupMessages") {
    return fromBinary(SendGroupMessagesRequestSchema, bytes)
      .messages.map(({ version }) => (version.case === "v1" ? peekMlsMessage(version.value.data).contentKind : ""))
      .join();
  }
  if (method === "SendWelcomeMessages") {
    const { messages } = fromBinary(SendWelcomeMessagesRequestSchema, bytes);
    return [...new Set(messages.map(({ version }) => `${version.case} ${version.value?.wrapperAlgorithm}`))].join();
  }
  if (method === "PublishIdentityUpdate") {
    const { identityUpdate } = fromBinary(PublishIdentityUpdateRequestSchema, bytes);
    return (identityUpdate?.actions ?? []).map(({ kind }) => kind.case).join();
  }
  return "";
}

/** The keys for Welcomes that our key packages offer, in hex. */
function ourWelcomeKeys(captures: readonly Captured[]): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { from, method, request } of captures) {
    if (from !== "ours" || method !== "UploadKeyPackage") continue;
    const { keyPackage } = fromBinary(UploadKeyPackageRequestSchema, Buffer.from(request, "base64"));
    const bytes = keyPackage?.keyPackageTlsSerialized ?? new Uint8Array(0);
    keys.add(toHex(welcomeKeyOf(decodeExact(bytes, decodeKeyPackage)).publicKey));
  }
  return keys;
}

/** Says of Welcomes whom they are for; what pointers lead to is for nobody in particular. */
function addressed(captured: Captured, ours: ReadonlySet<string>): Captured {
  if (captured.method !== "SendWelcomeMessages") return captured;
  const { messages } = fromBinary(SendWelcomeMessagesRequestSchema, Buffer.from(captured.request, "base64"));
  const keys = messages.map(({ version }) => version.value?.hpkePublicKey ?? new Uint8Array(0));
  const named = keys.filter(({ length }) => length > 0);
  if (named.length === 0) return captured;
  const { from, method, request } = captured;
  return { from, to: named.every((key) => ours.has(toHex(key))) ? "ours" : "native", method, request };
}

const [, , directory] = process.argv;
if (directory === undefined) throw new Error("the directory of captures is missing");
const captures = readdirSync(directory)
  .sort()
  .flatMap((name) => readFileSync(join(directory, name), "utf8").trimEnd().split("\n"))
  .map((line) => JSON.parse(line) as Captured);
const ours = ourWelcomeKeys(captures);
const first = new Map<string, Captured>();
for (const plain of captures) {
  const captured = addressed(plain, ours);
  const key = [captured.from, captured.to ?? "", captured.method, kindOf(captured)].join(" ");
  if (captured.request.length <= MAX_CHARACTERS && !first.has(key)) first.set(key, captured);
}
console.log(
  JSON.stringify(
    [...first].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, captured]) => captured),
    null,
    2,
  ),
);
console.error([...first.keys()].sort().join("\n"));
